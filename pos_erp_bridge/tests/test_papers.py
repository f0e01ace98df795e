# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import io
import re
import unittest
from pathlib import Path

from odoo.tests import TransactionCase, tagged
from odoo.tools.pdf import PdfFileReader

from . import paper_pictures, papers

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
# Share of a picture's pixels that may differ: another version of a font. A missing line is more.
TOLERANCE = 0.004
MAKERS = {"receipt": papers.receipt, "invoice": papers.invoice, "refund": papers.refund, "summary": papers.summary}


def drawn():
    return unittest.skipIf(paper_pictures.missing(), f"{paper_pictures.missing()} is not installed")


@tagged("post_install", "-at_install")
class TestPapers(TransactionCase):
    """Papers are drawn from the frozen content alone."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("ja_JP")
        cls.env["ir.module.module"].search([("name", "=", "pos_erp_bridge")])._update_translations("ja_JP")
        cls.Paper = cls.env["bridge.paper"]

    def text(self, content, roll="", lang="ja_JP", **more):
        """The words on a paper, without tags and with single spaces."""
        html = self.Paper._html(content, roll, lang=lang, **more)
        body = html[html.index("<body") :]
        return " ".join(re.sub(r"<[^>]+>", " ", body).split())

    def assert_in_order(self, text, *words):
        place = 0
        for word in words:
            found = text.find(word, place)
            self.assertGreaterEqual(found, 0, f"{word!r} is missing, or earlier, in {text}")
            place = found + len(word)

    def test_receipt_says_what_a_simplified_invoice_must(self):
        for roll in ("80", "58"):
            text = self.text(papers.receipt(), roll)
            self.assert_in_order(
                text, "株式会社みどり商店", "登録番号 T7000012050002", "領収書", "適格簡易請求書", "2026/11/28 10:15",
                "おにぎり 紅鮭※ 2個 × 151 ¥302", "単3乾電池 4本 1個", "会員割引 3% -¥96", "合計 ¥3,043",
                "10%対象 ¥1,371", "内消費税 ¥124", "8%対象※ ¥1,672", "内消費税 ¥123", "※は軽減税率対象",
            )  # fmt: skip

    def test_invoice_says_what_a_qualified_invoice_must(self):
        text = self.text(papers.invoice())
        self.assert_in_order(
            text, "請求書", "適格請求書", "青葉商事株式会社 御中", "取引日 2026年11月28日", "登録番号 T7000012050002",
            "ご請求金額(税込) ¥89,154", "金額(税抜)", "有機緑茶 ティーバッグ 50包 ※", "※は軽減税率対象",
            "10%対象 ¥26,460 ¥2,646 ¥29,106", "8%対象※ ¥55,600 ¥4,448 ¥60,048", "領収書 GNZ-000097",
        )  # fmt: skip

    def test_return_invoice_says_both_days(self):
        text = self.text(papers.refund())
        self.assert_in_order(
            text, "適格返還請求書", "返品日 2026年12月3日", "元の取引日 2026年11月28日", "登録番号", "-11,880",
            "10%対象 -¥11,880 -¥1,188 -¥13,068", "INV/2026/00042", "配送中の破損",
        )  # fmt: skip

    def test_summary_invoice_carries_over_and_lists_slips(self):
        text = self.text(papers.summary())
        self.assert_in_order(
            text, "適格請求書", "取引期間 2026年11月1日〜2026年11月30日", "前回請求額", "御入金額", "繰越額",
            "今回お買上額", "消費税", "今回請求額", "¥128,400 ¥100,000 ¥28,400 ¥141,270 ¥12,847 ¥182,517",
            "2026/11/02 INV/2026/00030",
            "ギフトセット(焼き菓子12個入) ※", "RINV/2026/00006", "-3,960",
            "10%対象 ¥77,270", "8%対象※ ¥64,000",
            "各伝票に代わる",
        )  # fmt: skip

    def test_a_summary_of_qualified_notes_is_no_qualified_invoice(self):
        """It says where its tax comes from, and replaces nothing."""
        issuer = {**papers.ISSUER, "registration_number": ""}
        text = self.text(papers.summary(relation="issue", original=None, is_qualified=False, issuer=issuer))
        self.assertIn("各伝票に記載した消費税額の合計", text)
        self.assertNotIn("適格", text)
        self.assertNotIn("代わる", text)

    def test_totals_per_rate_are_there_with_one_rate_as_well(self):
        lines = [papers.line("歯ブラシ ふつう", "1", 327, 327, "10")]
        content = papers.receipt(lines=lines, discounts=[], rates=[papers.rate("10", 298, 29)])
        self.assertIn("10%対象 ¥327 (内消費税 ¥29)", self.text(content, "58"))
        self.assertIn("10%対象 ¥298 ¥29 ¥327", self.text(content))
        self.assertNotIn("軽減税率", self.text(content))

    def test_who_is_not_registered_uses_no_word_of_it(self):
        for name, make in MAKERS.items():
            content = make(is_qualified=False, issuer={**papers.ISSUER, "registration_number": ""})
            for roll in ("", "80"):
                japanese, english = (self.text(content, roll, lang) for lang in ("ja_JP", "en_US"))
                for word in ("適格", "登録番号"):
                    self.assertNotIn(word, japanese, (name, roll))
                self.assertNotIn("ualified", english, (name, roll))
                self.assertNotIn("Registration", english, (name, roll))

    def test_marks_of_reissue_and_correction(self):
        corrected = papers.invoice(relation="correct", reason="数量の誤り")
        for roll in ("", "58"):
            self.assertIn("再発行", self.text(papers.receipt(), roll, is_reissue=True))
            self.assertNotIn("再発行", self.text(papers.receipt(), roll))
            self.assert_in_order(self.text(corrected, roll), "訂正", "GNZ-000097 を訂正", "理由: 数量の誤り")

    def test_english_in_english(self):
        text = self.text(papers.invoice(), lang="en_US")
        self.assert_in_order(
            text, "Invoice", "Qualified invoice", "Date of supply November 28, 2026", "Registration number",
            "Amount due (with tax)", "Subject to 8%※", "Replaces receipt GNZ-000097",
        )  # fmt: skip
        self.assertNotIn("御中", text)

    def test_a_long_invoice_goes_over_sheets_with_totals_once(self):
        lines = [papers.line(f"商品{i:03}", "1", 100, 100, "10") for i in range(120)]
        html = self.Paper._html(papers.invoice(lines=lines, rates=[papers.rate("10", 12000, 1200)]), lang="ja_JP")
        pages = html.split('<div class="page">')[1:]
        self.assertEqual([len(re.findall(r"商品\d{3}", page)) for page in pages][0], 30)
        self.assertEqual(sum(len(re.findall(r"商品\d{3}", page)) for page in pages), 120)
        self.assertEqual([page.count("10%対象") for page in pages], [0] * (len(pages) - 1) + [1])

    # -- as printed ------------------------------------------------------------------------------
    @drawn()
    def test_every_paper_fits_its_pages(self):
        """A roll is one page whatever is on it; the sheets of an invoice are as many as were planned."""
        notes = [
            papers.line(f"とても長い名前の商品その{i} とても長い名前の商品", "1", 100, 100, "8R", note="備考")
            for i in range(40)
        ]
        for roll in ("80", "58"):
            self.assertEqual(self.page_count(papers.receipt(lines=notes), roll), 1)
        lines = [papers.line(f"商品{i:03}", "1", 100, 100, "10") for i in range(60)]
        content = papers.invoice(lines=lines)
        planned = self.Paper._html(content).count('<div class="page">')
        self.assertEqual(self.page_count(content), planned)

    def page_count(self, content, roll=""):
        return PdfFileReader(io.BytesIO(self.Paper._pdf(content, roll, lang="ja_JP"))).getNumPages()

    @drawn()
    def test_pictures_look_as_in_the_manual(self):
        if not (IMAGES / "ja" / "invoice.png").exists():
            self.skipTest("the pictures of the manual are not in this checkout")
        for folder, lang in paper_pictures.LANGS.items():
            for name, (content, roll) in papers.PAPERS.items():
                kept = paper_pictures.Image.open(IMAGES / folder / f"{name}.png")
                drawn_now = paper_pictures.draw(self.env, content, roll, lang)
                self.assertLess(paper_pictures.distance(kept, drawn_now), TOLERANCE, f"{folder}/{name}")

    @drawn()
    def test_a_missing_line_is_another_picture(self):
        whole, other = (
            paper_pictures.draw(self.env, papers.receipt(discounts=discounts), "80")
            for discounts in (papers.receipt()["discounts"], [{"name": "値引", "by_rate": {"10": -96}}])
        )
        self.assertGreater(paper_pictures.distance(whole, other), TOLERANCE)
