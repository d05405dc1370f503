"""What browsers load: whole, with its licences, from our own address only."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from api import assets

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not assets.FOLDER.is_dir(), reason="infra/deploy/setup.sh found no npm, so there are no assets")


def test_all_that_pages_ask_for_is_there():
    assert {"page.js", "passkeys.js", "terminal.js", "terminal.css", "desktop.js", "desktop.css", "pico.css", "licences.txt"} <= {
        path.name for path in assets.FOLDER.iterdir()
    }


def test_each_bundle_is_a_program():
    # esbuild exits 0 for some bundles that no browser can read (access.md 3.3).
    bundles = sorted(assets.FOLDER.glob("*.js"))
    assert bundles
    for bundle in bundles:
        copy = subprocess.run(
            [shutil.which("node"), "--check", "--input-type=module"], input=bundle.read_text(), capture_output=True, text=True, check=False
        )
        assert copy.returncode == 0, f"{bundle.name}: {copy.stderr}"


def test_the_licence_of_each_package_that_is_bundled_is_there():
    told = (assets.FOLDER / "licences.txt").read_text()
    for name in json.loads((ROOT / "web" / "package.json").read_text())["dependencies"]:
        assert f"{name} " in told


def test_nothing_is_loaded_from_elsewhere():
    for style in assets.FOLDER.glob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", style.read_text()), style.name


def test_lock_files_name_no_address_and_pin_everything():
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text())
    assert "resolved" not in (ROOT / "web" / "package-lock.json").read_text()
    assert all("integrity" in one for name, one in lock["packages"].items() if name)


def test_files_are_served_with_their_type_and_asked_for_again(house):
    answer = house.client().get("/static/terminal.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(("text/javascript", "application/javascript"))
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["nothing.js", ".built", "../app.py", "%2e%2e/app.py"])
def test_nothing_but_what_was_built_is_served(house, path):
    answer = house.client().get(f"/static/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
