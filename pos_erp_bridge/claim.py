# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The claim: gate, condition and promise in one call.

A function in the database: one round trip, and only the statements that are needed are planned. They run one after the
other, and at READ COMMITTED each sees what was committed before it began: behind the gate the numbers are the newest
there are, and nobody changes them. (A counter updated by one statement would be read anew after waiting for its row,
but the stock it is compared with would not. So there is no counter: what is promised is the sum of the promises.)
"""

DROP = """
DO $$ DECLARE old text; BEGIN
    FOR old IN SELECT oid::regprocedure::text FROM pg_proc WHERE proname = 'bridge_claim' LOOP
        EXECUTE 'DROP FUNCTION ' || old;
    END LOOP;
END $$;
"""

CREATE = (
    DROP
    + """
-- Rows: ('granted', line ref, product, –, quantity) for all that was promised, or was kept already; none when refused.
-- ('free', –, product, path of a place, quantity there) and ('cap', number, –, –, left): what it was decided by.
-- ('changed', location, product, –, –): promises that ended.
CREATE FUNCTION bridge_claim(
    a_channel int, a_company int, a_store int, a_order text, a_customer text, a_purpose text,
    a_expires timestamp, a_now timestamp,
    a_lines text[], a_products int[], a_locations int[], a_quantities float8[], a_keeps float8[],
    a_kits int[], a_kit_quantities float8[],
    a_cap_refs int[], a_cap_channels int[], a_cap_customers text[], a_cap_since timestamp[], a_cap_lefts float8[],
    a_cap_wanted float8[], a_capped_refs int[], a_capped_products int[])
RETURNS TABLE (kind text, ref text, product int, place text, amount float8) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    products int[] := ARRAY(SELECT DISTINCT p FROM unnest(a_products) p ORDER BY p);
    refused boolean;
    known boolean;
    passed int;
    want record;
    around record;
    cap record;
    free float8;
