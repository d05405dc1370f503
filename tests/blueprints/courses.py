"""The courses of the house, read and planned as the real run does it."""

from __future__ import annotations

import random
from pathlib import Path

from labctl.model import planning, reading
from labctl.model.plan import Plan, SeatRef
from labctl.model.site import Image, Site, Template

FOLDER = Path(__file__).resolve().parents[2] / "blueprints"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/blueprint.yaml"))


def read(name: str) -> reading.Reading:
    file = FOLDER / name / "blueprint.yaml"
    return reading.read(file.read_text(encoding="utf-8"), str(file))


def plan(name: str, site: Site, number: int = 1, plot: int = 5) -> Plan:
    """The plan of one learner; the values of variables are drawn by the seat's number."""
    template = Template(node="sandbox", vmid=9001)
    stocked = site.model_copy(update={"images": {"debian-12": Image(vm=(template,), container=(template,))}})
    blueprint = read(name).blueprint
    return planning.plan(
        blueprint,
        stocked,
        environment=f"e{plot:09d}",
        plot=plot,
        classroom="rehearsal",
        seat=SeatRef(number=number, name="Ada Example", login="ada"),
        source=f"{name}@sha256:0",
        values=planning.draw(blueprint, {}, random.Random(number)),
    )
