# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Models of printers in the proxy's file: what their profiles say counts where the file says nothing."""

import subprocess
import sys

import pytest

capabilities = pytest.importorskip("escpos.capabilities", reason="the package python-escpos is not installed")
from pos_hardware_proxy import models  # noqa: E402
from pos_hardware_proxy.config import Config, ConfigError  # noqa: E402
from proxy_shop import BESIDE  # noqa: E402

FILE = '[proxy]\nstate = "/tmp/x"\n[[printer]]\nname = "receipt"\naddress = "tcp://10.0.0.5:9100"\n'


def printer(tmp_path, lines):
    path = tmp_path / "proxy.toml"
    path.write_text(FILE + lines, encoding="utf-8")
    return Config.load(path).printers[0]


@pytest.mark.parametrize(
    "lines, width, dpi",
    [
        ('model = "TM-T88V"', 512, 180),
        ('model = "tm-t88v"', 512, 180),
        ('model = "TM-T88V"\nwidth = 360', 360, 180),
        ('model = "TM-T88V"\ndpi = 203', 512, 203),
        ('model = "RP-F10-58mm"', 432, 203),
        ('model = "KR-306"', 576, 203),  # no dpi in its profile
        ('model = "TM-T20II-42col"', 544, 203),  # 546 dots are no whole bytes
        ('model = "RP326"\nwidth = 576', 576, 203),  # width is "Unknown"
        ('model = "TUP500"\nwidth = 576', 576, 203),  # no width at all
        ('model = "default"\nwidth = 384', 384, 203),  # neither
        ("", 576, 203),
    ],
)
def test_width_and_dpi_of_a_model(tmp_path, lines, width, dpi):
    found = printer(tmp_path, lines)
    assert (found.width, found.dpi) == (width, dpi)


@pytest.mark.parametrize(
    "lines, says",
    [
        ('model = "TM-T88VI"', 'receipt: model = "TM-T88VI" is not known. Like it are: TM-T88V, TM-T88IV'),
        ('model = "TM-T88VI"\nwidth = 512\ndpi = 180', "is not known"),
        ('model = "xyzzy"', "Like it are: AF-240, CT-S651"),  # nothing is: all
        ('model = "RP326"', 'model = "RP326" has no width. Write width'),
        ('model = "TUP500"', "has no width"),
        ('model = "AF-240"', "has no width"),  # a display for customers, of 100 dots
        ('model = "TM-T88V"\nwidth = 570', "568 is"),
        ("model = 88", "model must be a text"),
    ],
)
def test_what_is_said_of_a_model_that_does_not_do(tmp_path, lines, says):
    with pytest.raises(ConfigError) as error:
        printer(tmp_path, lines)
    assert says in str(error.value)


def test_profiles_are_those_of_python_escpos():
    assert models.profiles() == capabilities.CAPABILITIES["profiles"]
    for name in models.profiles():
        media = capabilities.get_profile(name).profile_data["media"]
        told = media["width"].get("pixels"), media.get("dpi")
        assert models.paper_of(name) == tuple(None if number == "Unknown" else number for number in told)


def test_without_python_escpos_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "profiles", dict)
    with pytest.raises(ConfigError, match="python-escpos, which has the models, is not installed"):
        printer(tmp_path, 'model = "TM-T88V"')


def test_python_escpos_is_not_imported(tmp_path):
    """It would load libusb, CUPS and what else it finds."""
    printer(tmp_path, 'model = "TM-T88V"')
    program = "import sys; from pos_hardware_proxy.config import Config; Config.load(sys.argv[1]); "
    program += "sys.exit('escpos' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program, tmp_path / "proxy.toml"], cwd=BESIDE).returncode == 0
