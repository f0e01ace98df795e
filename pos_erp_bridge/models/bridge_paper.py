# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Papers: what a customer is handed, drawn from the frozen content of a document and from nothing else."""

from types import SimpleNamespace

from odoo import api, models
from odoo.tools import format_date

from .. import paper_layout

TEMPLATE = "pos_erp_bridge.paper"
ROLLS = tuple(paper_layout.ROLL_COLUMNS)  # widths in millimetres
REPORTS = {"": "pos_erp_bridge.paper_report", **{roll: f"pos_erp_bridge.paper_report_{roll}" for roll in ROLLS}}


class BridgePaper(models.AbstractModel):
    _name = "bridge.paper"
    _description = "Paper of a document"

    @api.model
    def _pdf(self, content, roll="", is_reissue=False, lang=None):
        """A document's content as PDF, in bytes.

        :param dict content: what was frozen when the document was issued
        :param str roll: "80" or "58" for a receipt printer's paper, empty for A4
        :param bool is_reissue: mark it as printed again
        :param str lang: code of an installed language; empty: the one of the environment
        """
        paper, html = self._draw(content, roll, is_reissue, lang)
        report = self.env["ir.actions.report"].with_context(bridge_paper={"height": paper.height})
        return report._run_wkhtmltopdf([html], report_ref=REPORTS[roll])

    @api.model
    def _html(self, content, roll="", is_reissue=False, lang=None):
        """The same page as HTML, as text."""
        return self._draw(content, roll, is_reissue, lang)[1]

    def _draw(self, content, roll, is_reissue, lang):
        self = self.with_context(lang=lang or self.env.lang or "en_US")
        paper = self._paper(content, roll, is_reissue)
        # No layout of Odoo's: its head and foot need another build of wkhtmltopdf, its styles a running web server.
        html = self.env["ir.qweb"]._render(TEMPLATE, {"paper": paper, "content": content, **self._words()})
        return paper, str(html)

    def _words(self):
        """What the templates write figures and days with."""
        return {"yen": paper_layout.yen, "figure": paper_layout.figure, "day": self._day}

    def _day(self, iso):
        return format_date(self.env, iso, date_format="long") if iso else ""

    # -- what stands on it -----------------------------------------------------------------------
    def _paper(self, content, roll, is_reissue):
        """The content in words of the paper's language, and how it is laid out."""
        lang = self.env.lang or "en_US"
        paper = SimpleNamespace(
            roll=roll, lang=lang.replace("_", "-"), is_reissue=is_reissue, is_japanese=lang.startswith("ja"),
            is_correction=content["relation"] == "correct", title=self._title(content),
            registration_number=content["is_qualified"] and content["issuer"]["registration_number"],
            rates=[self._rate(rate, content) for rate in content["rates"]],
            has_reduced=any(rate["is_reduced"] for rate in content["rates"]),
            discounts=[self._discount(discount) for discount in content["discounts"]],
            tenders=self._tenders(content), notes=self._notes(content), pages=[], height=0.0,
        )  # fmt: skip
        if roll:
            paper.height = self._roll_height(paper, content)
        else:
            paper.pages = self._sheets(paper, content)
        return paper

    def _title(self, content):
        """(what it is, and whether it is one of the qualified kinds)"""
        titles = {
            "simplified": (self.env._("Sales receipt"), self.env._("Simplified qualified invoice")),
            "qualified": (self.env._("Invoice"), self.env._("Qualified invoice")),
            "return": (self.env._("Return statement"), self.env._("Qualified return invoice")),
            "summary": (self.env._("Summary invoice"), self.env._("Qualified invoice")),
        }
        name, kind = titles[content["type"]]
        return SimpleNamespace(name=name, kind=kind if content["is_qualified"] else "")

    def _rate(self, rate, content):
        """A rate's totals: its label, the amount the lines add up to, and its tax."""
        is_included = content["basis"] == "included"
        labels = {"0E": self.env._("Exempt"), "0X": self.env._("Not subject to tax")}
        label = labels.get(rate["category"])
        if not label and rate["category"] == "8N":
            label = self.env._("%s%% (newspapers)", rate["percent"])
        label = label or self.env._("Subject to %s%%", rate["percent"])
        return SimpleNamespace(
            label=f"{label}※" if rate["is_reduced"] else label, has_tax=bool(rate["percent"]),
            shown=rate["total"] if is_included else rate["base"],
            tax_label=self.env._("of which tax") if is_included else self.env._("Consumption tax"),
            base=rate["base"], tax=rate["tax"], total=rate["total"],
        )  # fmt: skip

    def _discount(self, discount):
        """A discount's total, and what of it falls on each rate."""
        shares = [f"{key[:-1] if key != '10' else key}% {paper_layout.yen(part)}" for key, part in
                  discount["by_rate"].items() if part]  # fmt: skip
        return SimpleNamespace(
            name=discount["name"], amount=sum(discount["by_rate"].values()),
            shares=self.env._("Split: %s", " / ".join(shares)) if len(shares) > 1 else "",
        )  # fmt: skip

    def _tenders(self, content):
        """What was handed over, and what was given back of it."""
        rows = [(tender["name"], tender["amount"]) for tender in content["tenders"]]
        return rows + ([(self.env._("Change"), content["change"])] if content["change"] else [])

    def _notes(self, content):
        """Sentences about other documents, and why."""
        original, notes = content["original"], []
        if original:
            number, kind = original["number"], content["relation"]
            if content["type"] == "summary":
                notes.append(self.env._("Replaces the slips listed above."))
            elif kind == "correct":
                notes.append(self.env._("Corrects document %s, which is no longer valid.", number))
            elif kind == "supersede":
                notes.append(self.env._("Replaces receipt %s, which is no longer valid.", number))
            else:
                notes.append(self.env._("Original document: %s", number))
        if content["reason"]:
            notes.append(self.env._("Reason: %s", content["reason"]))
        return notes

    # -- layout ----------------------------------------------------------------------------------
    def _roll_height(self, paper, content):
        """Millimetres of a roll; a little too long rather than cut off."""
        columns = paper_layout.ROLL_COLUMNS[paper.roll]
        texts = [*content["issuer"].values(), *paper.notes, content["store"], content["cashier"]]
        texts += [text for discount in paper.discounts for text in (discount.name, discount.shares)]
        for line in content["lines"]:
            texts += [f"{line['name']}※", "1 x 1", line["note"]]
        rows = sum(paper_layout.text_lines(text, columns) for text in texts if text)
        rows += 2 * len(paper.rates) + len(paper.tenders) + 16  # title, numbers, totals, rules, legend
        return round(rows * paper_layout.ROLL_LINE_MM + 12, 1)

    def _sheets(self, paper, content):
        """Rows of each A4 sheet; on a summary the lines of a slip stand below it."""
        rows, summary = content["lines"], content["summary"]
        if summary:
            rows = []
            for slip in summary["deliveries"]:
                rows += [slip, *(line for line in content["lines"] if line["note"] == slip["number"])]
        columns = paper_layout.SLIP_COLUMNS if summary else paper_layout.SHEET_COLUMNS
        heights = [
            paper_layout.text_lines(row.get("name"), columns)
            + (paper_layout.text_lines(row["note"], columns) if row.get("note") and not summary else 0)
            for row in rows
        ]
        foot = len(paper.rates) + 4 + 2 * len(paper.discounts) + len(paper.notes) + len(paper.tenders)
        pages = paper_layout.sheets(heights, foot)
        return [[rows[position] for position in positions] for positions in pages]


class IrActionsReport(models.Model):
    _inherit = "ir.actions.report"

    def _build_wkhtmltopdf_args(self, *args, **kwargs):
        """A roll is as long as its receipt; and our papers hold no script to be waited for."""
        command = super()._build_wkhtmltopdf_args(*args, **kwargs)
        paper = self.env.context.get("bridge_paper")
        if paper:
            command[command.index("--javascript-delay") + 1] = "1"
            if paper["height"]:
                command[command.index("--page-height") + 1] = f"{paper['height']}mm"
        return command
