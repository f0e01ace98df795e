# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The claim: gate, condition and promise in one call.

A function in the database: one round trip, and only the statements that are needed are planned (Odoo's pool forgets all
plans whenever a connection is handed out, so planning is most of what a claim costs). They run one after the other, and
at READ COMMITTED each sees what was committed before it began. Behind the gate the numbers are the newest there are,
and nobody changes them. (A counter updated by one statement would be read anew after waiting for its row, but the stock
it is compared with would not. So there is no counter: what is promised is the sum of the promises.)

The numbers are looked at twice: before the gate, for whoever cannot be served need not queue, and behind it, where the
plan is ready and the look is quick.
"""

# Stock moves (m) that are confirmed to bring goods into a place ({path}: pattern of paths) from outside of it, by way
# of other places where a warehouse receives in steps; a chain counts once. What customers bring back is no purchase.
COMING = """
    m.state IN ('waiting', 'confirmed', 'partially_available', 'assigned')
    AND EXISTS (
        SELECT FROM stock_location s, stock_location d
         WHERE s.id = m.location_id AND d.id = m.location_dest_id AND s.parent_path NOT LIKE {path}
           AND s.usage NOT IN ('customer', 'inventory')
           AND (d.parent_path LIKE {path}
                OR (EXISTS (SELECT FROM stock_location f WHERE f.id = m.location_final_id AND f.parent_path LIKE {path})
                    AND NOT EXISTS (SELECT FROM stock_move_move_rel r JOIN stock_move n ON n.id = r.move_dest_id
                                     WHERE r.move_orig_id = m.id AND n.state NOT IN ('done', 'cancel')))))
"""

DROP = """
DO $$ DECLARE old text; BEGIN
    FOR old IN SELECT oid::regprocedure::text FROM pg_proc WHERE proname = 'bridge_claim' LOOP
        EXECUTE 'DROP FUNCTION ' || old;
    END LOOP;
END $$;
"""

# What is left in each place: of goods at hand, or of those to come.
NUMBERS = """
    SELECT w.product_id, w.path, w.needed,
           coalesce(sum(s.quantity) FILTER (WHERE l.parent_path LIKE w.path || '%'), 0){coming} AS free,
           coalesce(bool_or(s.expires_at <= a_now), false) AS late,
           array_agg(DISTINCT l.parent_path) FILTER (
               WHERE s.is_promise AND w.path LIKE l.parent_path || '_%') AS around
      FROM unnest(a_place_products, a_place_paths, a_place_needs) AS w(product_id, path, needed)
      LEFT JOIN LATERAL (
        {stock}
        SELECT location_id, -sum(quantity) AS quantity, true AS is_promise, min(expires_at) AS expires_at
          FROM bridge_hold
         WHERE product_id = w.product_id AND state = 'active' AND source = a_source
           AND NOT (coalesce(channel_id, 0) = a_channel AND order_ref = a_order AND line_ref = ANY(a_lines))
         GROUP BY location_id
        ) s ON true
      LEFT JOIN stock_location l ON l.id = s.location_id
     GROUP BY w.product_id, w.path, w.needed
"""
STOCK = """
        SELECT location_id, quantity - reserved_quantity AS quantity, false AS is_promise, NULL::timestamp AS expires_at
          FROM stock_quant WHERE product_id = w.product_id
         UNION ALL
"""
# What came in already of preorders that are asked for again is theirs, and need not come.
ARRIVED = """ + coalesce((
        SELECT sum(least(v.quantity, here.quantity))
          FROM unnest(a_lines, a_products, a_locations, a_paths, a_quantities)
               AS v(line_ref, product_id, location_id, path, quantity)
          JOIN LATERAL (
            SELECT coalesce(sum(h.quantity), 0) AS quantity FROM bridge_hold h
             WHERE coalesce(h.channel_id, 0) = a_channel AND h.order_ref = a_order AND h.line_ref = v.line_ref
               AND h.product_id = v.product_id AND h.location_id = v.location_id
               AND h.state = 'active' AND h.source = 'hand' AND h.is_preorder) here ON true
         WHERE v.product_id = w.product_id AND v.path LIKE w.path || '%'), 0)::numeric"""
NUMBERS_AT_HAND = NUMBERS.format(stock=STOCK, coming="")
NUMBERS_TO_COME = NUMBERS.format(
    stock="",
    coming=" + coalesce((SELECT sum(m.product_qty) FROM stock_move m WHERE m.product_id = w.product_id AND "
    + COMING.format(path="w.path || '%'")
    + "), 0)"
    + ARRIVED,
)

CREATE = (
    DROP
    + """
