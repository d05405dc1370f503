"""axe-core on a page: what keeps people out of it by the criteria of level A and AA.

It is run over the browser's debugging protocol, which our policy does not bind: the page's own scripts could not load it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

_FINISH = "document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity).forEach((one) => one.finish())"


def findings(page: Any) -> list[str]:
    """One line for each element that breaks a rule."""
    # Never detached: with any session that ends, Chromium takes away the page's virtual authenticator.
    wire = page.context.new_cdp_session(page)
    wire.send("Runtime.evaluate", {"expression": SOURCE.read_text()})
    run = f"axe.run(document, {{runOnly: {{type: 'tag', values: {LEVELS}}}, resultTypes: ['violations']}}).then(r => r.violations)"
    answer = wire.send("Runtime.evaluate", {"expression": run, "awaitPromise": True, "returnByValue": True})
    assert "exceptionDetails" not in answer, answer["exceptionDetails"]
    return [
        f"{rule['id']} ({rule['impact']}): {node['target']} {node['any'][0]['message'] if node['any'] else rule['help']}"
        for rule in answer["result"]["value"]
        for node in rule["nodes"]
    ]


def both(page: Any) -> list[str]:
    """In light and in dark."""
    found = []
    for scheme in ("light", "dark"):
        # Without motion: colours on their way from one to the other are nobody's.
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        # What had begun to move before that is brought to its end.
        page.evaluate(_FINISH)
        found += [f"{scheme}: {line}" for line in findings(page)]
    page.emulate_media(color_scheme="light", reduced_motion="no-preference")
    return found
