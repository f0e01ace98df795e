"""Draws the mark of a paper that is printed once more.  make_reprint_mark.py

For the hardware proxy, which needs no font of its own: 384 dots wide, black on white.
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

TARGET = Path(__file__).resolve().parent.parent / "hardware_proxy/pos_hardware_proxy/static/reprint.png"
FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc"
WIDTH, HEIGHT, BORDER = 384, 80, 3


def main():
    image = Image.new("1", (WIDTH, HEIGHT), 1)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 4, WIDTH - 1, HEIGHT - 14), outline=0, width=BORDER)
    draw.text((WIDTH // 2, 34), "再発行  REPRINT", fill=0, font=ImageFont.truetype(FONT, 36), anchor="mm")
    image.save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
