# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from decimal import Decimal, InvalidOperation

from odoo import models

from ..booking import Missing


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    def _tax_for(self, rate):
        """The sales tax to book ``rate`` (percent) with; empty when untaxed, unknown or not exactly one."""
        self.ensure_one()
        return self._taxes_for([rate])[0].get(_percent(rate), self.env["account.tax"])

    def _taxes_for(self, rates):
        """Taxes of many rates at once.

        :return: ({rate as Decimal: account.tax (empty: no tax)}, {rate as Decimal: Missing})
        """
        self.ensure_one()
        taxes = self.tax_ids
        if not taxes:
            domain = [*self.env["account.tax"]._check_company_domain(self.company_id), ("type_tax_use", "=", "sale")]
            taxes = self.env["account.tax"].search(domain).filtered("price_include")
        found, missing = {}, {}
        for rate in {_percent(rate) for rate in rates} - {None}:
            fitting = taxes.filtered(lambda t, r=rate: t.amount_type == "percent" and Decimal(str(t.amount)) == r)
            if len(fitting) == 1:
                found[rate] = fitting
            elif not rate:
                found[rate] = taxes.browse()
            else:
                missing[rate] = self._missing_tax(rate, fitting)
        return found, missing

    def _missing_tax(self, rate, fitting):
        text = f"{rate.normalize() + 0:f}"
        if fitting:
            name = self.env._(
                "Several sales taxes have %(rate)s%% (%(names)s): choose one on the channel",
                rate=text, names=", ".join(fitting.mapped("name")),
            )  # fmt: skip
        else:
            name = self.env._(
                "No sales tax of %s%% whose price includes tax: make one, or choose one on the channel", text
            )
        return Missing("tax", text, name, {"tax_rate": text})


def _percent(rate):
    try:
        return None if rate is None or rate == "" else Decimal(str(rate))
    except InvalidOperation:
        return None
