"""Draws the pictures in tests/golden anew.  make_golden.py [--receipt]

The papers as the hardware proxy prints them now: look at them before they are committed. With --receipt also the
picture that is sent, which needs the fonts of fonts-noto-cjk.
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "hardware_proxy"), str(ROOT / "tests")]

from golden_papers import FOLDER, PAPERS, SENT, print_paper  # noqa: E402

FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
WIDTH, HEIGHT, LINE = 576, 420, 36
LINES = (("緑茶 525ml ※", "¥138"), ("単3乾電池 4本", "¥438"), ("合計", "¥576"), ("預り", "¥1,000"), ("釣り", "¥424"))


def receipt():
    image = Image.new("1", (WIDTH, HEIGHT), 1)
    draw, font = ImageDraw.Draw(image), ImageFont.truetype(FONT, 26)
    draw.text((WIDTH // 2, 30), "領 収 証", fill=0, font=ImageFont.truetype(FONT, 40), anchor="mm")
    draw.line((0, 64, WIDTH - 1, 64), fill=0, width=2)
    for row, (name, amount) in enumerate(LINES):
        draw.text((4, 80 + row * LINE), name, fill=0, font=font)
        draw.text((WIDTH - 4, 80 + row * LINE), amount, fill=0, font=font, anchor="ra")
    # Every other dot, single dots and the very edges: what is moved by one dot or cut off is seen.
    for y in range(290, 350):
        draw.point([(x, y) for x in range(y % 2, WIDTH, 2)], fill=0)
    draw.point([(x, 360 + x % 40) for x in range(0, WIDTH, 7)], fill=0)
    draw.rectangle((0, HEIGHT - 10, WIDTH - 1, HEIGHT - 1), outline=0)
    return image


def main():
    FOLDER.mkdir(exist_ok=True)
    if "--receipt" in sys.argv:
        receipt().save(FOLDER / f"{SENT}.png", optimize=True)
    for name in PAPERS:
        print_paper(name).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
