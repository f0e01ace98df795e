# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Products, customers and stores a channel tells of: matched and bound. Odoo stays the master of all three."""

from odoo import models

from ..booking import Outcome, Plan
from ..fiscal.order_amounts import plain


class BridgeBookingProduct(models.AbstractModel):
    """A product is bound to the one it is in Odoo; nothing of the Odoo product changes."""

    _name = "bridge.booking.product"
    _inherit = "bridge.booking"
    _description = "Matching of products"

    _entity = "product"

    def _plan(self, channel, items):
        found, missing = self.env["bridge.matcher"]._peek_products(channel, [item.record.ref for item in items])
        notes = self._notes(channel, items, found) if channel.state == "rehearse" else {}
        result = {}
        for item in items:
            record = item.record
            need = missing.get(record.ref.external_id)
            if need is None:
                result[item] = Plan(record, "product.product", note=notes.get(found[record.ref.external_id].id, ""))
            elif not record.active:
                # Nobody has to decide about what is no longer sold.
                result[item] = Outcome("skipped", "ignored", message=self.env._("No longer sold, and unknown here."))
            else:
                need.hints.update(self._hints(record))
                result[item] = Outcome("waiting", missing=(need,), message=need.name)
        return result

    def _notes(self, channel, items, found):
        """{product id: how the channel's product differs from Odoo's}, for the rehearsal's report."""
        told = {}
        for item in items:
            product = found.get(item.record.ref.external_id)
            if product and (said := self.env["bridge.binding"]._prepare_told(item.record)):
                told.setdefault(product.id, []).append(said)
        mismatch, notes = self.env["bridge.mismatch"], {}
        products = self.env["product.product"].browse(told)
        for (product_id, field), vals in mismatch._differences(channel, products, told).items():
            row = mismatch.new({"channel_id": channel.id, "product_id": product_id, "field": field, **vals})
            notes.setdefault(product_id, []).append(row._sentence())
        return {product_id: "\n".join(sentences) for product_id, sentences in notes.items()}

    def _hints(self, record):
        known = {"price": record.price, "tax_rate": record.tax_rate}
        return {"stock_id": record.stock_id} | {
            name: plain(value) for name, value in known.items() if value is not None
        }

    def _execute(self, channel, plans):
        records = {item: plan.vals for item, plan in plans.items()}
        stock_ids = {record.ref.external_id: record.stock_id or False for record in records.values()}
        known = self.env["bridge.binding"]._get(channel, "product", stock_ids)
        # A document may have bound the product before the catalogue told where its stock is kept.
        moved = [b for key, b in known.items() if stock_ids[key] and b.stock_external_id != stock_ids[key]]
        for binding in moved:
            binding.stock_external_id = stock_ids[binding.external_id]
        found, _missing = self.env["bridge.matcher"]._match_products(
            channel, [r.ref for r in records.values()], stock_ids
        )
        told = self.env["product.product"].union(
            *(product for key, product in found.items() if key not in known), *(b._record() for b in moved)
        )
        self.env["bridge.touch"]._touch_products(channel, told)
        bindings = self.env["bridge.binding"]._get(channel, "product", stock_ids)
        outcomes = {}
        for item, record in records.items():
            key = record.ref.external_id
            told = {"told": bindings[key]._prepare_told(record), "compare_due": True}
            bindings[key].write({"version": item.event.external_version, "digest": item.digest, **told})
            outcomes[item] = Outcome("done", "updated" if key in known else "created", found[key])
        channel._wake("outward")  # it compares them with Odoo's
        return outcomes


class BridgeBookingCustomer(models.AbstractModel):
    """A customer becomes a contact; later only what is empty is filled, so that nothing a person wrote is lost."""

    _name = "bridge.booking.customer"
    _inherit = "bridge.booking"
    _description = "Booking of customers"

    _entity = "customer"

    def _plan(self, channel, items):
        result = {}
        for item in items:
            if not item.record.external_id:
                result[item] = Outcome("skipped", "ignored", message=self.env._("A guest; known by the order."))
            elif not item.binding and not channel.create_customers:
                message = self.env._("Contacts are made with the first order only.")
                result[item] = Outcome("skipped", "ignored", message=message)
            else:
                result[item] = Plan(item.record, "res.partner")
        return result

    def _execute(self, channel, plans):
        contact = self.env["bridge.contact"]
        values = {
            item: contact._prepare_customer(channel, plan.vals, plan.vals.address)
            | {"name": plan.vals.name or plan.vals.email or plan.vals.external_id}
            for item, plan in plans.items()
        }
        outcomes, new = {}, []
        for item in plans:
            partner = item.binding and item.binding._record()
            if not partner:
                new.append(item)
                continue
            empty = {name: value for name, value in values[item].items() if value and not partner[name]}
            partner.sudo().write(empty)
            outcomes[item] = Outcome("done", "updated" if empty else "unchanged", partner, entity="customer")
        partners = self.env["res.partner"].sudo().create([values[item] for item in new])
        for item, partner in zip(new, partners, strict=True):
            outcomes[item] = Outcome("done", "created", partner, entity="customer")
        return outcomes


class BridgeBookingStore(models.AbstractModel):
    """A store the channel tells of waits, among its stores, for somebody to say where it lies."""

    _name = "bridge.booking.store"
    _inherit = "bridge.booking"
    _description = "Learning of stores"

    def _plan(self, channel, items):
        return {item: Plan(item.record, "bridge.store") for item in items}

    def _execute(self, channel, plans):
        new = self.env["bridge.store"]._learn(channel, [plan.vals for plan in plans.values()])
        stores = {store.external_id: store for store in channel.with_context(active_test=False).store_ids}
        return {
            item: Outcome(
                "done",
                "created" if stores[plan.vals.external_id] in new else "unchanged",
                stores[plan.vals.external_id],
            )
            for item, plan in plans.items()
        }
