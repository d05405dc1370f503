"""`make journeys`: every journey after the other, axe's findings, what browsers complained of. JSON in the last line."""

from __future__ import annotations

import json
import shutil
import sys
import time

from tests.browser import chromium
from tests.journeys import breaking, browsing, closing, coming_in, helping, keyboard, learning, opening, stage, stumbling, telling

JOURNEYS = (
    ("IT comes in and invites a trainer", coming_in.walk),
    ("A trainer opens a class of three", opening.walk),
    ("A learner joins by code and works", learning.walk),
    ("A trainer helps: watch, join, reset", helping.walk),
    ("The API is killed while a learner types", breaking.walk),
    ("A learner opens a web app beside the guide", browsing.walk),
    ("What goes wrong gets a sentence and a button", stumbling.walk),
    ("Keyboard alone, phone, 200 %, less motion", keyboard.walk),
    ("The class closes and IT sees it happen", closing.walk),
)


def main() -> int:
    """0 when it could be measured; what it measured is in the last line."""
    if lack := chromium.lacking():
        print(f"cannot measure: {lack}", file=sys.stderr)
        return 1
    begun = time.monotonic()
    house = stage.house()
    print("labctl starts", flush=True)
    with house, chromium.Chromium() as browser:
        set_up = stage.Stage(house, browser)
        for title, walk in JOURNEYS:
            with set_up.telling.journey(title):
                walk(set_up)
        with set_up.telling.journey("No browser complained of anything"):
            complaints = [*browser.complaints, *set_up.policy_reports()]
            for one in complaints:
                print(f"  ✕ {one[:300]}")
            assert not complaints, f"{len(complaints)} complaints"
            print("  ✓ no refusal by the policy, no error on any console")
        if set_up.telling.failed:
            shutil.copytree(house.home / "log", telling.PICTURES / "log", dirs_exist_ok=True)
    told = set_up.telling
    print(f"\n{time.monotonic() - begun:.0f} s; pictures in {telling.PICTURES.relative_to(stage.REPOSITORY)}")
    print(json.dumps({"passed": len(told.passed), "failed": len(told.failed), "axe": len(set_up.axe)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
