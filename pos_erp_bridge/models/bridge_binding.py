# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models


class BridgeBinding(models.Model):
    """A thing at a channel and the Odoo record it is. Unique by (channel, entity, external id): the
    constraint, not a search, decides who was first."""

    _name = "bridge.binding"
    _description = "Mapping"
    _order = "id desc"
    _rec_name = "external_id"

    channel_id = fields.Many2one("bridge.channel", required=True, ondelete="cascade", index=True)
    company_id = fields.Many2one(related="channel_id.company_id", store=True, index=True)
    entity = fields.Selection(
        [
            ("product", "Product"),
            ("customer", "Customer"),
            ("tender", "Means of payment"),
            ("sale", "Till sale"),
            ("order", "Web order"),
            ("refund", "Refund"),
            ("payment", "Payment"),
            ("cash", "Cash in/out"),
            ("parcel", "Parcel"),
        ],
        required=True,
    )
    external_id = fields.Char("Id at the channel", required=True)
    external_name = fields.Char("Name at the channel")
    stock_external_id = fields.Char("Stock id at the channel", help="Where stock is kept under another id.")
    res_model = fields.Char("Model", required=True)
    res_id = fields.Many2oneReference("Record id", model_field="res_model", required=True, index=True)
    res_ref = fields.Reference(
        selection="_selection_target", string="Odoo record", compute="_compute_res_ref", inverse="_inverse_res_ref"
    )
    version = fields.Char(help="Newest version of the thing that was applied.")
    digest = fields.Char(help="Fingerprint of what was applied; the same again changes nothing.")

    _external_uniq = models.Constraint(
        "UNIQUE(channel_id, entity, external_id)", "This is mapped already on the same channel."
    )
    _record_index = models.Index("(res_model, res_id)")

    @api.model
    def _selection_target(self):
        names = ["product.product", "res.partner", "pos.payment.method", "account.journal", "pos.order", "sale.order"]
        names += ["account.move", "account.payment", "account.bank.statement.line", "stock.picking"]
        return [(name, self.env["ir.model"]._get(name).name) for name in names]

    @api.depends("res_model", "res_id")
    def _compute_res_ref(self):
        for binding in self:
            binding.res_ref = f"{binding.res_model},{binding.res_id}" if binding.res_id else False

    def _inverse_res_ref(self):
        for binding in self.filtered("res_ref"):
            binding.write({"res_model": binding.res_ref._name, "res_id": binding.res_ref.id})

    @api.model
    def _get(self, channel, entity, external_ids):
        """{external id: binding} of those that exist; one query."""
        found = self.sudo().search(
            [("channel_id", "=", channel.id), ("entity", "=", entity), ("external_id", "in", list(external_ids))]
        )
        return {binding.external_id: binding for binding in found}

    @api.model
    def _products_of(self, channel):
        """Products (product.product) the channel sells."""
        found = self.sudo().search_fetch([("channel_id", "=", channel.id), ("entity", "=", "product")], ["res_id"])
        return self.env["product.product"].browse(set(found.mapped("res_id")))

    @api.model
    def _bind(self, channel, entity, rows):
        """Create bindings in one go. ``rows``: iterable of (external id, record, optional extra values)."""
        return self.sudo().create(
            [
                {
                    "channel_id": channel.id,
                    "entity": entity,
                    "external_id": external_id,
                    "res_model": record._name,
                    "res_id": record.id,
                    **(extra[0] if extra else {}),
                }
                for external_id, record, *extra in rows
            ]
        )

    def _record(self):
        """The Odoo record, or None when it was deleted."""
        self.ensure_one()
        return self.env[self.res_model].browse(self.res_id).exists() or None

    def _records(self):
        """{external id: record} of bindings of one model, deleted ones left out; one query."""
        if not self:
            return {}
        found = self.env[self[0].res_model].browse(set(self.mapped("res_id"))).exists()
        # One recordset, so that what is read of one is read of all.
        by_id = dict(zip(found.ids, found, strict=True))
        return {binding.external_id: by_id[binding.res_id] for binding in self if binding.res_id in by_id}
