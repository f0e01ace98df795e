# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from odoo import api, fields, models

from ..fiscal import calculator, registration
from ..fiscal.documents import return_waiver
from ..fiscal.register import japanese_day, japanese_time

NO_CATEGORY = "0X"  # sold without a tax, or with one consumption tax does not know


@dataclass(frozen=True)
class Issuer:
    """Who issues, as his documents say it."""

    name: str
    address: str
    phone: str
    number: str  # "" where there is none of the right shape
    valid_from: date | None
    valid_to: date | None
    rounding: str

    def number_on(self, day):
        """The registration number, when registered on the day of supply; else ""."""
        is_valid = registration.is_valid_on(day, self.valid_from, self.valid_to)
        return self.number if is_valid else ""


def whole(amount):
    """Yen as int; Odoo keeps them as floats that are whole."""
    return round(amount)


def plain_number(value):
    """A quantity or price as text without exponent or trailing zeros."""
    return f"{Decimal(str(value)).normalize() + 0:f}"


def rate_rows(figures):
    """[{category, percent, is_reduced, base, tax, total}] of {category: (base, tax)}, the highest rate first."""
    rank = calculator.CATEGORIES.index
    return [
        {
            "category": category,
            "percent": calculator.percent_of(category),
            "is_reduced": calculator.is_reduced(category),
            "base": base,
            "tax": tax,
            "total": base + tax,
        }
        for category, (base, tax) in sorted(figures.items(), key=lambda pair: rank(pair[0]))
    ]


class BridgeDocument(models.Model):
    """What every document says, whatever it is about."""

    _inherit = "bridge.document"

    @api.model
    def _issuer(self, company):
        return Issuer(
            name=company.name, address=self._address(company.partner_id), phone=company.phone or "",
            number=company.bridge_registration_number, valid_from=company.bridge_registration_from or None,
            valid_to=company.bridge_registration_to or None, rounding=company.bridge_tax_rounding,
        )  # fmt: skip

    @api.model
    def _address(self, partner):
        zip_code = f"〒{partner.zip}" if partner.zip else ""
        parts = (zip_code, partner.state_id.name, partner.city, partner.street, partner.street2)
        return " ".join(part for part in parts if part)

    @api.model
    def _counterparty(self, partner):
        """Who it is made out to; None for an unknown customer."""
        if not partner:
            return None
        owner = partner.commercial_partner_id
        return {
            "name": owner.name if owner.is_company else partner.name or owner.name or "",
            "honorific": "御中" if owner.is_company else "様",
            "address": self._address(partner),
            "registration_number": owner.vat or "",
        }

    @api.model
    def _content(self, issuer, supply_at, *, figures, supply_date=None, original=None, **more):
        """A document's content, ready to be issued.

        :param supply_at: naive moment in UTC
        :param figures: {category: (base, tax)} in yen, negative for a return
        :param original: {"number", "supply_date", "type"} of the document this is about; a return follows the
            registration on the day of the original supply
        :param more: the other keys, see fiscal/documents.py
        """
        day = supply_date or japanese_day(supply_at)
        registered_on = day
        if more["type"] == "return" and original:
            registered_on = date.fromisoformat(original["supply_date"])
        number, rates = issuer.number_on(registered_on), rate_rows(figures)
        sums = {key: sum(rate[key] for rate in rates) for key in ("base", "tax", "total")}
        return {
            "number": "", "period": None, "counterparty": None, "store": "", "terminal": "", "cashier": "", "lines": [],
            "discounts": [], "tenders": [], "change": 0, "reason": "", "relation": "issue", "summary": None,
            "issued_at": japanese_time(fields.Datetime.now()), "supply_at": japanese_time(supply_at),
            "supply_date": day.isoformat(), "rounding": issuer.rounding, "original": original,
            "issuer": {
                "name": issuer.name, "registration_number": number, "address": issuer.address, "phone": issuer.phone,
            },
            "is_qualified": bool(number), "rates": rates, "base_total": sums["base"], "tax_total": sums["tax"],
            "total": sums["total"], "amount_due": sums["total"],
            "waiver": return_waiver(sums["total"]) if more["type"] == "return" else "",
            **more,
        }  # fmt: skip

    def _as_original(self):
        """How a later document names these, None when there are none; receipts replaced together are named together."""
        if not self:
            return None
        documents = self.sorted("id")
        return {
            "number": "、".join(documents.mapped("number")),
            "supply_date": max(documents.mapped("supply_date")).isoformat(),
            "type": documents[0].type,
        }

    def _next_number(self):
        """The number of a correction: the first document's with -2, -3 … behind it."""
        root, count = self, 2
        while root.relation == "correct" and root.original_id:
            root, count = root.original_id, count + 1
        return f"{root.number}-{count}"

    @api.model
    def _category(self, taxes):
        """Consumption tax category of a line with these taxes."""
        return next((tax.bridge_tax_category for tax in taxes if tax.bridge_tax_category), NO_CATEGORY)
