# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What the tests that need no Odoo share."""

import importlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "pos_erp_bridge"))
sys.path.insert(0, str(ROOT / "hardware_proxy"))


@pytest.fixture(scope="session")
def contracts():
    """Folder of the vendors' machine-readable contracts; without it the tests that need it are skipped."""
    folder = Path(os.environ.get("BRIDGE_CONTRACTS") or ROOT.parent / "shared" / "contracts")
    if not folder.is_dir():
        pytest.skip("contracts not present")
    return folder


@pytest.fixture(scope="session")
def golden_tax_cases(contracts):
    """File of worked consumption-tax cases that lies beside the contracts; without it the tests are skipped."""
    path = contracts.parent / "reference" / "japan" / "golden_tax_cases.json"
    if not path.is_file():
        pytest.skip("golden tax cases not present")
    return path


@pytest.fixture
def run_sandbox():
    """Start the sandbox of a system: an object with ``sandbox``, ``url`` and a ``connector`` pointed to it."""
    from connectors import get

    running = []

    def start(system, **settings):
        sandbox = importlib.import_module(f"connectors.sandboxes.{system}").Sandbox()
        url = sandbox.start()
        running.append(sandbox)
        return SimpleNamespace(sandbox=sandbox, url=url, connector=get(system)({**sandbox.settings(url), **settings}))

    yield start
    for sandbox in running:
        sandbox.stop()
