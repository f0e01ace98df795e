# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models


class BridgeClosing(models.Model):
    """What people read of a business day: the receipts beside the journal entry, rate by rate."""

    _inherit = "bridge.closing"

    tie_out = fields.Html("Receipts and journal entry", compute="_compute_tie_out", sanitize=False)

    @api.depends("expected", "booked")
    @api.depends_context("lang")
    def _compute_tie_out(self):
        for closing in self:
            closing.tie_out = self.env["ir.qweb"]._render(
                "pos_erp_bridge.closing_tie_out", {"rows": closing._tie_out_rows()}
            )

    def _tie_out_rows(self):
        """[(what, receipts, entry, difference, whether they differ)] of a closed day."""
        if not self.booked:
            return []
        said, booked = self.expected or {}, self.booked
        rows = [self._tie_out_row(self.env._("Total"), said.get("total"), booked.get("total"))]
        said_rates, booked_rates = said.get("taxes") or {}, booked.get("taxes") or {}
        for rate in sorted({*said_rates, *booked_rates}, key=float):
            pairs = zip(said_rates.get(rate, (0, 0)), booked_rates.get(rate, (0, 0)), strict=True)
            names = self.env._("%s%% including tax", rate), self.env._("Tax of %s%%", rate)
            rows += [self._tie_out_row(name, *pair) for name, pair in zip(names, pairs, strict=True)]
        return rows

    def _tie_out_row(self, what, said, booked):
        said, booked = float(said or 0), float(booked or 0)
        texts = (self.currency_id.format(amount) for amount in (said, booked, said - booked))
        return (what, *texts, not self.currency_id.is_zero(said - booked))
