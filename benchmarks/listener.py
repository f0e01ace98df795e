"""What listening to stock costs the ERP: validating a picking of 50 products on mapped locations, with the addon
(two live channels on that location) and, in the same run and process, without it.

Figures: added_ms_per_product and added_queries (per picking, commit included).
"""

import gc
import time

import _lab

PRODUCTS = 50
ROUNDS = 51


def products_and_type(env):
    products = env["product.product"].create([{"name": f"P{i}", "is_storable": True} for i in range(PRODUCTS)])
    warehouse = env["stock.warehouse"].search([], limit=1)
    env["stock.quant"].create(
        [{"product_id": p.id, "location_id": warehouse.lot_stock_id.id, "quantity": 10_000} for p in products]
    )
    env.cr.commit()
    return products, warehouse


def connect(env, location):
    """Two live channels that sell from the location; their lanes rest, as the listener is what is measured."""
    for index, system in enumerate(("smaregi", "shopify")):
        channel = env["bridge.channel"].create({"name": f"Channel {index}", "system": system})
        env["bridge.store"].create(
            {"name": "S", "channel_id": channel.id, "external_id": "1", "location_id": location.id}
        )
        channel.state = "live"
    env.cr.commit()


def validate(env, products, warehouse):
    """(seconds, queries) of validating and committing one picking."""
    picking = env["stock.picking"].create(
        {
            "picking_type_id": warehouse.out_type_id.id,
            "location_id": warehouse.lot_stock_id.id,
            "location_dest_id": env.ref("stock.stock_location_customers").id,
            "move_ids": [
                (
                    0,
                    0,
                    {
                        "product_id": p.id,
                        "product_uom_qty": 1,
                        "product_uom": p.uom_id.id,
                        "location_id": warehouse.lot_stock_id.id,
                        "location_dest_id": env.ref("stock.stock_location_customers").id,
                    },
                )
                for p in products
            ],
        }
    )
    picking.action_confirm()
    picking.action_assign()
    env.cr.commit()
    env.invalidate_all()
    gc.collect()
    gc.disable()  # its pauses are larger than what is looked for
    queries, start = env.cr.sql_log_count, time.perf_counter()
    picking.button_validate()
    env.cr.commit()
    spent = time.perf_counter() - start
    gc.enable()
    assert picking.state == "done"
    return spent, env.cr.sql_log_count - queries


def main():
    with (
        _lab.database("plain", modules="") as plain_db,
        _lab.database("bridged") as bridged_db,
        _lab.environment(plain_db) as plain,
        _lab.environment(bridged_db) as bridged,
    ):
        sides = []
        for env in (plain, bridged):
            products, warehouse = products_and_type(env)
            if env is bridged:
                connect(env, warehouse.lot_stock_id)
            sides.append((env, products, warehouse))
        runs = [[], []]
        for round_number in range(ROUNDS):
            # Alternate who goes first: the machine's mood falls on both alike.
            for index in (0, 1) if round_number % 2 else (1, 0):
                runs[index].append(validate(*sides[index]))
        runs = [side[2:] for side in runs]  # the first ones fill caches
        touched = bridged["bridge.touch"].search_count([])
        assert touched >= 2 * PRODUCTS * ROUNDS, "the listener noted too little"
        differences = [(b[0] - a[0]) * 1e3 / PRODUCTS for a, b in zip(*runs, strict=True)]
        without, with_addon = (_lab.median([seconds for seconds, _q in side]) * 1e3 / PRODUCTS for side in runs)
        added_queries = _lab.median([b[1] - a[1] for a, b in zip(*runs, strict=True)])
        _lab.figure(
            "added_ms_per_product",
            _lab.median(differences),
            "ms",
            baseline=without,
            ratio=with_addon / without,
            target=0.5,
        )
        _lab.figure("added_queries", added_queries, "queries", baseline=_lab.median([q for _s, q in runs[0]]), target=2)


if __name__ == "__main__":
    main()
