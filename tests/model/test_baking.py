"""What is baked, when two sets are the same, and what is left for a seat that stands on one."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from labctl.model import baking, marks, planning, reading
from labctl.model.plan import SeatRef
from labctl.model.site import Cluster, Image, Site, Template

TEXT = """labctl: 1
about: {title: Two boxes, area: systems}
machines:
  web: {image: debian-12, kind: container, memory: 256M, password: "${lab.secret}"}
  db: {image: debian-12, kind: container, after: [web]}
variables:
  secret: {random: password}
  colour: {value: red}
configure:
  - {packages: [nginx], hosts: [web]}
  - {write: /etc/colour, content: "${lab.colour}", hosts: [db]}
  - {write: /root/secret, content: "${lab.secret}", hosts: [db], bake: false}
ready:
  - {file: /root/secret, machine: db, contains: "${lab.secret}"}
"""
FILES = "sha256:files"


def site(vmid: int = 9001, **kind: object) -> Site:
    images = {"debian-12": Image(container=(Template(node="n1", vmid=vmid),))}
    return Site(cluster=Cluster(secret_file="s", ca_file="c"), management=IPv4Network("100.64.0.0/16"), images=images, **kind)


def baked(text: str = TEXT, *, plot: int = 3, where: Site | None = None, environment: str = "g000000001"):
    return baking.plan(
        reading.parse(text, "x"), where or site(), environment=environment, plot=plot, classroom="golden.1", source="two-boxes@sha256:1"
    )


def seat(plot: int = 7):
    lab = reading.parse(TEXT, "x")
    values = {"secret": "very-secret", "colour": "red"}
    return planning.plan(
        lab, site(), environment="e1", plot=plot, classroom="monday", seat=SeatRef(number=1, name="Ada", login="ada"),
        source="two-boxes@sha256:1", values=values,
    )  # fmt: skip


def test_golden_machines_hold_only_what_is_the_same_for_everybody():
    plan = baked()
    assert [step.what for step in plan.steps] == ["packages", "/etc/colour"]
    assert plan.steps[1].content == "red"
    assert plan.checks == ()
    assert [variable.name for variable in plan.variables] == ["colour"]
    assert all(machine.password is None for machine in plan.machines)
    assert plan.principal == "nobody-g000000001"


def test_they_are_built_at_the_labs_own_addresses():
    assert [nic.address for machine in baked().machines for nic in machine.nics if nic.network] == [
        nic.address for machine in seat().machines for nic in machine.nics if nic.network
    ]


def test_a_blueprint_without_a_baked_step_needs_none():
    assert baking.needed(reading.parse(TEXT, "x"))
    start = TEXT.index("  - {packages")
    assert not baking.needed(reading.parse(TEXT[:start] + TEXT[TEXT.index("  - {write: /root") :], "x"))


def test_the_digest_is_the_same_on_every_plot_and_for_every_environment():
    first = baking.golden_digest(baked(), FILES)
    assert first == baking.golden_digest(baked(plot=9, environment="g000000002"), FILES)
    assert first.startswith("sha256:")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("memory: 256M", "memory: 512M"),
        ("image: debian-12, kind: container, memory", "image: debian-12, cpus: 2, kind: container, memory"),
        ("{random: password}", "{random: hex}"),
        ('content: "${lab.secret}", hosts: [db], bake: false', 'content: "${lab.secret}!", hosts: [db], bake: false'),
        ("title: Two boxes", "title: Boxes"),
        ('contains: "${lab.secret}"', 'mode: "0600"'),
    ],
)
def test_what_only_a_seat_has_is_not_in_it(old, new):
    assert old in TEXT
    assert baking.golden_digest(baked(TEXT.replace(old, new, 1)), FILES) == baking.golden_digest(baked(), FILES)


@pytest.mark.parametrize(
    ("old", "new"),
    [("[nginx]", "[apache2]"), ("{value: red}", "{value: blue}"), ("kind: container, memory", "hostname: www, kind: container, memory"),
     ("after: [web]", "after: [web], groups: [store]"), ("after: [web]", "sudo: false"), ("after: [web]", "login: ada")],
)  # fmt: skip
def test_what_decides_a_golden_machine_is_in_it(old, new):
    assert old in TEXT
    assert baking.golden_digest(baked(TEXT.replace(old, new, 1)), FILES) != baking.golden_digest(baked(), FILES)


def test_other_files_or_another_template_make_another_set():
    first = baking.golden_digest(baked(), FILES)
    assert baking.golden_digest(baked(), "sha256:other") != first
    assert baking.golden_digest(baked(where=site(9005)), FILES) != first


def test_a_seat_that_stands_on_them_has_only_the_personal_steps_and_clones_their_guests():
    where, plan = site(), seat()
    stood = baking.stand(plan, where, "g1", 3)
    assert [step.what for step in stood.steps] == ["/root/secret"]
    assert [machine.template for machine in stood.machines] == [marks.vmid(where, 3, 1), marks.vmid(where, 3, 2)]
    assert [machine.template for machine in stood.machines] == [machine.vmid for machine in baked().machines]
    assert stood.stands_on == "g1"
    assert stood.checks == plan.checks
    again = baking.stand(stood, where, "g2", 4)
    assert again == baking.stand(plan, where, "g2", 4)


def test_the_name_of_a_set_is_no_name_for_a_class():
    from labctl import desk

    assert not desk.SLUG.fullmatch(baking.slug(baking.golden_digest(baked(), FILES)))
