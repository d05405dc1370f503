"""The machine under the guests: what it lacks, the image, the node's namespace. Nothing here starts a guest."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labctl.sandbox.guests import cgroups, check, idmap, image, inventory, lxc, network, recipe
from labctl.sandbox.guests.runtime import NicSpec, RuntimeFailure
from tests.sandbox.guest_house import CACHE, run

guests = pytest.mark.guests


def test_every_finding_that_is_not_well_says_what_would_help():
    found = check.findings(Path("/nonexistent/home"))
    assert {"root", "tools", "cgroups", "overlay file system", "network", "KVM"} <= {one.name for one in found}
    assert all(one.remedy for one in check.missing(found))
    assert "stand in" in next(one.detail for one in found if one.name == "KVM")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_somebody_who_is_not_root_is_told_so_and_what_to_do():
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            told = "".join(f"{one.name} -> {one.remedy}\n" for one in check.missing(check.findings(Path("/tmp"))))
            os.write(writing, told.encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    assert "root -> run it as root (sudo)" in told
    assert "cgroups -> be root" in told


@guests
def test_a_missing_tool_is_named_with_its_package():
    script = "from labctl.sandbox.guests import check\nprint(next(one for one in check.findings() if one.name == 'tools'))"
    hide = 'mount --bind /dev/null "$(command -v nft)"; exec "$@"'
    done = run("unshare", "--mount", "sh", "-ec", hide, "sh", sys.executable, "-c", script)
    assert "ok=False, detail='missing: nft', remedy='apt-get install --no-install-recommends nftables'" in done.stdout
    assert "ok=True" in run(sys.executable, "-c", script).stdout


@guests
def test_a_home_that_guests_cannot_pass_through_is_refused_with_the_remedy(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(RuntimeFailure, match=r"chmod o\+x"):
        lxc.LxcRuntime(closed / "node", "gh", CACHE, None)
    assert not network.Network("gh").exists()


@pytest.mark.parametrize("name", ["", "A", "a b", "../x", "a" * 33, "-a", "9a"])
def test_impossible_node_names_are_refused(tmp_path, name):
    with pytest.raises(RuntimeFailure, match="node name"):
        lxc.LxcRuntime(tmp_path / "node", name, CACHE, None)


@guests
def test_without_the_image_the_error_says_how_to_build_it():
    home = Path(f"/tmp/labctl-gi{os.getpid()}")
    try:
        runtime = lxc.LxcRuntime(home, "gi", home / "empty", None)
        with pytest.raises(RuntimeFailure, match=r"python -m labctl\.sandbox image --cache"):
            runtime.provide(9000, "debian-12")
        assert runtime.disks.guests() == []
    finally:
        inventory.wipe(home, "gi")
    assert not home.exists()


@guests
def test_the_limits_of_the_kernel_are_high_enough_for_a_class_once_a_node_has_started():
    check.raise_limits()
    assert check.raise_limits() == []
    for name, least in check.LIMITS.items():
        assert int((Path("/proc/sys") / name.replace(".", "/")).read_text()) >= least


def test_the_range_of_ids_is_read_only_where_both_files_give_it_to_root(tmp_path):
    files = (tmp_path / "subuid", tmp_path / "subgid")
    assert idmap.granted(files) is None
    files[0].write_text("ada:100000:65536\nroot:300000:1000\nroot:400000:65536\n")
    assert idmap.granted(files) is None
    made = idmap.grant(files)
    assert made.first == 465536
    assert idmap.granted(files) == made
    assert idmap.grant(files) == made
    assert files[1].read_text() == "root:465536:65536\n"


def test_another_recipe_has_another_name():
    before = recipe.stem()
    assert before.startswith("debian-12-")
    assert len(recipe.digest()) == 12
    assert recipe.digest() == recipe.digest()
    assert image.path(Path("/cache")).name == f"{before}.tar.zst"


@guests
def test_a_killed_build_leaves_no_image_and_no_process_and_the_next_clears_up(tmp_path, monkeypatch):
    script = (
        "from pathlib import Path; from labctl.sandbox.guests import image\n"
        f"image.build(Path({str(tmp_path)!r}), lambda line: print(line, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as build:
        assert "building" in build.stdout.readline()
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".building-*/mmdebstrap.*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert list(tmp_path.glob(".building-*/mmdebstrap.*"))
        build.kill()
    deadline = time.monotonic() + 60
    while str(tmp_path) in run("ps", "axww", "-o", "command").stdout and time.monotonic() < deadline:
        time.sleep(0.05)
    assert str(tmp_path) not in run("ps", "axww", "-o", "command").stdout
    assert not image.path(tmp_path).exists()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # the way to the archive is a closed port
    with pytest.raises(RuntimeFailure, match="needs the Debian archive"):
        image.build(tmp_path, lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


@guests
def test_namespace_bridges_and_cable_can_be_made_again_and_go_without_trace():
    net = network.Network("gj")
    try:
        for _ in range(2):
            net.ensure()
            net.add_bridge("v1")
            net.plug_cable("gjcable", "v1")
        assert net.bridges() == {"v1"}
        assert net.cables() == ["gjcable"]
        mac = run("cat", "/sys/class/net/gjcable/address").stdout
        run("ip", "netns", "delete", net.namespace)  # as after a crash of the machine
        net.ensure()
        net.add_bridge("v1")
        net.plug_cable("gjcable", "v1")
        assert run("cat", "/sys/class/net/gjcable/address").stdout == mac
    finally:
        net.remove()
    assert net.cables() == []
    assert not net.exists()
    assert net.remove() == []
    assert run("ip", "link", "show", "dev", "gjcable", check=False).returncode != 0


def test_a_card_is_closed_to_others_fixed_and_filtered_only_where_each_is_asked_for():
    mac = "BC:24:11:00:00:01"
    plain = network.plug_script(100, NicSpec(1, mac, "v1"))
    assert not [word for word in ("isolated", "learning", "fdb", "fwbr") if word in plain]
    closed = network.plug_script(100, NicSpec(0, mac, "labmgmt", isolated=True))
    assert "link set $5 type bridge_slave isolated on\n" in closed
    assert "learning" not in closed
    fixed = network.plug_script(100, NicSpec(0, mac, "labmgmt", learning=False))
    assert "fdb replace bc:24:11:00:00:01 dev $5 master static" in fixed
    assert "isolated" not in fixed
    filtered = network.plug_script(100, NicSpec(0, mac, "labmgmt", isolated=True, learning=False, firewall=True))
    assert "link set fwpr100p0 type bridge_slave isolated on learning off flood off\n" in filtered
    assert "link set $5 addrgenmode none master fwbr100i0\n" in filtered
    assert "fdb replace bc:24:11:00:00:01 dev fwpr100p0 master static" in filtered
    assert "master" not in network.plug_script(100, NicSpec(1, mac))


def test_control_groups_of_other_guests_are_not_taken_for_ours():
    assert list(cgroups.Groups("nobody-1").everywhere()) == []
    assert not cgroups.Groups("nobody-1").alive()