BEGIN
    -- The gate. A product nobody asked for yet has none: it is made, and then passed as any.
    LOOP
        UPDATE bridge_gate g SET passed = g.passed + 1
          FROM (SELECT product_id FROM bridge_gate WHERE product_id = ANY(products)
                 ORDER BY product_id FOR NO KEY UPDATE) mine
         WHERE g.product_id = mine.product_id;
        GET DIAGNOSTICS passed = ROW_COUNT;
        EXIT WHEN passed = cardinality(products);
        products := ARRAY(SELECT id FROM product_product WHERE id = ANY(products) ORDER BY id);
        INSERT INTO bridge_gate (product_id, passed) SELECT unnest(products), 0 ON CONFLICT (product_id) DO NOTHING;
    END LOOP;

    known := EXISTS (SELECT FROM bridge_hold WHERE coalesce(channel_id, 0) = a_channel AND order_ref = a_order
                        AND line_ref = ANY(a_lines) AND state IN ('active', 'done'));
    IF known THEN
        -- What was kept already is not promised again.
        RETURN QUERY
        SELECT 'granted', line_ref::text, product_id, NULL::text, quantity::float8 FROM bridge_hold
         WHERE coalesce(channel_id, 0) = a_channel AND order_ref = a_order AND line_ref = ANY(a_lines)
           AND state = 'done' AND product_id = ANY(products);
        SELECT array_agg(line_ref), array_agg(product_id), array_agg(location_id), array_agg(quantity), array_agg(keep),
               array_agg(kit_id), array_agg(kit_quantity)
          INTO a_lines, a_products, a_locations, a_quantities, a_keeps, a_kits, a_kit_quantities
          FROM unnest(a_lines, a_products, a_locations, a_quantities, a_keeps, a_kits, a_kit_quantities)
               AS w(line_ref, product_id, location_id, quantity, keep, kit_id, kit_quantity)
         WHERE NOT EXISTS (SELECT FROM bridge_hold h
                            WHERE coalesce(h.channel_id, 0) = a_channel AND h.order_ref = a_order
                              AND h.line_ref = w.line_ref AND h.product_id = w.product_id AND h.state = 'done');
        IF a_lines IS NULL THEN
            RETURN;
        END IF;
    END IF;

    FOR attempt IN 1..2 LOOP
        refused := false;
        FOR want IN
            SELECT w.product_id, l.parent_path, sum(w.quantity) AS quantity, max(w.keep) AS keep
              FROM unnest(a_products, a_locations, a_quantities, a_keeps) AS w(product_id, location_id, quantity, keep)
              JOIN stock_location l ON l.id = w.location_id GROUP BY w.product_id, l.parent_path
        LOOP
            -- A promise made for a whole (a warehouse) is one of its parts (a shelf) too: so besides the place wanted,
            -- those around it count where something was promised, or is wanted.
            FOR around IN
                SELECT want.parent_path AS path
                 UNION
                SELECT l.parent_path FROM bridge_hold h JOIN stock_location l ON l.id = h.location_id
                 WHERE h.product_id = want.product_id AND h.state = 'active' AND h.source = 'hand'
                   AND want.parent_path LIKE l.parent_path || '%'
                 UNION
                SELECT l.parent_path FROM unnest(a_products, a_locations) AS w(product_id, location_id)
                  JOIN stock_location l ON l.id = w.location_id
                 WHERE w.product_id = want.product_id AND want.parent_path LIKE l.parent_path || '%'
            LOOP
                free := coalesce((
                    SELECT sum(q.quantity - q.reserved_quantity)
                      FROM stock_quant q JOIN stock_location l ON l.id = q.location_id
                     WHERE q.product_id = want.product_id AND l.parent_path LIKE around.path || '%'), 0)
                  - coalesce((
                    SELECT sum(h.quantity) FROM bridge_hold h JOIN stock_location l ON l.id = h.location_id
                     WHERE h.product_id = want.product_id AND h.state = 'active' AND h.source = 'hand'
                       AND l.parent_path LIKE around.path || '%'
                       AND NOT (known AND coalesce(h.channel_id, 0) = a_channel AND h.order_ref = a_order
                                AND h.line_ref = ANY(a_lines))), 0);
                kind := 'free'; product := want.product_id; place := around.path; amount := free;
                RETURN NEXT;
                -- All that is wanted within; safety stock and others' shares are left in the place itself only.
                refused := refused OR free + 1e-6 < (
                    SELECT sum(w.quantity) + CASE WHEN around.path = want.parent_path THEN want.keep ELSE 0 END
                      FROM unnest(a_products, a_locations, a_quantities) AS w(product_id, location_id, quantity)
                      JOIN stock_location l ON l.id = w.location_id
                     WHERE w.product_id = want.product_id AND l.parent_path LIKE around.path || '%');
            END LOOP;
        END LOOP;

        -- Limits on sales count what was promised since they began, kept or not.
        FOR cap IN
            SELECT * FROM unnest(a_cap_refs, a_cap_channels, a_cap_customers, a_cap_since, a_cap_lefts, a_cap_wanted)
                          AS c(number, channel_id, customer, since, cap_left, wanted)
        LOOP
            free := cap.cap_left - coalesce((
                SELECT sum(CASE WHEN h.kit_id IS NULL THEN h.quantity ELSE h.kit_quantity END)
                  FROM unnest(a_capped_refs, a_capped_products) AS k(number, product_id)
                  JOIN bridge_hold h ON coalesce(h.kit_id, h.product_id) = k.product_id
                 WHERE k.number = cap.number AND h.state IN ('active', 'done') AND h.claimed_at >= cap.since
                   AND (cap.channel_id = 0 OR h.channel_id = cap.channel_id)
                   AND (cap.customer = '' OR h.customer = cap.customer)
                   AND NOT (coalesce(h.channel_id, 0) = a_channel AND h.order_ref = a_order
                            AND h.line_ref = ANY(a_lines))), 0);
            kind := 'cap'; ref := cap.number; amount := free;
            RETURN NEXT;
            refused := refused OR cap.wanted > free + 1e-6;
        END LOOP;
        EXIT WHEN NOT refused OR attempt = 2;

        -- What expired makes room. SKIP LOCKED: a promise that is just being kept is not ours to end.
        RETURN QUERY
        WITH ended AS (
            UPDATE bridge_hold SET state = 'expired', ended_at = a_now
             WHERE id IN (SELECT id FROM bridge_hold WHERE product_id = ANY(products) AND state = 'active'
                             AND expires_at <= a_now ORDER BY id FOR UPDATE SKIP LOCKED)
            RETURNING location_id, product_id)
        SELECT 'changed', location_id::text, product_id, NULL::text, 0::float8 FROM ended;
        EXIT WHEN NOT FOUND;
    END LOOP;
    IF refused THEN
        kind := 'refused';
        RETURN NEXT;
        RETURN;
    END IF;

    IF known THEN
        -- What a line wanted before and does not any more.
        RETURN QUERY
        WITH dropped AS (
            UPDATE bridge_hold h SET state = 'released', ended_at = a_now
             WHERE coalesce(h.channel_id, 0) = a_channel AND h.order_ref = a_order AND h.state = 'active'
               AND h.line_ref = ANY(a_lines)
               AND NOT EXISTS (SELECT FROM unnest(a_lines, a_products) AS w(line_ref, product_id)
                                WHERE w.line_ref = h.line_ref AND w.product_id = h.product_id)
            RETURNING h.location_id, h.product_id)
        SELECT 'changed', location_id::text, product_id, NULL::text, 0::float8 FROM dropped;
    END IF;
    RETURN QUERY
    INSERT INTO bridge_hold (channel_id, company_id, store_id, order_ref, line_ref, product_id, location_id, quantity,
                             kit_id, kit_quantity, customer, purpose, source, state, expires_at, claimed_at)
    SELECT nullif(a_channel, 0), a_company, a_store, a_order, w.line_ref, w.product_id, w.location_id, w.quantity,
           nullif(w.kit_id, 0), w.kit_quantity, a_customer, a_purpose, 'hand', 'active', a_expires, a_now
      FROM unnest(a_lines, a_products, a_locations, a_quantities, a_kits, a_kit_quantities)
           AS w(line_ref, product_id, location_id, quantity, kit_id, kit_quantity)
        ON CONFLICT (coalesce(channel_id, 0), order_ref, line_ref, product_id) DO UPDATE
       SET quantity = excluded.quantity, location_id = excluded.location_id, store_id = excluded.store_id,
           kit_id = excluded.kit_id, kit_quantity = excluded.kit_quantity, customer = excluded.customer,
           purpose = excluded.purpose, source = 'hand', state = 'active', expires_at = excluded.expires_at,
           claimed_at = CASE WHEN bridge_hold.state = 'active' THEN bridge_hold.claimed_at ELSE excluded.claimed_at END,
           ended_at = NULL
    RETURNING 'granted', line_ref::text, product_id, NULL::text, quantity::float8;
END $$
"""
)

CALL = """
    SELECT * FROM bridge_claim(
        %(channel_id)s, %(company_id)s, %(store_id)s, %(order_ref)s, %(customer)s, %(purpose)s,
        %(expires_at)s::timestamp, %(now)s::timestamp,
        %(line_refs)s::text[], %(products)s::int[], %(locations)s::int[], %(quantities)s::float8[], %(keeps)s::float8[],
        %(kits)s::int[], %(kit_quantities)s::float8[],
        %(cap_refs)s::int[], %(cap_channels)s::int[], %(cap_customers)s::text[], %(cap_since)s::timestamp[],
        %(cap_lefts)s::float8[], %(cap_wanted)s::float8[], %(capped_refs)s::int[], %(capped_products)s::int[])
"""
