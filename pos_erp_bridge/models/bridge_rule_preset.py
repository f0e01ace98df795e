# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models
from odoo.exceptions import UserError


class BridgeRulePreset(models.TransientModel):
    """Rules for the usual cases, made in one step; they can be changed afterwards like any other."""

    _name = "bridge.rule.preset"
    _description = "Rules from a preset"

    preset = fields.Selection(
        [
            ("store_first", "Store first: the web sells what the shops can spare"),
            ("web_first", "Web first: the web sells everything, the tills see what is left"),
            ("slow", "Told by file: hours' worth of sales are kept back"),
        ],
        default="store_first",
        required=True,
    )
    company_id = fields.Many2one("res.company", default=lambda self: self.env.company, required=True)
    web_channel_ids = fields.Many2many(
        "bridge.channel",
        string="Channels",
        domain="[('company_id', '=', company_id)]",
        default=lambda self: self.env["bridge.channel"].search(
            [("kind", "=", "web"), ("company_id", "=", self.env.company.id)]
        ),
    )
    safety_quantity = fields.Float("Kept back in each shop", default=1.0)
    web_percent = fields.Float("Of the rest, the web's share (%)", default=100.0)
    safety_hours = fields.Float("Hours kept back", default=4.0)
    explanation = fields.Text(compute="_compute_explanation")

    @api.depends("preset", "safety_quantity", "web_percent", "safety_hours")
    def _compute_explanation(self):
        for preset in self:
            texts = {
                "store_first": self.env._(
                    "Shelves come first: of each product %(safety)g stay in every place, and of the rest the chosen "
                    "channels may sell %(percent)g %%. The last piece belongs to the customer in the shop.",
                    safety=preset.safety_quantity,
                    percent=preset.web_percent,
                ),
                "web_first": self.env._(
                    "The chosen channels may sell everything, and it is kept for them: other channels are told what is "
                    "left. A till can always sell what a customer holds in his hands; then a shortage is reported."
                ),
                "slow": self.env._(
                    "The chosen channels hear of changes hours later. So the sales of %(hours)g hours are kept back in "
                    "every place, by how fast each product sells there, and they may sell %(percent)g %% of the rest.",
                    hours=preset.safety_hours,
                    percent=preset.web_percent,
                ),
            }
            preset.explanation = texts.get(preset.preset, "")

    def action_apply(self):
        """Make the rule of the preset, ahead of nothing else: rules that exist keep their place before it."""
        self.ensure_one()
        if not self.web_channel_ids:
            raise UserError(self.env._("Choose the channels the rule is for."))
        Rule = self.env["bridge.allocation.rule"]
        last = Rule.search([("company_id", "=", self.company_id.id)], order="sequence desc", limit=1)
        labels = dict(self._fields["preset"]._description_selection(self.env))
        Rule.create(
            {
                "name": labels[self.preset].split(":")[0],
                "sequence": last.sequence + 10,
                "company_id": self.company_id.id,
                "channel_ids": [fields.Command.set(self.web_channel_ids.ids)],
                **self._values(),
            }
        )
        return self.env["ir.actions.act_window"]._for_xml_id("pos_erp_bridge.bridge_allocation_rule_action")

    def _values(self):
        share = {"share": "percent", "share_percent": self.web_percent} if self.web_percent < 100 else {"share": "all"}
        if self.preset == "store_first":
            return share | {"safety_quantity": self.safety_quantity}
        if self.preset == "web_first":
            return {"share": "all", "is_exclusive": True}
        return share | {"safety_hours": self.safety_hours}
