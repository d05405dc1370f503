"""A cluster's description from YAML. Complaints name the file, the line and the column."""

from __future__ import annotations

import dataclasses
from typing import Any

import yaml

from labctl.sandbox.paper import description

_TYPES = ("rbd", "zfspool", "dir")
_ZONES = ("vlan", "vxlan", "simple")


def cluster(text: str, name: str) -> description.Cluster:
    """Keys as in `description.Cluster`; `nodes` is a number, or a list of {name, memory, cores}."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as failure:
        mark = failure.problem_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise description.BadDescription(f"{place}: {failure.problem}") from None
    reader = _Reader(name)
    known = reader.mapping(root, {"nodes", "storages", "storage", "speed", "zone", "times", "limits"}) if root else {}
    return reader.whole(known, root)


class _Reader:
    """Nodes of YAML to values, with their place in every complaint."""

    def __init__(self, name: str) -> None:
        self._name = name

    def fail(self, node: yaml.Node | None, text: str) -> description.BadDescription:
        place = f"{self._name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}" if node else self._name
        return description.BadDescription(f"{place}: {text}")

    def whole(self, known: dict[str, yaml.Node], root: yaml.Node | None) -> description.Cluster:
        if "nodes" not in known:
            raise self.fail(root, "'nodes' is missing: how many there are, or a list of them")
        speed = self.number(known["speed"], float) if "speed" in known else 1.0
        if speed <= 0:
            raise self.fail(known["speed"], "'speed' is a number above 0")
        machines = self.machines(known["nodes"])
        storages = self.storages(known["storages"], {machine.name for machine in machines}) if "storages" in known else {}
        storages = storages or description.default(1, 1.0).storages
        storage = self.word(known["storage"], tuple(storages)) if "storage" in known else next(iter(storages))
        return description.Cluster(
            nodes=machines,
            storages=storages,
            storage=storage,
            speed=float(speed),
            zone=self.word(known["zone"], _ZONES) if "zone" in known else "vxlan",
            times=description.Times(**self.numbers(known.get("times"), description.Times)),
            limits=description.Limits(**self.numbers(known.get("limits"), description.Limits)),
        )

    def mapping(self, node: yaml.Node, allowed: set[str]) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            raise self.fail(node, f"expected keys: {', '.join(sorted(allowed))}")
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if key.value not in allowed:
                raise self.fail(key, f"unknown key '{key.value}'; known are {', '.join(sorted(allowed))}")
            if key.value in found:
                raise self.fail(key, f"'{key.value}' stands here twice")
            found[key.value] = value
        return found

    def number(self, node: yaml.Node, kind: type) -> Any:
        try:
            return kind(node.value)
        except (TypeError, ValueError):
            raise self.fail(node, f"expected a {'whole number' if kind is int else 'number'}") from None

    def numbers(self, node: yaml.Node | None, kind: type) -> dict[str, Any]:
        """Fields of a dataclass of numbers, none of them below 0."""
        if node is None:
            return {}
        defaults = {field.name: field.default for field in dataclasses.fields(kind)}
        found = {}
        for name, value in self.mapping(node, set(defaults)).items():
            found[name] = self.number(value, type(defaults[name]))
            if found[name] < 0:
                raise self.fail(value, f"'{name}' cannot be below 0")
        return found

    def word(self, node: yaml.Node, known: tuple[str, ...]) -> str:
        if node.value not in known:
            raise self.fail(node, f"expected one of {', '.join(known)}")
        return str(node.value)

    def machines(self, node: yaml.Node) -> tuple[description.Machine, ...]:
        if isinstance(node, yaml.ScalarNode):
            count = self.number(node, int)
            if not 1 <= count <= description.MOST_NODES:
                raise self.fail(node, f"a paper cluster has 1 to {description.MOST_NODES} nodes")
            return description.default(count, 1.0).nodes
        if not isinstance(node, yaml.SequenceNode) or not 1 <= len(node.value) <= description.MOST_NODES:
            raise self.fail(node, f"expected a number or a list of 1 to {description.MOST_NODES} nodes")
        found = [self.machine(one, number) for number, one in enumerate(node.value, 1)]
        if len({machine.name for machine in found}) < len(found):
            raise self.fail(node, "two nodes have the same name")
        return tuple(found)

    def machine(self, node: yaml.Node, number: int) -> description.Machine:
        known = self.mapping(node, {"name", "memory", "cores"})
        name = str(known["name"].value) if "name" in known else f"pve{number}"
        if not name.replace("-", "").isalnum() or name[0] == "-":
            raise self.fail(known.get("name"), "a node's name has letters, digits and '-'")
        given = {key: self.number(known[key], int) for key in ("memory", "cores") if key in known}
        return description.Machine(name=name, **given)

    def storages(self, node: yaml.Node, machines: set[str]) -> dict[str, description.Storage]:
        if not isinstance(node, yaml.MappingNode):
            raise self.fail(node, "expected storages by name")
        return {str(key.value): self.storage(value, machines) for key, value in node.value}

    def storage(self, node: yaml.Node, machines: set[str]) -> description.Storage:
        known = self.mapping(node, {"type", "size", "shared", "nodes"})
        kind = self.word(known["type"], _TYPES) if "type" in known else "rbd"
        shared = self.word(known["shared"], ("true", "false")) == "true" if "shared" in known else kind == "rbd"
        on: list[str] = []
        if "nodes" in known:
            if not isinstance(known["nodes"], yaml.SequenceNode):
                raise self.fail(known["nodes"], "expected a list of nodes")
            on = [self.word(one, tuple(sorted(machines))) for one in known["nodes"].value]
        size = self.number(known["size"], int) if "size" in known else description.Storage().size
        return description.Storage(type=kind, size=size, shared=shared, nodes=tuple(on))