-- Places: (product, path of a place, all that is wanted of it and of places within + what must be left there).
-- Gates: products, in order; limits over several products have their queue at the first of them.
-- Rows: ('granted', line ref, product, –, quantity) for all that was promised; none when refused.
-- A preorder that came in in part is granted in as many rows as it has parts.
-- ('kept', line ref, product, –, quantity): became reservations already; nothing was done, ask for the rest.
-- ('free', –, product, path of a place, quantity there) and ('cap', number, –, –, left): what it was decided by.
-- ('mixed', –, –, –, –): nothing was done, for some of it is a kit or keeps no stock, and it was said to be plain.
-- ('changed', location, product, –, –): promises that ended. ('refused', –, –, –, –).
CREATE FUNCTION bridge_claim(
    a_channel int, a_company int, a_store int, a_order text, a_customer text, a_purpose text,
    a_source text, a_expires timestamp, a_now timestamp, a_queues boolean, a_is_plain boolean, a_has_boms boolean,
    a_gates int[],
    a_lines text[], a_products int[], a_locations int[], a_paths text[], a_quantities float8[],
    a_kits int[], a_kit_quantities float8[],
    a_place_products int[], a_place_paths text[], a_place_needs float8[],
    a_cap_refs int[], a_cap_channels text[], a_cap_customers text[], a_cap_since timestamp[], a_cap_lefts float8[],
    a_cap_wanted float8[], a_cap_preorders bool[], a_capped_refs int[], a_capped_products int[],
    a_touch_channels int[], a_touch_stores int[], a_touch_products int[])
RETURNS TABLE (kind text, ref text, product int, place text, amount float8) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    gate int;
    behind boolean := false;  -- the gate
    swept boolean := false;
    known boolean;
    refused boolean;
    late boolean;  -- something expired that would make room
    found_around boolean;
    around text;
    numbers refcursor;
    row record;
    arrived record;
    part float8;
    kept int[] := '{}';  -- ids of what came in and stays
    cap record;
    cap_left float8;
