"""Planning: pure, complete, and nothing two seats could fight over. Texts and whole plans are in `tests/cases`."""

import ipaddress
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl import errors
from labctl.drivers import site_file
from labctl.model import addressing, inventory, marks, planning, reading
from labctl.model.plan import Plan, SeatRef
from tests.model import cases

SITE = site_file.read(cases.CASES / "site.yaml")
WHOLE = reading.parse((cases.CASES / "everything" / "blueprint.yaml").read_text(), "f")
SOURCE = f"lab@sha256:{'0' * 64}"


def lab(machines, rest=""):
    text = (
        f"labctl: 1\nabout: {{title: A lab, area: systems}}\ndefaults: {{image: debian-12, kind: container}}\nmachines:\n{machines}\n{rest}"
    )
    return reading.parse(text, "f")


def plan(blueprint, *, plot=1, number=1, site=SITE, seed=0, **values):
    drawn = {**planning.draw(blueprint, {}, random.Random(seed)), **values}
    seat = SeatRef(number=number, name="Ada", login="ada")
    return planning.plan(blueprint, site, environment="abcde12345", plot=plot, classroom="monday", seat=seat, source=SOURCE, values=drawn)


def test_the_same_input_gives_the_same_plan():
    assert plan(WHOLE) == plan(WHOLE)


def test_a_plan_survives_being_saved():
    made = plan(WHOLE)
    assert Plan.model_validate_json(made.model_dump_json()) == made


@given(st.sets(st.integers(1, SITE.plots[-1]), min_size=2, max_size=2))
@settings(max_examples=50, deadline=None)
def test_two_plots_share_no_vmid_mac_vnet_tag_or_management_address(plots):
    one, other = (plan(WHOLE, plot=plot) for plot in plots)

    def unique(made):
        yield from (machine.vmid for machine in made.machines)
        yield from (nic.mac for machine in made.machines for nic in machine.nics)
        yield from (network.vnet for network in made.networks)
        yield from (f"tag {network.tag}" for network in made.networks)
        yield from (machine.address for machine in made.machines)

    first, second = list(unique(one)), list(unique(other))
    assert len(set(first)) == len(first)
    assert not set(first) & set(second)


def test_two_seats_have_the_same_lab_addresses():
    def lab_addresses(made):
        return [[nic.address for nic in machine.nics[1:]] for machine in made.machines]

    assert lab_addresses(plan(WHOLE, plot=3, number=1)) == lab_addresses(plan(WHOLE, plot=900, number=7, seed=5))


def test_numbers_come_from_the_plot():
    made = plan(WHOLE, plot=7)
    assert [machine.vmid for machine in made.machines] == [marks.vmid(SITE, 7, index) for index in (1, 2, 3, 4)]
    assert made.machines[0].nics[0].address == f"{marks.management_address(SITE, 7, 1)}/16"
    assert all(machine.nics[0].gateway is None and machine.nics[0].vnet == "labmgmt" for machine in made.machines)


@pytest.mark.parametrize(
    ("classroom", "principal"), [("monday", "seat-monday-3-a123456789"), ("Été 2026/a b", "seat--t--2026-a-b-3-a123456789")]
)
def test_a_principal_names_the_seat_in_letters_openssh_takes(classroom, principal):
    assert planning.principal(classroom, 3, "a123456789") == principal


