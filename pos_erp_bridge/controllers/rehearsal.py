# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import csv
import io

from odoo import http
from odoo.http import content_disposition, request

# Spreadsheets take a UTF-8 file for what it is only when it begins with this mark.
BOM = "\ufeff"
COLUMNS = (
    "business_date", "store_id", "document", "number", "external_id", "status", "total", "reason",
)  # fmt: skip


class BridgeRehearsalExport(http.Controller):
    @http.route("/bridge/rehearsal/<int:rehearsal_id>.csv", type="http", auth="user", methods=["GET"], readonly=True)
    def rehearsal_csv(self, rehearsal_id):
        """A rehearsal's lines, with columns for the total and tax of each rate that occurs in it."""
        rehearsal = request.env["bridge.rehearsal"].search([("id", "=", rehearsal_id)])
        if not rehearsal:
            raise request.not_found()
        lines = rehearsal.line_ids
        fields = lines._fields
        taxes = [tax for line in lines for tax in line.taxes or ()]
        rates = sorted({(tax["rate"], tax["reduced"]) for tax in taxes}, key=self._rate_key)
        header = [fields[name]._description_string(request.env) for name in COLUMNS]
        for rate in rates:
            text = rehearsal._rate_text(*rate)
            header += [request.env._("%s, tax included", text), request.env._("%s, tax", text)]
        out = io.StringIO()
        out.write(BOM)
        writer = csv.writer(out)
        writer.writerow(header)
        for line in lines:
            amounts = {(tax["rate"], tax["reduced"]): tax for tax in line.taxes or ()}
            row = [self._cell(line, name) for name in COLUMNS]
            for rate in rates:
                tax = amounts.get(rate, {})
                row += [tax.get("total", ""), tax.get("tax", "")]
            writer.writerow(row)
        name = f"{rehearsal.channel_id.name}-{rehearsal.started_at:%Y%m%d-%H%M}.csv"
        return request.make_response(
            out.getvalue().encode(),
            headers=[
                ("Content-Type", "text/csv; charset=utf-8"),
                ("Content-Disposition", content_disposition(name)),
            ],
        )

    @staticmethod
    def _rate_key(rate):
        return float(rate[0]), rate[1]

    @staticmethod
    def _cell(line, name):
        field, value = line._fields[name], line[name]
        if field.type == "selection":
            return dict(field._description_selection(line.env)).get(value, value)
        if field.type == "many2one":
            return value.display_name or ""
        if field.type == "monetary":
            return line.currency_id.round(value) if value % 1 else int(value)
        text = str(value or "")
        # A cell a spreadsheet would take for a formula comes from outside: it stays text.
        return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
