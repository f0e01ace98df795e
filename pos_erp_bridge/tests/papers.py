# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Contents of documents as they are frozen, for the pictures in the manual and for tests. Plain data, no Odoo."""

ISSUER = {
    "name": "株式会社みどり商店", "registration_number": "T7000012050002",
    "address": "東京都中央区銀座1-2-3 みどりビル", "phone": "03-1234-5678",
}  # fmt: skip
BUYER = {
    "name": "青葉商事株式会社",
    "honorific": "御中",
    "address": "東京都千代田区丸の内4-5-6",
    "registration_number": "",
}


def line(name, quantity, unit_price, amount, category, unit="個", note=""):
    return {
        "name": name, "quantity": quantity, "unit": unit, "unit_price": unit_price, "amount": amount,
        "category": category, "is_reduced": category in ("8R", "8N", "1F"), "note": note,
    }  # fmt: skip


def rate(category, base, tax):
    percent = {"10": 10, "8R": 8, "8N": 8, "1F": 1}.get(category, 0)
    return {
        "category": category, "percent": percent, "is_reduced": category in ("8R", "8N", "1F"), "base": base,
        "tax": tax, "total": base + tax,
    }  # fmt: skip


def content(kind, number, lines, rates, **values):
    """A content with everything in it that ``values`` do not say; totals are those of the rates."""
    totals = {key: sum(row[key] for row in rates) for key in ("base", "tax", "total")}
    return {
        "type": kind, "number": number, "issued_at": "2026-11-28T10:15:00+09:00",
        "supply_at": "2026-11-28T10:15:00+09:00", "supply_date": "2026-11-28", "period": None, "issuer": dict(ISSUER),
        "is_qualified": True, "counterparty": None, "store": "銀座店", "terminal": "レジ01", "cashier": "佐藤",
        "basis": "included", "rounding": "down", "lines": lines, "discounts": [], "rates": rates,
        "base_total": totals["base"], "tax_total": totals["tax"], "total": totals["total"],
        "amount_due": totals["total"], "tenders": [], "change": 0, "original": None, "reason": "",
        "relation": "issue", "waiver": "", "summary": None, **values,
    }  # fmt: skip


def receipt(**values):
    lines = [
        line("おにぎり 紅鮭", "2", 151, 302, "8R"),
        line("緑茶 525ml", "1", 138, 138, "8R", unit="本"),
        line("有機栽培コーヒー豆 エチオピア イルガチェフェ 200g", "1", 1280, 1280, "8R", unit="袋"),
        line("単3乾電池 4本", "1", 438, 438, "10"),
        line("歯ブラシ ふつう", "3", 327, 981, "10", unit="本"),
    ]
    return content(
        "simplified", "GNZ-000128",
        **{
            "lines": lines, "rates": [rate("10", 1247, 124), rate("8R", 1549, 123)],
            "discounts": [{"name": "会員割引 3%", "by_rate": {"10": -48, "8R": -48}}],
            "tenders": [{"name": "現金", "amount": 5000}], "change": 1957,
            **values,
        },
    )  # fmt: skip


def invoice(**values):
    lines = [
        line("ギフトセット(焼き菓子12個入)", "10", 2800, 28000, "8R", unit="箱"),
        line("有機緑茶 ティーバッグ 50包", "24", 1150, 27600, "8R", unit="袋"),
        line("陶器マグカップ", "12", 1980, 23760, "10"),
        line("包装・熨斗", "10", 150, 1500, "10", unit="式", note="熨斗上「御歳暮」"),
        line("送料", "1", 1200, 1200, "10", unit="式"),
    ]
    return content(
        "qualified", "INV/2026/00042",
        **{
            "lines": lines, "rates": [rate("10", 26460, 2646), rate("8R", 55600, 4448)],
            "basis": "excluded", "counterparty": dict(BUYER), "relation": "supersede",
            "original": {"number": "GNZ-000097", "supply_date": "2026-11-28", "type": "simplified"}, **values,
        },
    )  # fmt: skip


def refund(**values):
    lines = [line("陶器マグカップ", "-6", 1980, -11880, "10", note="破損のため")]
    return content(
        "return", "RINV/2026/00007",
        **{
            "lines": lines, "rates": [rate("10", -11880, -1188)],
            "basis": "excluded", "counterparty": dict(BUYER), "relation": "return", "reason": "配送中の破損",
            "supply_at": "2026-12-03T14:00:00+09:00", "supply_date": "2026-12-03",
            "issued_at": "2026-12-03T14:00:00+09:00",
            "original": {"number": "INV/2026/00042", "supply_date": "2026-11-28", "type": "qualified"}, **values,
        },
    )  # fmt: skip


def summary(**values):
    slips = [
        ("2026-11-02", "INV/2026/00030", [("ギフトセット(焼き菓子12個入)", "10", 2800, 28000, "8R", "箱"),
                                          ("有機緑茶 ティーバッグ 50包", "24", 1150, 27600, "8R", "袋")]),
        ("2026-11-06", "INV/2026/00031", [("陶器マグカップ", "6", 1980, 11880, "10", "個"),
                                          ("包装・熨斗", "6", 150, 900, "10", "式"),
                                          ("送料", "1", 550, 550, "10", "式")]),
        ("2026-11-17", "INV/2026/00034", [("急須 黒", "8", 3950, 31600, "10", "個")]),
        ("2026-11-20", "RINV/2026/00006", [("陶器マグカップ", "-2", 1980, -3960, "10", "個")]),
        ("2026-11-24", "INV/2026/00036", [("有機緑茶 ティーバッグ 50包", "8", 1050, 8400, "8R", "袋"),
                                          ("湯のみ 大", "30", 1210, 36300, "10", "個")]),
    ]  # fmt: skip
    lines = [
        line(name, quantity, price, amount, category, unit=unit, note=number)
        for _day, number, rows in slips
        for name, quantity, price, amount, category, unit in rows
    ]
    deliveries = [{"date": day, "number": number, "amount": sum(row[3] for row in rows)} for day, number, rows in slips]
    return content(
        "summary", "S00000011",
        **{
            "lines": lines, "rates": [rate("10", 77270, 7727), rate("8R", 64000, 5120)],
            "basis": "excluded", "counterparty": dict(BUYER), "period": ["2026-11-01", "2026-11-30"],
            "supply_date": "2026-11-30", "issued_at": "2026-11-30T18:00:00+09:00", "store": "",
            "relation": "supersede",
            "original": {"number": "INV/2026/00030", "supply_date": "2026-11-02", "type": "qualified"},
            "summary": {
                "closing_day": 31, "previous_balance": 128400, "received": 100000, "carried_over": 28400,
                "this_period": 154117, "balance": 182517, "deliveries": deliveries,
            },
            **values,
        },
    )  # fmt: skip


# name of the picture -> (content, roll)
PAPERS = {
    "receipt_80": (receipt(), "80"),
    "receipt_58": (receipt(), "58"),
    "receipt_a4": (receipt(counterparty={**BUYER, "name": "山田 花子", "honorific": "様", "address": ""}), ""),
    "invoice": (invoice(), ""),
    "return_invoice": (refund(), ""),
    "summary_invoice": (summary(), ""),
}
