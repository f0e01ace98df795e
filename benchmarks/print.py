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
import io
import random
import subprocess
import sys
import tempfile
import time
import uuid
import zlib
from pathlib import Path

import _lab
import aiohttp
from escpos.printer import Dummy
from PIL import Image, ImageDraw, ImageFont

PROXY = Path(__file__).resolve().parent.parent / "hardware_proxy"
sys.path.insert(0, str(PROXY))
from pos_hardware_proxy import escpos, picture, security  # noqa: E402

WIDTH, ROWS = 576, 1200
ORIGIN = "https://erp.example.jp"
CONVERSIONS = 100
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


@contextlib.contextmanager
def process(*command):
    """A process with its output at hand, ended at the end."""
    running = subprocess.Popen([sys.executable, *command], cwd=PROXY, stdout=subprocess.PIPE, text=True)
    try:
        yield running
    finally:
        running.terminate()
        running.wait(10)


def free_port():
    import socket

    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def answers(port):
    for _attempt in range(200):
        with contextlib.suppress(OSError):
            _reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise SystemExit(f"nobody answers on port {port}")


class Till:
    """Signs and sends, as the till does."""

    def __init__(self, session, port, keys):
        self.session, self.url = session, f"http://127.0.0.1:{port}"
        self.claims = security.make_claims(keys.proxy_id, "till", ("print", "drawer"), 3600)
        self.key = security.till_key(keys.secret, self.claims)

    async def put(self, path, body):
        moment = str(int(time.time() * 1000))
        sent = security.signature(self.key, "PUT", path, body, moment, self.claims)
        headers = {"Authorization": f"Till {self.claims}.{moment}.{sent}", "Origin": ORIGIN}
        async with self.session.put(self.url + path, data=body, headers=headers) as response:
            return await response.json()


async def round_trips(port, keys, bodies):
    times = []
    async with aiohttp.ClientSession() as session:
        till = Till(session, port, keys)
        for number, body in enumerate(bodies):
            path = f"/jobs/{uuid.uuid4()}?width={WIDTH}&rows={ROWS}&wait=8"
            began = time.perf_counter()
            job = await till.put(path, body)
            if job.get("state") != "printed":
                raise SystemExit(f"not printed: {job}")
            if number >= 10:  # the first ones open the line and fill caches
                times.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(0.06)  # below the rate one till may ask at
    return times


def measure_round_trip(jobs, bodies):
    with tempfile.TemporaryDirectory() as folder:
        printer_port, port, page_port = free_port(), free_port(), free_port()
        keys = security.Keys(Path(folder) / "keys.json")
        keys.pair("k" * 32)
        config = Path(folder) / "proxy.toml"
        config.write_text(
            f'[proxy]\nstate = "{folder}"\nport = {port}\norigins = ["{ORIGIN}"]\n'
            f'[[printer]]\nname = "receipt"\naddress = "tcp://127.0.0.1:{printer_port}"\n'
        )
        ports = ("--port", str(printer_port), "--page-port", str(page_port))
        emulator = ("-m", "pos_hardware_proxy.virtual_printer", *ports)
        with process(*emulator), process("-m", "pos_hardware_proxy", "--config", str(config)):
            asyncio.run(answers(printer_port))
            asyncio.run(answers(port))
            times = asyncio.run(round_trips(port, keys, [bodies[n % len(bodies)] for n in range(jobs + 10)]))
    for name, value in (("median", _lab.median(times)), ("p95", _lab.quantile(times, 0.95))):
        _lab.figure(f"job_round_trip_{name}_ms", value, "ms", baseline={"median": 8, "p95": 20}[name], jobs=jobs)


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
