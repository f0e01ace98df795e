"""What a receipt costs on its way through the hardware proxy.

    ./run bench print [--jobs 300]

The proxy and the virtual printer are processes of their own, as in a shop; the client keeps one connection, as a
browser does. The receipt is 576 × 1200 dots with Japanese text and a patch of grey. Figures:

job_round_trip_median_ms   signed request → on disk (flushed) → bytes → the printer's confirmation → answer
job_round_trip_p95_ms      the same
convert_ms                 bits as the till sends them → ESC/POS; baseline: python-escpos from the decoded picture
upload_bytes               what the till sends; baseline: the JPEG that Odoo's till sends
"""

import argparse
import asyncio
import base64
import contextlib
import http.client
import io
import json
import random
import tempfile
import time
import uuid
import zlib
from pathlib import Path
from urllib.parse import urlsplit

import _lab
import _till
from escpos.printer import Dummy
from PIL import Image, ImageDraw, ImageFont
from pos_hardware_proxy import escpos, picture

WIDTH, ROWS = 576, 1200
CONVERSIONS, WARM_UP = 100, 10
FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
GOODS = ("国産りんご", "食パン 6枚切", "牛乳 1000ml", "ボールペン 黒", "レジ袋 大", "鮭おにぎり", "緑茶 525ml")


def receipt(number):
    """A receipt as the till renders it: text with grey edges, a patch of grey; 8 bits per dot."""
    image = Image.new("L", (WIDTH, ROWS), 255)
    draw, font = ImageDraw.Draw(image), ImageFont.truetype(FONT, 24)
    chance = random.Random(number)
    draw.text((180, 10), f"レシート {number}", font=font)
    for line in range(24):
        name, price = chance.choice(GOODS), chance.randrange(90, 3000)
        draw.text((8, 60 + 34 * line), f"{name}※", font=font)
        draw.text((430, 60 + 34 * line), f"¥{price:,}", font=font)
    draw.rectangle((380, 1000, 560, 1100), fill=128)
    return image


def bits_of(image):
    return picture.pack(image.convert("1"))


def round_trips(url, keys, pictures):
    """By a plain client on a line that stays open: what is measured is the proxy and the printer."""
    till, times = _till.Till(None, url, keys.proxy_id), []
    with contextlib.closing(http.client.HTTPConnection(urlsplit(url).netloc)) as line:
        for number, bits in enumerate(pictures):
            began = time.perf_counter()
            path = f"/jobs/{uuid.uuid4()}?width={WIDTH}&rows={ROWS}&wait=8"
            line.request("PUT", path, bits, {"Origin": _till.ORIGIN, "Authorization": till.sign("PUT", path, bits)})
            job = json.load(line.getresponse())
            if job.get("state") != "printed":
                raise SystemExit(f"not printed: {job}")
            if number >= WARM_UP:  # the first ones open the line and fill caches
                times.append((time.perf_counter() - began) * 1000)
            time.sleep(0.06)  # below the rate at which one till may ask
    return times


def measure_round_trip(jobs, pictures):
    with tempfile.TemporaryDirectory() as folder:
        printer, page, port = (_till.free_port() for _each in range(3))
        config, keys = _till.configure(Path(folder), port, {"receipt": printer})
        emulator = ("-m", "pos_hardware_proxy.virtual_printer", "--port", str(printer), "--page-port", str(page))
        with _till.process(*emulator), _till.process("-m", "pos_hardware_proxy", "--config", str(config)):
            asyncio.run(_till.answers(printer, port))
            series = [pictures[number % len(pictures)] for number in range(jobs + WARM_UP)]
            times = round_trips(f"http://127.0.0.1:{port}", keys, series)
    for name, value, limit in (("median", _lab.median(times), 8), ("p95", _lab.quantile(times, 0.95), 20)):
        _lab.figure(f"job_round_trip_{name}_ms", value, "ms", baseline=limit, ratio=value / limit, jobs=jobs)


def measure_conversion(image):
    """Ours and python-escpos' by turns."""
    body, ours, theirs = zlib.compress(bits_of(image)), [], []
    for _turn in range(CONVERSIONS):
        began = time.perf_counter()
        b"".join(escpos.picture(picture.from_bits(body, WIDTH, ROWS), WIDTH))
        ours.append((time.perf_counter() - began) * 1000)
        printer = Dummy(profile="TM-T88III")
        printer.profile.profile_data["media"]["width"]["pixels"] = WIDTH
        began = time.perf_counter()
        printer.image(image, impl="bitImageRaster")
        theirs.append((time.perf_counter() - began) * 1000)
    own, baseline = _lab.median(ours), _lab.median(theirs)
    _lab.figure("convert_ms", own, "ms", baseline=baseline, ratio=own / baseline, what="python-escpos bitImageRaster")


def measure_upload(images):
    sizes = [len(zlib.compress(bits_of(image))) for image in images]
    stream = io.BytesIO()
    images[0].convert("RGB").save(stream, "JPEG", quality=92)
    jpeg = len(base64.b64encode(stream.getvalue()))
    _lab.figure("upload_bytes", max(sizes), "bytes", baseline=jpeg, ratio=max(sizes) / jpeg)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=300)
    arguments = parser.parse_args()
    images = [receipt(number) for number in range(20)]
    measure_round_trip(arguments.jobs, [zlib.compress(bits_of(image)) for image in images])
    measure_conversion(images[0])
    measure_upload(images)


if __name__ == "__main__":
    main()
