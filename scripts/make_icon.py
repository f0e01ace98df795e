"""Draws pos_erp_bridge/static/description/icon.png: a bridge from the shop to the web.  make_icon.py"""

from pathlib import Path

from PIL import Image, ImageDraw

SIZE, SCALE = 256, 4
TOP, BOTTOM, WHITE, WATER = (0, 137, 123), (0, 77, 94), (255, 255, 255), (128, 222, 207)


def main():
    side = SIZE * SCALE
    image = Image.new("RGBA", (side, side))
    gradient = Image.new("RGBA", (side, side))
    paint = ImageDraw.Draw(gradient)
    for y in range(side):
        colour = tuple(round(a + (b - a) * y / side) for a, b in zip(TOP, BOTTOM, strict=True))
        paint.line([(0, y), (side, y)], fill=(*colour, 255))
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).rounded_rectangle([0, 0, side - 1, side - 1], radius=side // 6, fill=255)
    image.paste(gradient, mask=mask)
    draw = ImageDraw.Draw(image)

    def px(*values):
        return [round(v * side) for v in values]

    thick = round(side * 0.045)
    # The deck, the arch that carries it, the hangers between them.
    draw.arc(px(0.14, 0.28, 0.86, 1.0), 180, 360, fill=WHITE, width=thick)
    draw.rounded_rectangle(px(0.08, 0.60, 0.92, 0.66), radius=thick // 2, fill=WHITE)
    for x, top in ((0.26, 0.40), (0.38, 0.32), (0.50, 0.29), (0.62, 0.32), (0.74, 0.40)):
        draw.line(px(x, top, x, 0.61), fill=WHITE, width=thick // 2)
    # Water below.
    for y in (0.76, 0.85):
        for step in range(4):
            x = 0.18 + step * 0.16
            draw.arc(px(x, y - 0.04, x + 0.16, y + 0.04), 0, 180, fill=WATER, width=thick // 2)
    # Two banks: a shop's awning on the left, a globe on the right.
    draw.ellipse(px(0.76, 0.10, 0.94, 0.28), outline=WHITE, width=thick // 2)
    draw.ellipse(px(0.815, 0.10, 0.885, 0.28), outline=WHITE, width=thick // 3)
    draw.line(px(0.76, 0.19, 0.94, 0.19), fill=WHITE, width=thick // 3)
    draw.rectangle(px(0.09, 0.17, 0.25, 0.28), outline=WHITE, width=thick // 2)
    draw.polygon(px(0.09, 0.10, 0.25, 0.10, 0.28, 0.18, 0.06, 0.18), fill=WHITE)
    target = Path(__file__).resolve().parent.parent / "pos_erp_bridge" / "static" / "description" / "icon.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    image.resize((SIZE, SIZE), Image.LANCZOS).save(target, optimize=True)


if __name__ == "__main__":
    main()
