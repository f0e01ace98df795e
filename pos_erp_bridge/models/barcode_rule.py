# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import re

from odoo import api, fields, models
from odoo.exceptions import ValidationError

# The prefix, the item and the digit that checks, four or five digits of the price or weight: twelve before the last.
CHECKED_PATTERN = re.compile(r"(?=.{14}$)[0-9]{1,3}\.{2,}\{(?=.{4,5}\})N*D*\}")


class BarcodeRule(models.Model):
    _inherit = "barcode.rule"

    bridge_value_digit = fields.Boolean(
        "Checked price",
        help="The digit right before the price (or weight) of four or five digits checks it, as in in-store codes of"
        " Japan (NON-PLU). A code whose price does not fit is refused at the till.",
    )

    @api.constrains("bridge_value_digit", "encoding", "pattern", "type")
    def _check_bridge_value_digit(self):
        for rule in self.filtered("bridge_value_digit"):
            fits = rule.type in ("price", "weight") and CHECKED_PATTERN.fullmatch(rule.pattern)
            if rule.encoding != "ean13" or not fits:
                raise ValidationError(
                    self.env._(
                        "“%s” has no place for a digit that checks. Write the pattern of an EAN-13 like 02......{NNNN}:"
                        " the prefix, a dot for each digit of the item and one for the digit that checks, then four or"
                        " five N.",
                        rule.name,
                    )
                )