BEGIN
    IF a_is_plain THEN
        IF EXISTS (SELECT FROM product_product p JOIN product_template t ON t.id = p.product_tmpl_id
                    WHERE p.id = ANY(a_products) AND t.is_storable IS NOT TRUE) THEN
            kind := 'mixed';
        ELSIF a_has_boms THEN  -- the table exists with manufacturing only
            IF EXISTS (SELECT FROM product_product p JOIN mrp_bom b ON b.product_tmpl_id = p.product_tmpl_id
                        WHERE p.id = ANY(a_products) AND b.type = 'phantom') THEN
                kind := 'mixed';
            END IF;
        END IF;
        IF kind = 'mixed' THEN
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;

    LOOP
        IF a_queues AND NOT behind THEN
            FOREACH gate IN ARRAY a_gates LOOP
                UPDATE bridge_gate SET passed = passed + 1 WHERE product_id = gate;
                IF NOT FOUND THEN  -- nobody asked for it yet
                    INSERT INTO bridge_gate (product_id, passed)
                    SELECT id, 0 FROM product_product WHERE id = gate ON CONFLICT (product_id) DO NOTHING;
                    UPDATE bridge_gate SET passed = passed + 1 WHERE product_id = gate;
                END IF;
            END LOOP;
            behind := true;
        END IF;

        known := EXISTS (SELECT FROM bridge_hold WHERE coalesce(channel_id, 0) = a_channel AND order_ref = a_order
                            AND line_ref = ANY(a_lines) AND state IN ('active', 'done'));
        IF known THEN
            IF behind THEN  -- from here on nobody ends a part of what is being counted
                PERFORM FROM bridge_hold WHERE coalesce(channel_id, 0) = a_channel AND order_ref = a_order
                    AND line_ref = ANY(a_lines) AND state = 'active' ORDER BY id FOR UPDATE;
            END IF;
            RETURN QUERY
            SELECT 'kept', h.line_ref::text, h.product_id, NULL::text, sum(h.quantity)::float8
              FROM bridge_hold h JOIN unnest(a_lines, a_products) AS w(line_ref, product_id)
                ON h.line_ref = w.line_ref AND h.product_id = w.product_id
             WHERE coalesce(h.channel_id, 0) = a_channel AND h.order_ref = a_order AND h.state IN ('active', 'done')
             GROUP BY h.line_ref, h.product_id HAVING bool_or(h.state = 'done');
            IF FOUND THEN
                RETURN;
            END IF;
        END IF;

        refused := false;
        late := false;
        LOOP
            found_around := false;
            IF a_source = 'hand' THEN
                OPEN numbers FOR """
    + NUMBERS_AT_HAND
    + """;
            ELSE
                OPEN numbers FOR """
    + NUMBERS_TO_COME
    + """;
            END IF;
            LOOP
                FETCH numbers INTO row;
                EXIT WHEN NOT FOUND;
                kind := 'free'; product := row.product_id; place := row.path; amount := row.free;
                RETURN NEXT;
                refused := refused OR row.free + 1e-6 < row.needed;
                late := late OR row.late;
                -- A promise made for a whole (a warehouse) is one of its parts (a shelf) too: so places around it
                -- count where something of them was promised.
                FOREACH around IN ARRAY coalesce(row.around, '{}') LOOP
                    IF NOT EXISTS (SELECT FROM unnest(a_place_products, a_place_paths) AS w(product_id, path)
                                    WHERE w.product_id = row.product_id AND w.path = around) THEN
                        a_place_products := a_place_products || row.product_id;
                        a_place_paths := a_place_paths || around;
                        a_place_needs := a_place_needs || (
                            SELECT sum(w.quantity) FROM unnest(a_products, a_paths, a_quantities)
                                AS w(product_id, path, quantity)
                             WHERE w.product_id = row.product_id AND w.path LIKE around || '%');
                        found_around := true;
                    END IF;
                END LOOP;
            END LOOP;
            CLOSE numbers;
            EXIT WHEN NOT found_around;
        END LOOP;

        -- Limits on sales count what was promised since they began, kept or not.
        IF cardinality(a_cap_refs) > 0 THEN
            late := true;
            FOR cap IN
                SELECT * FROM unnest(a_cap_refs, a_cap_channels, a_cap_customers, a_cap_since, a_cap_lefts,
                                     a_cap_wanted,
                                     a_cap_preorders)
                              AS c(number, channels, customer, since, cap_left, wanted, is_preorder)
            LOOP
                cap_left := cap.cap_left - coalesce((
                    SELECT sum(CASE WHEN h.kit_id IS NULL THEN h.quantity ELSE h.kit_quantity END)
                      FROM unnest(a_capped_refs, a_capped_products) AS k(number, product_id)
                      JOIN bridge_hold h ON coalesce(h.kit_id, h.product_id) = k.product_id
                     WHERE k.number = cap.number AND h.state IN ('active', 'done') AND h.claimed_at >= cap.since
                       AND (cap.channels = '' OR cap.channels LIKE '%,' || h.channel_id || ',%')
                       AND (h.is_preorder OR NOT cap.is_preorder)
                       AND (cap.customer = '' OR h.customer = cap.customer)
                       AND NOT (coalesce(h.channel_id, 0) = a_channel AND h.order_ref = a_order
                                AND h.line_ref = ANY(a_lines))), 0);
                kind := 'cap'; ref := cap.number; amount := cap_left;
                RETURN NEXT;
                refused := refused OR cap.wanted > cap_left + 1e-6;
            END LOOP;
        END IF;

        IF refused AND (swept OR NOT late) THEN
            kind := 'refused';
            RETURN NEXT;
            RETURN;
        END IF;
        EXIT WHEN behind AND NOT refused;
        IF behind THEN
            -- What expired makes room. SKIP LOCKED: a promise that is just being kept is not ours to end.
            RETURN QUERY
            WITH ended AS (
                UPDATE bridge_hold SET state = 'expired', ended_at = a_now
                 WHERE id IN (SELECT id FROM bridge_hold WHERE product_id = ANY(a_gates || a_capped_products)
                                 AND state = 'active' AND expires_at <= a_now ORDER BY id FOR UPDATE SKIP LOCKED)
                RETURNING location_id, product_id)
            SELECT 'changed', location_id::text, product_id, NULL::text, 0::float8 FROM ended;
            swept := true;
        END IF;
        a_queues := true;
    END LOOP;

    IF known AND a_source = 'incoming' THEN
        -- What came in already stays the line's, beside the row that waits for the rest.
        FOR number IN 1 .. cardinality(a_lines) LOOP
            FOR arrived IN
                SELECT id, quantity::float8 AS quantity FROM bridge_hold
                 WHERE coalesce(channel_id, 0) = a_channel AND order_ref = a_order AND line_ref = a_lines[number]
                   AND product_id = a_products[number] AND location_id = a_locations[number]
                   AND state = 'active' AND source = 'hand' AND is_preorder ORDER BY arrival
            LOOP
                part := least(arrived.quantity, a_quantities[number]);
                EXIT WHEN part <= 1e-6;
                UPDATE bridge_hold h
                   SET quantity = part, kit_quantity = h.kit_quantity * (part / arrived.quantity)::numeric,
                       store_id = a_store, customer = a_customer, purpose = a_purpose, expires_at = a_expires,
                       arrival = CASE WHEN h.arrival > 0 THEN h.arrival ELSE (
                           SELECT max(o.arrival) + 1 FROM bridge_hold o
                            WHERE coalesce(o.channel_id, 0) = a_channel AND o.order_ref = a_order
                              AND o.line_ref = h.line_ref AND o.product_id = h.product_id) END
                 WHERE h.id = arrived.id;
                kept := kept || arrived.id;
                a_kit_quantities[number] := a_kit_quantities[number] * (1 - part / a_quantities[number]);
                a_quantities[number] := a_quantities[number] - part;
                kind := 'granted'; ref := a_lines[number]; product := a_products[number]; amount := part;
                RETURN NEXT;
            END LOOP;
            IF a_quantities[number] <= 1e-6 THEN
                a_quantities[number] := 0;
            END IF;
        END LOOP;
    END IF;
    IF known THEN
        -- What a line wanted before and does not any more.
        RETURN QUERY
        WITH dropped AS (
            UPDATE bridge_hold h SET state = 'released', ended_at = a_now
             WHERE coalesce(h.channel_id, 0) = a_channel AND h.order_ref = a_order AND h.state = 'active'
               AND h.line_ref = ANY(a_lines) AND h.id <> ALL(kept)
               AND (h.arrival > 0 OR NOT EXISTS (
                        SELECT FROM unnest(a_lines, a_products, a_quantities) AS w(line_ref, product_id, quantity)
                         WHERE w.line_ref = h.line_ref AND w.product_id = h.product_id AND w.quantity > 0))
            RETURNING h.location_id, h.product_id)
        SELECT 'changed', location_id::text, product_id, NULL::text, 0::float8 FROM dropped;
    END IF;
    RETURN QUERY
    INSERT INTO bridge_hold (channel_id, company_id, store_id, order_ref, line_ref, arrival, product_id, location_id,
                             quantity, kit_id, kit_quantity, customer, purpose, source, is_preorder, state, expires_at,
                             claimed_at)
    SELECT nullif(a_channel, 0), a_company, a_store, a_order, w.line_ref, 0, w.product_id, w.location_id, w.quantity,
           nullif(w.kit_id, 0), w.kit_quantity, a_customer, a_purpose, a_source,
           a_source = 'incoming', 'active', a_expires, a_now
      FROM unnest(a_lines, a_products, a_locations, a_quantities, a_kits, a_kit_quantities)
           AS w(line_ref, product_id, location_id, quantity, kit_id, kit_quantity)
     WHERE w.quantity > 0
        ON CONFLICT (coalesce(channel_id, 0), order_ref, line_ref, product_id, arrival) DO UPDATE
       SET quantity = excluded.quantity, location_id = excluded.location_id, store_id = excluded.store_id,
           kit_id = excluded.kit_id, kit_quantity = excluded.kit_quantity, customer = excluded.customer,
           purpose = excluded.purpose, source = excluded.source, is_preorder = excluded.is_preorder, state = 'active',
           expires_at = excluded.expires_at,
           claimed_at = CASE WHEN bridge_hold.state = 'active' THEN bridge_hold.claimed_at ELSE excluded.claimed_at END,
           ended_at = NULL
     WHERE bridge_hold.state <> 'done'  -- it became a reservation while we waited for its row: ask again
    RETURNING 'granted', line_ref::text, product_id, NULL::text, quantity::float8;
    -- The channels hear of it.
    INSERT INTO bridge_touch (channel_id, store_id, product_id, own_quantity)
    SELECT *, 0 FROM unnest(a_touch_channels, a_touch_stores, a_touch_products);
END $$
"""
)

CALL = """
    SELECT * FROM bridge_claim(
        %(channel_id)s, %(company_id)s, %(store_id)s, %(order_ref)s, %(customer)s, %(purpose)s,
        %(source)s, %(expires_at)s::timestamp, %(now)s::timestamp, %(queues)s, %(is_plain)s, %(has_boms)s,
        %(gates)s::int[],
        %(line_refs)s::text[], %(products)s::int[], %(locations)s::int[], %(paths)s::text[], %(quantities)s::float8[],
        %(kits)s::int[], %(kit_quantities)s::float8[],
        %(place_products)s::int[], %(place_paths)s::text[], %(place_needs)s::float8[],
        %(cap_refs)s::int[], %(cap_channels)s::text[], %(cap_customers)s::text[], %(cap_since)s::timestamp[],
        %(cap_lefts)s::float8[], %(cap_wanted)s::float8[], %(cap_preorders)s::bool[], %(capped_refs)s::int[],
        %(capped_products)s::int[],
        %(touch_channels)s::int[], %(touch_stores)s::int[], %(touch_products)s::int[])
"""
