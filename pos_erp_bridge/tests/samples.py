# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""One record of each kind, for tests that go through all models and screens."""

from odoo.fields import Datetime

SAMPLES = []


def sample(make):
    """Register a function (env, store, product) that makes what hangs on a channel's store."""
    SAMPLES.append(make)
    return make


def make_samples(env, store, product):
    for make in SAMPLES:
        make(env, store, product)


@sample
def stock_rule(env, store, product):
    env["bridge.allocation.rule"].create({"name": "Rule", "company_id": store.company_id.id, "safety_quantity": 1})


@sample
def promise(env, store, product):
    env["bridge.hold"].create(
        {
            "channel_id": store.channel_id.id, "company_id": store.company_id.id, "store_id": store.id,
            "order_ref": f"cart {store.id}", "line_ref": "1", "product_id": product.id, "quantity": 1,
            "location_id": env["stock.location"].search([("usage", "=", "internal")], limit=1).id, "purpose": "cart",
        }
    )  # fmt: skip


@sample
def goods(env, store, product):
    channel = store.channel_id
    env["bridge.mismatch"].create({"channel_id": channel.id, "product_id": product.id, "field": "price"})
    env["bridge.season"].create({"name": "Summer", "end_date": "2999-08-31", "product_ids": product.ids})
    env["bridge.sales.limit"].create({"name": "Ten", "cap_total": 10, "product_ids": product.ids})
    env["bridge.preorder"].create({"name": "Tea", "product_ids": product.ids})


@sample
def comparison(env, store, product):
    level = env["bridge.stock.level"].search([("store_id", "=", store.id), ("product_id", "=", product.id)])
    level.state = "held"
    run = env["bridge.agreement"].create({"channel_id": store.channel_id.id, "kind": "demand"})
    env["bridge.agreement.line"].create(
        {"agreement_id": run.id, "channel_id": run.channel_id.id, "level_id": level.id, "shown": 1, "wanted": 2}
    )


@sample
def shortage(env, store, product):
    order = env["sale.order"].create(
        {
            "partner_id": env["res.partner"].create({"name": "Buyer"}).id,
            "company_id": store.company_id.id,
            "order_line": [(0, 0, {"product_id": product.id, "product_uom_qty": 3})],
        }
    )
    env["bridge.shortage"].create(
        {
            "order_id": order.id, "sale_line_id": order.order_line.id, "company_id": store.company_id.id,
            "channel_id": store.channel_id.id, "store_id": store.id, "product_id": product.id, "ordered": 3,
            "missing": 1,
        }
    )  # fmt: skip


@sample
def missing_goods(env, store, product):
    order = env["sale.order"].create(
        {
            "partner_id": env["res.partner"].create({"name": "Buyer"}).id,
            "company_id": store.company_id.id,
            "order_line": [(0, 0, {"product_id": product.id, "product_uom_qty": 2})],
        }
    )
    env["bridge.shortage"].create(
        {
            "order_id": order.id, "sale_line_id": order.order_line.id, "company_id": store.company_id.id,
            "channel_id": store.channel_id.id, "store_id": store.id, "product_id": product.id, "missing": 1,
        }
    )  # fmt: skip


@sample
def fiscal_document(env, store, product):
    Document, company = env["bridge.document"], store.company_id
    content = Document._content(
        Document._issuer(company), Datetime.now(), type="simplified", basis="included", figures={"10": (100, 10)}
    )
    vals = {"content": content, "company_id": company.id, "channel_id": store.channel_id.id}
    Document._issue([vals])._freeze(b"%PDF")


@sample
def books(env, store, product):
    Seal, company = env["bridge.entry.seal"], store.company_id
    journal = env["account.journal"].create({"name": "Sales", "type": "sale", "code": "SMPL", "company_id": company.id})
    env["bridge.tie.out"].create(
        {"company_id": company.id, "journal_id": journal.id, "date": "2026-11-20", "state": "ok"}
    )
    row = {
        "id": Seal._take_ids(1)[0], "company_id": company.id, "move_id": 1, "move_name": "S/1", "kind": "posted",
        "sealed_at": "2026-11-20 03:00:00", "user_id": env.uid,
    }  # fmt: skip
    Seal._append([{**row, "content": {**row, "entry": {}, "lines": {}}}])


@sample
def summary_invoice(env, store, product):
    env["bridge.summary.invoice"].create(
        {
            "company_id": store.company_id.id, "partner_id": env["res.partner"].create({"name": "Buyer"}).id,
            "period_from": "2026-11-01", "closing_date": "2026-11-30",
        }
    )  # fmt: skip