@given(st.lists(st.sampled_from(["auto", "none", "10.10.10.7", "10.10.10.200"]), min_size=1, max_size=8), st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_no_two_machines_have_one_address(nics, count):
    machines = "\n".join(
        f"  m{number}: {{nics: {{lan: {nic}}}, count: {count if nic == 'auto' else 1}}}" for number, nic in enumerate(nics)
    )
    fixed = [nic for nic in nics if nic[0] == "1"]
    text = f"{machines}\nnetworks: {{lan: {{cidr: 10.10.10.0/24}}}}"
    if len(set(fixed)) < len(fixed):
        with pytest.raises(errors.BadInput) as caught:
            lab(text)
        assert all("already taken" in complaint.text for complaint in caught.value.complaints)
        return
    blueprint = lab(text)
    addresses = [address for address in addressing.assign(blueprint).by_nic.values() if address]
    assert len(set(addresses)) == len(addresses)
    assert all(ipaddress.IPv4Address("10.10.10.1") < address < ipaddress.IPv4Address("10.10.10.255") for address in addresses)


def test_a_machine_added_at_the_end_moves_nobody():
    few = "  a: {}\n  b: {count: 2}\n  c: {nics: {lan: 10.10.10.254}}"
    before, after = lab(few), lab(few + "\n  d: {}")
    old = addressing.assign(before).by_nic
    assert old == {key: value for key, value in addressing.assign(after).by_nic.items() if key in old}
    assert str(old["a", "lan"]) == "10.10.10.253"


def test_only_a_machine_is_a_default_route_and_never_its_own():
    networks = "networks: {up: {cidr: 10.1.0.0/24}, in: {cidr: 10.2.0.0/24, gateway: edge}}\n"
    made = plan(lab("  desk: {nics: {up: auto, in: auto}}\n  edge: {forwards: true, nics: {up: auto, in: 10.2.0.1}}", networks))
    assert [nic.gateway for nic in made.machine("desk").nics] == [None, None, "10.2.0.1"]
    assert [nic.gateway for nic in made.machine("edge").nics] == [None, None, None]


def test_a_machine_has_at_most_one_default_route():
    networks = "networks: {a: {cidr: 10.1.0.0/24, gateway: edge}, b: {cidr: 10.2.0.0/24, gateway: edge}}\n"
    made = plan(lab("  desk: {nics: {b: auto, a: auto}}\n  edge: {forwards: true, nics: {a: auto, b: auto}}", networks))
    assert [bool(nic.gateway) for nic in made.machine("desk").nics] == [False, True, False]


def test_hosts_are_machines_groups_and_counted_names_in_file_order():
    machines = "  a: {groups: [web]}\n  b: {count: 2}\n  c: {groups: [web]}"

    def hosts(written):
        return plan(lab(machines, f"configure: [{{packages: [x], hosts: [{written}]}}]\n")).steps[0].hosts

    assert hosts("c, a") == ("a", "c")
    assert hosts("web") == ("a", "c")
    assert hosts("b") == ("b-1", "b-2")
    assert hosts("b-2, web") == ("a", "b-2", "c")
    assert hosts("all") == hosts("lan") == hosts("container") == hosts("linux") == ("a", "b-1", "b-2", "c")
    assert hosts("vm") == ()


def test_a_disk_is_rounded_up_to_whole_gibibytes():
    assert plan(lab("  a: {disk: 2500M}")).machines[0].disk == 3


def test_waiting_for_one_of_several_is_not_waiting_for_all():
    made = plan(lab("  a: {after: [b-2]}\n  b: {count: 2}\n  c: {after: [b]}"))
    assert made.machine("a").after == ("b-2",)
    assert made.machine("c").after == ("b-1", "b-2")


def test_a_plan_without_all_values_is_refused():
    with pytest.raises(errors.BadInput, match="no value for flag"):
        planning.plan(
            lab("  a: {}", "variables: {flag: {random: flag}}\n"),
            SITE,
            environment="abcde12345",
            plot=1,
            classroom="monday",
            seat=SeatRef(number=1, name="Ada", login="ada"),
            source=SOURCE,
            values={},
        )


def test_a_value_cannot_smuggle_a_pattern_or_a_reference():
    variables = "variables: {v: {ask: text, label: V, default: x}}\n"
    rest = variables + "configure: [{write: /x, content: '${lab.v}', bake: false}]\nready: [{file: /x, contains: '${lab.v}'}]\n"
    made = plan(lab("  a: {}", rest), v=".*${lab.v}")
    assert made.steps[0].content == ".*${lab.v}"
    assert made.checks[0].contains == r"\.\*\$\{lab\.v\}"


@pytest.mark.parametrize("name", ["{{ lookup('pipe', 'id') }}", "{% x %}", "{# x #}"])
def test_a_name_cannot_make_ansible_run_something(name):
    rest = "configure: [{role: r, bake: false, vars: {a: {b: ['{{ written }} by ${lab.seat.name}']}}}]\n"
    blueprint = lab("  a: {}", rest)

    def made(seat_name):
        seat = SeatRef(number=1, name=seat_name, login="ada")
        return planning.plan(blueprint, SITE, environment="abcde12345", plot=1, classroom="c", seat=seat, source=SOURCE, values={})

    assert made("Ada {1}").steps[0].vars == {"a": {"b": ["{{ written }} by Ada {1}"]}}
    with pytest.raises(errors.BadInput, match=r"the value of seat.name holds .* which Ansible would run"):
        made(name)


def test_two_values_cannot_make_a_template_together():
    rest = "variables: {a: {ask: text, label: A}, b: {ask: text, label: B}}\n"
    blueprint = lab("  m: {}", rest + "configure: [{role: r, bake: false, vars: {x: '${lab.a}${lab.b}'}}]\n")
    seat = SeatRef(number=1, name="Ada", login="ada")
    with pytest.raises(errors.BadInput, match="the value of a, b holds"):
        planning.plan(
            blueprint,
            SITE,
            environment="abcde12345",
            plot=1,
            classroom="c",
            seat=seat,
            source=SOURCE,
            values={"a": "{", "b": "{ lookup('pipe', 'id') }}"},
        )


def test_a_site_without_the_image_names_machine_and_what_there_is():
    with pytest.raises(errors.BadInput) as caught:
        plan(lab("  kali: {image: kali}"))
    assert str(caught.value) == "machine 'kali': image 'kali' is not in this site's catalogue; it has: debian-12, router"
    assert caught.value.hint


def test_the_catalogue_of_a_windows_image_is_refused_as_not_yet():
    image = SITE.images["debian-12"].model_copy(update={"family": "windows"})
    with pytest.raises(errors.BadInput, match="family windows, which is not supported yet"):
        plan(lab("  a: {}"), site=SITE.model_copy(update={"images": {"debian-12": image}}))


def test_groups_agree_with_the_inventory():
    members = inventory.machines(WHOLE)
    groups = inventory.groups(WHOLE, members)
    assert groups["desk"] == ("desk-1", "desk-2")
    assert groups["windows"] == ()
    assert groups["all"] == tuple(machine.name for machine in members)


def test_a_password_that_nobody_can_type_is_refused():
    rest = "variables: {p: {ask: secret, label: P}}\n"
    blueprint = lab('  a: {password: "${lab.p}"}', rest)
    values = {"p": "a\nroot:x"}
    seat = SeatRef(number=1, name="Ada", login="ada")
    with pytest.raises(errors.BadInput) as caught:
        planning.plan(blueprint, SITE, environment="abcde12345", plot=1, classroom="c", seat=seat, source=SOURCE, values=values)
    assert "machine 'a': its password holds a line break" in str(caught.value)
    assert "root" not in str(caught.value)


def test_a_later_class_of_the_same_name_has_other_principals():
    assert planning.principal("monday", 3, "a123456789") != planning.principal("monday", 3, "b123456789")
