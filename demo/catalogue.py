"""What the demo shop sells: 200 everyday products, none of a real brand.

JAN codes are made up: 49 is Japan, maker 00000 is nobody's.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

CATEGORIES = {  # key: (Japanese, English, reduced tax rate)
    "rice": ("おにぎり・弁当", "Rice balls and lunches", True),
    "bread": ("パン", "Bread", True),
    "drink": ("飲料", "Drinks", True),
    "chilled": ("乳製品・日配", "Dairy and chilled", True),
    "grocery": ("食料品", "Groceries", True),
    "sweets": ("菓子・アイス", "Sweets and ice cream", True),
    "alcohol": ("酒類", "Alcohol", False),
    "household": ("日用品", "Household", False),
    "care": ("ヘルス・ビューティー", "Health and beauty", False),
    "stationery": ("文具・電池・雑貨", "Stationery and batteries", False),
}


@dataclass(frozen=True)
class Product:
    code: str  # JAN-13
    sku: str
    name: str
    name_en: str
    price: int  # yen, tax included
    category: str

    @property
    def reduced(self):
        """Food and drink without alcohol: 8 %."""
        return CATEGORIES[self.category][2]


def jan(number):
    """A JAN-13 of the fictitious maker, with its check digit."""
    digits = f"4900000{number:05d}"
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return digits + str(-weighted % 10)


def products():
    with (Path(__file__).parent / "catalogue.csv").open(encoding="utf-8", newline="") as rows:
        return [
            Product(jan(number), f"D{number:04d}", row["name_ja"], row["name_en"], int(row["price"]), row["category"])
            for number, row in enumerate(csv.DictReader(rows), 1)
        ]


def stock_of(number, product, places):
    """{place: pieces} at opening; dear things are few. Every tenth product is sold at one place only."""
    base = 12 if product.price >= 1000 else 30 if product.price >= 300 else 60
    if number % 10 == 9:
        places = [places[number // 10 % len(places)]]
    return {place: base + (number * 7 + 11 * at) % 13 for at, place in enumerate(places)}
