"""Cases as files: a folder per case in `tests/cases`, a blueprint in, a plan or complaints out. A new case needs no code.

    tests/cases/NAME/blueprint.yaml    in
    tests/cases/NAME/errors.txt        out, when it is refused: one complaint a line, as people see them
    tests/cases/NAME/plan.json         out, when it plans (seat 2, plot 5, class `monday`, drawn with seed 1); without default values
    tests/cases/NAME/warnings.txt      out, when there are warnings

`python tests/model/cases.py NAME...` writes what comes out today; read it before you commit it.
"""

import json
import random
import sys
from pathlib import Path

from labctl import errors
from labctl.drivers import site_file
from labctl.model import planning, reading
from labctl.model.plan import SeatRef

CASES = Path(__file__).parents[1] / "cases"
OUT = ("errors.txt", "plan.json", "warnings.txt")


def names():
    return sorted(file.parent.name for file in CASES.glob("*/blueprint.yaml"))


def outcome(name):
    """What comes out today: file name -> text."""
    text = (CASES / name / "blueprint.yaml").read_bytes().decode("utf-8", "surrogateescape")
    try:
        read = reading.read(text, "blueprint.yaml")
        plan = planning.plan(
            read.blueprint,
            site_file.read(CASES / "site.yaml"),
            environment="abcde12345",
            plot=5,
            classroom="monday",
            seat=SeatRef(number=2, name="Ada Lovelace", login="ada", email="ada@example.org"),
            source=f"{name}@sha256:{'0' * 64}",
            values=planning.draw(read.blueprint, {}, random.Random(1)),
        )
    except errors.BadInput as error:
        return {"errors.txt": "".join(f"{complaint}\n" for complaint in error.complaints or (error,))}
    made = {"plan.json": json.dumps(plan.model_dump(mode="json", exclude_defaults=True), indent=1, ensure_ascii=False) + "\n"}
    if read.warnings:
        made["warnings.txt"] = "".join(f"{warning}\n" for warning in read.warnings)
    return made


def expected(name):
    return {file: (CASES / name / file).read_text() for file in OUT if (CASES / name / file).exists()}


if __name__ == "__main__":
    for case in sys.argv[1:] or names():
        for old in OUT:
            (CASES / case / old).unlink(missing_ok=True)
        for file, content in outcome(case).items():
            (CASES / case / file).write_text(content)
