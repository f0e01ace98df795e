# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models
from odoo.exceptions import UserError

TARGETS = {
    "product": "product.product",
    "store": "bridge.store",
    "tender": "pos.payment.method",
    "customer": "res.partner",
    "tax": "account.tax",
}


class BridgeWorkItem(models.Model):
    """A mapping somebody has to decide. Deciding it retries everything that waited."""

    _name = "bridge.work.item"
    _description = "Mapping to decide"
    _order = "state, id desc"

    name = fields.Char(required=True)
    channel_id = fields.Many2one("bridge.channel", required=True, ondelete="cascade", index=True, readonly=True)
    company_id = fields.Many2one(related="channel_id.company_id", store=True, index=True)
    entity = fields.Selection(
        [
            ("product", "Product"),
            ("store", "Store"),
            ("tender", "Means of payment"),
            ("customer", "Customer"),
            ("tax", "Tax rate"),
        ],
        required=True,
        readonly=True,
    )
    external_id = fields.Char("Id at the channel", required=True, readonly=True)
    hints = fields.Json(readonly=True)
    hint_text = fields.Char("What the channel says", compute="_compute_hint_text")
    state = fields.Selection(
        [("open", "To decide"), ("done", "Decided"), ("dismissed", "Dismissed")],
        default="open",
        required=True,
        readonly=True,
    )
    event_ids = fields.Many2many("bridge.event", readonly=True)
    event_count = fields.Integer("Waiting", compute="_compute_event_count")
    product_id = fields.Many2one("product.product", "Map to product")
    candidate_ids = fields.Many2many("product.product", string="Candidates", readonly=True)
    payment_method_id = fields.Many2one("pos.payment.method", "Map to payment method")
    journal_id = fields.Many2one("account.journal", "Map to journal", domain="[('type', 'in', ('bank', 'cash'))]")
    channel_kind = fields.Selection(related="channel_id.kind")

    _open_uniq = models.UniqueIndex(
        "(channel_id, entity, external_id) WHERE state = 'open'", "This is waiting to be decided already."
    )

    @api.depends("hints")
    @api.depends_context("lang")
    def _compute_hint_text(self):
        labels = {
            "barcode": self.env._("Barcode"),
            "sku": self.env._("SKU"),
            "name": self.env._("Name"),
            "price": self.env._("Price"),
            "tax_rate": self.env._("Tax rate"),
            "stock_id": self.env._("Stock id"),
            "kind": self.env._("Kind"),
        }
        for item in self:
            known = ((labels.get(key, key), value) for key, value in (item.hints or {}).items())
            item.hint_text = ", ".join(f"{label}: {value}" for label, value in known if value not in ("", None))

    @api.depends("event_ids.state")
    def _compute_event_count(self):
        for item in self:
            item.event_count = len(item.event_ids.filtered(lambda e: e.state == "waiting"))

    @api.model
    def _need(self, channel, missing_by_event):
        """Open one item per missing mapping and hang the waiting events on it.

        :param missing_by_event: {bridge.event: iterable of Missing}
        """
        wanted = {}
        for event, missing in missing_by_event.items():
            for need in missing:
                wanted.setdefault((need.entity, need.external_id), (need, []))[1].append(event.id)
        if not wanted:
            return self
        open_items = self.search([("channel_id", "=", channel.id), ("state", "=", "open")])
        known = {(item.entity, item.external_id): item for item in open_items}
        for key, (_need, event_ids) in wanted.items():
            if key in known:
                known[key].event_ids = [fields.Command.link(i) for i in event_ids]
        return self.create(
            [
                {
                    "name": need.name,
                    "channel_id": channel.id,
                    "entity": need.entity,
                    "external_id": need.external_id,
                    "hints": need.hints,
                    "candidate_ids": [fields.Command.set(need.candidates.ids)] if need.candidates else False,
                    "event_ids": [fields.Command.set(event_ids)],
                }
                for key, (need, event_ids) in wanted.items()
                if key not in known
            ]
        )

    # -- decisions -------------------------------------------------------------------------------
    def action_map(self):
        """Bind to the record chosen and retry what waited."""
        for item in self.filtered(lambda i: i.state == "open"):
            target = item._target()
            if not target:
                raise UserError(self.env._("Choose what “%s” is first.", item.name))
            item._bind_to(target)
        self._decided()

    def action_create_product(self):
        """Create the product from what the channel says, bind it, retry what waited."""
        for item in self.filtered(lambda i: i.state == "open" and i.entity == "product"):
            hints = item.hints or {}
            item._bind_to(
                self.env["product.product"].create(
                    {
                        "name": hints.get("name") or item.external_id,
                        "barcode": hints.get("barcode") or False,
                        "default_code": hints.get("sku") or False,
                        "list_price": float(hints.get("price") or 0),
                        "is_storable": True,
                        "available_in_pos": True,
                        "taxes_id": [fields.Command.set(item.channel_id._tax_for(hints.get("tax_rate")).ids)],
                        "company_id": item.company_id.id,
                    }
                )
            )
        self._decided()

    def action_dismiss(self):
        self.state = "dismissed"

    def action_retry(self):
        """The thing was mended elsewhere (a tax made, a store mapped): try what waited again."""
        self._decided()

    def action_open_events(self):
        """What waits, or waited, for this."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("pos_erp_bridge.bridge_event_action")
        return action | {"domain": [("id", "in", self.event_ids.ids)], "context": {}}

    def _target(self):
        self.ensure_one()
        if self.entity == "product":
            return self.product_id
        if self.entity == "tender":
            return self.payment_method_id if self.channel_kind == "till" else self.journal_id
        return None

    def _bind_to(self, record):
        self.ensure_one()
        values = {"external_name": self.name}
        if self.hints and self.hints.get("stock_id"):
            values["stock_external_id"] = self.hints["stock_id"]
        self.env["bridge.binding"]._bind(self.channel_id, self.entity, [(self.external_id, record, values)])
        if self.entity == "product":
            self.env["bridge.touch"]._touch_products(self.channel_id, record)

    def _decided(self):
        self.state = "done"
        self.sudo().event_ids.filtered(lambda e: e.state == "waiting").action_retry()


class ProductProduct(models.Model):
    _inherit = "product.product"

    def action_bridge_choose(self):
        """Button beside a candidate of the work item in the context: this is the one."""
        self.ensure_one()
        item = self.env["bridge.work.item"].browse(self.env.context.get("bridge_work_item_id")).exists()
        item.product_id = self
        item.action_map()
