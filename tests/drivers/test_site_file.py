"""The site file: what is written is what is read, and mistakes have a place."""

import pytest

from labctl import errors
from labctl.drivers import shelf, site_file
from tests.model import cases

SITE = site_file.read(cases.CASES / "site.yaml")


def complaints(path, text):
    path.write_text(text)
    with pytest.raises(errors.BadInput) as caught:
        site_file.read(path)
    return [str(complaint).removeprefix(f"{path}:") for complaint in caught.value.complaints]


def test_what_is_written_is_what_is_read(tmp_path):
    path = tmp_path / "home" / "site.yaml"
    site_file.write(path, SITE)
    assert site_file.read(path) == SITE == shelf.read_site(path)
    assert [entry.name for entry in path.parent.iterdir()] == ["site.yaml"]


def test_writing_replaces_the_whole_file(tmp_path):
    path = tmp_path / "site.yaml"
    site_file.write(path, SITE)
    site_file.write(path, SITE.model_copy(update={"images": {}}))
    assert site_file.read(path).images == {}


def test_an_image_has_one_template_or_many_or_none(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text("""cluster: {secret_file: s, ca_file: c}
guests: paper
images:
  a: {vm: {node: n1, vmid: 100}, container: }
  b: {container: [{node: n1, vmid: 101}, {node: n2, vmid: 102}]}
""")
    site = site_file.read(path)
    assert site.guests == "paper"
    assert [one.vmid for one in site.images["a"].of("vm")] == [100]
    assert site.images["a"].of("container") == site.images["b"].of("vm") == ()
    assert [(one.node, one.vmid) for one in site.images["b"].of("container")] == [("n1", 101), ("n2", 102)]
    site_file.write(path, site)
    assert site_file.read(path) == site


def test_a_mistake_in_one_of_many_templates_has_its_place(tmp_path):
    text = """cluster: {secret_file: s, ca_file: c}
images:
  b: {container: [{node: n1, vmid: 101}, {node: n2, vmid: 5}]}
"""
    assert complaints(tmp_path / "site.yaml", text) == ["3:59: 'vmid': input should be greater than or equal to 100"]


def test_a_site_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(errors.NotFound) as caught:
        site_file.read(tmp_path / "site.yaml")
    assert "labctl up" in caught.value.hint


def test_a_site_that_cannot_be_read_says_so(tmp_path):
    with pytest.raises(errors.BadInput, match="Is a directory"):
        site_file.read(tmp_path)


def test_mistakes_have_a_place(tmp_path):
    text = """installation: Lab One
cluster: {secret_file: s, ca_file: c, password: hunter2}
management: 10.0.0.1/8
zone_type: evpn
vmid_base: many
images:
  debian-12: {vm: {node: a, vmid: 5}, container: {node: b}}
pools: labs
"""
    assert complaints(tmp_path / "site.yaml", text) == [
        "1:15: 'installation': string should match pattern '^[a-z][a-z0-9-]{0,15}$'",
        "2:39: unknown key 'password'",
        "3:13: 'management': input is not a valid IPv4 network",
        "4:12: 'zone_type': input should be 'vlan', 'vxlan' or 'simple'",
        "5:12: 'vmid_base': input should be a valid integer, unable to parse string as an integer",
        "7:35: 'vmid': input should be greater than or equal to 100",
        "7:39: 'vmid' is missing",
        "8:1: unknown key 'pools'",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1: "),
        ("- a\n", "1:1: "),
        ("cluster: x\n", "1:10: "),
        ("installation: a\n", "1:1: 'cluster' is missing"),
        ("a: [\n", "2:1: this is not YAML"),
    ],
)
def test_what_is_no_site_is_refused(tmp_path, text, expected):
    assert complaints(tmp_path / "site.yaml", text)[0].startswith(expected)
