# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Other people's ESC/POS software against the virtual printer: two generators and two clients."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from pos_hardware_proxy.virtual_printer import VirtualPrinter
from virtual_printer_kit import print_out, read_qr


def wait_for(condition):
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def everything(printer):
    """One of each of python-escpos's functions."""
    printer.set(align="center", bold=True, underline=1, double_height=True, double_width=True, invert=True, flip=False)
    printer.text("Receipt\n")
    printer.set_with_default()
    printer.textln("total 100")
    printer.ln(2)
    printer.line_spacing(40)
    printer.line_spacing()
    printer.charcode("CP858")
    printer.text("éàü\n")
    printer.barcode("4901234567894", "EAN13", 64, 2, "BELOW", "A")
    printer.barcode("{BABC123", "CODE128", function_type="B")
    printer.qr("https://example.jp", native=True, size=4)
    printer.qr("https://example.jp", size=4)
    picture = Image.new("1", (200, 30))
    for implementation in ("bitImageRaster", "graphics", "bitImageColumn"):
        printer.image(picture, impl=implementation)
    printer.buzzer(2, 2)
    printer.cashdraw(2)
    printer.print_and_feed(2)
    printer.control("HT")
    printer.cut()


def test_python_escpos_says_nothing_unknown(capsys):
    """An independent generator: everything it sends is understood."""
    escpos = pytest.importorskip("escpos.printer")
    printer = escpos.Dummy()
    everything(printer)
    paper = print_out(printer.output)
    assert {"Receipt", "total 100", "éàü"} <= {line.strip() for line in paper.lines}
    assert [symbol.kind for symbol in paper.symbols] == ["EAN13", "CODE128", "QR"] and not paper.refused


def test_python_escpos_over_the_network(capsys):
    """As a client: it prints, and reads that the printer is online, offline and out of paper."""
    escpos = pytest.importorskip("escpos.printer")
    with VirtualPrinter().in_thread() as virtual:
        printer = escpos.Network("127.0.0.1", virtual.port, timeout=5)
        printer.open()
        everything(printer)
        wait_for(lambda: virtual.papers)
        assert printer.is_online() and printer.paper_status() == 2
        virtual.state.near_end = True
        assert printer.paper_status() == 1
        virtual.state.paper_end = True
        assert not printer.is_online() and printer.paper_status() == 0
        printer.close()
    assert len(virtual.papers) == 1 and len(virtual.ledger.pulses) == 1 and not virtual.ledger.unknown


MODULES = Path(__file__).resolve().parent.parent / ".runtime/node/node_modules"
NODE = shutil.which("node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


def receiptline_modules():
    """Folder of node modules with receiptline and receiptio, which are no part of this project."""
    if not (MODULES / "receiptline").is_dir():
        pytest.skip("receiptline is not there; ./run test installs it")
    if not NODE:
        pytest.skip("node is not installed")
    return MODULES


DOCUMENT = """^^^領収証
-
りんご (税率8%)|￥1,080
=
合計|^"￥1,630"
{code:4901234567894;option:jan,2,72,hri}
{code:https://example.jp/;option:qrcode,5,m}
ｶﾀｶﾅ ①
"""


def test_receiptline_prints_as_it_means_to():
    """An independent generator of Japanese ESC/POS: nothing unknown, and the text is the document's."""
    folder = receiptline_modules()
    script = (
        "const r = require('receiptline');"
        "const options = {command: 'escpos', encoding: 'cp932', cpl: 48, cutting: true};"
        "const text = require('fs').readFileSync(0, 'utf8');"
        "process.stdout.write(Buffer.from(r.transform(text, options), 'binary'));"
    )
    environment = {**os.environ, "NODE_PATH": str(folder)}
    data = subprocess.run(
        [NODE, "-e", script], input=DOCUMENT.encode(), capture_output=True, env=environment, check=True
    )
    paper = print_out(data.stdout)
    lines = [line.strip() for line in paper.lines]
    assert "領収証" in lines and "─" * 48 in lines and "ｶﾀｶﾅ ①" in lines
    assert any(re.fullmatch(r"りんご \(税率8%\) +￥1,080", line) for line in lines)
    assert [symbol.kind for symbol in paper.symbols] == ["EAN13"] and not paper.missing and not paper.refused
    assert read_qr(paper.image()) == "https://example.jp/"


@pytest.fixture
def usual_port():
    """A printer on port 9100, the only one that receiptio knows."""
    printer = VirtualPrinter(9100)
    running = printer.in_thread()
    try:
        running.__enter__()
    except OSError:
        pytest.skip("port 9100 is taken")
    yield printer
    running.__exit__(None, None, None)


def test_receiptio_prints_and_reads_the_status(usual_port):
    """An independent client: its inquiries, its search for the model, printing with automatic status, page mode."""
    folder = receiptline_modules()
    if not (folder / "receiptio").is_dir():
        pytest.skip("receiptio is not there; ./run test installs it")

    def receiptio(*options):
        command = [NODE, str(folder / "receiptio" / "bin" / "cli.js"), "-d", "127.0.0.1", "-t", "10", *options]
        done = subprocess.run(command, input=DOCUMENT.encode(), capture_output=True, timeout=30, check=False)
        return (done.stdout + done.stderr).decode().strip()

    assert receiptio("-q") == "online"
    assert receiptio("-l", "ja") == "success"
    assert [paper.lines[0].strip() for paper in usual_port.papers] == ["領収証", "合計 ￥1,630"]
    # With -v everything is in page mode, turned by a quarter.
    assert receiptio("-l", "ja", "-v", "-p", "escpos") == "success"
    assert [line.strip() for line in usual_port.papers[2].lines if line] == [
        *["領収証", "─" * 48, "りんご (税率8%) ￥1,080", "合計 ￥1,630", "ｶﾀｶﾅ ①"]
    ]
    usual_port.state.paper_end = True
    assert receiptio("-q") == "paperempty"
    usual_port.state.paper_end = False
    usual_port.state.cover_open = True
    assert receiptio("-q") == "coveropen"
    # The question by which it finds out whether this is a Star printer is none of ESC/POS.
    assert {event.detail["data"] for event in usual_port.ledger.unknown} == {"1b 06", "01"}
