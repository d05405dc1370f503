"""Identity is written by the host's root into a tree that the guest's root has shaped: the tree here is a hostile one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from labctl.sandbox.guests import identity, idmap
from labctl.sandbox.guests.runtime import Identity, RuntimeFailure

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB ada@example"
HASH = "$6$salt$hash"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files of guests belong to ids that only root can give: run as root")


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "root"
    for folder in ("etc/ssh", "etc/sudoers.d", "etc/skel", "home", "root"):
        (root / folder).mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\nold:x:1000:1000::/home/old:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nsudo:x:27:old\nold:x:1000:\n")
    (root / "etc/shadow").write_text("root:*:19000:0:99999:7:::\nold:$6$kept:19000:0:99999:7:::\n")
    (root / "etc/skel/.bashrc").write_text("# skeleton\n")
    return identity.Tree(root, idmap.IdMap(200000))


def lines(tree, path):
    return (tree.root / path).read_text().splitlines()


def owner(tree, path):
    held = os.lstat(tree.root / path)
    return held.st_uid - 200000, stat.S_IMODE(held.st_mode)


def test_a_user_is_made_as_cloud_init_makes_it(tree):
    identity.impress(tree, Identity("one", "web", "ada", HASH, (KEY, KEY + "2")))
    assert "ada:x:1001:1001::/home/ada:/bin/bash" in lines(tree, "etc/passwd")
    assert "sudo:x:27:old,ada" in lines(tree, "etc/group")
    assert any(line.startswith(f"ada:{HASH}:") for line in lines(tree, "etc/shadow"))
    assert lines(tree, "home/ada/.ssh/authorized_keys") == [KEY, KEY + "2"]
    assert lines(tree, "home/ada/.bashrc") == ["# skeleton"]
    assert owner(tree, "home/ada/.ssh") == (1001, 0o700)
    assert owner(tree, "home/ada/.ssh/authorized_keys") == (1001, 0o600)
    assert owner(tree, "etc/sudoers.d/90-cloud-init-users") == (0, 0o440)
    assert owner(tree, "etc/shadow")[1] == 0o640
    assert lines(tree, "etc/hostname") == ["web"]
    assert "127.0.1.1 web" in lines(tree, "etc/hosts")


def test_writing_it_twice_changes_keys_and_adds_nothing_else(tree):
    identity.impress(tree, Identity("one", "web", "ada", None, (KEY,)))
    before = lines(tree, "etc/passwd"), lines(tree, "etc/group")
    identity.impress(tree, Identity("two", "web", "ada", None, ()))
    assert (lines(tree, "etc/passwd"), lines(tree, "etc/group")) == before
    assert lines(tree, "home/ada/.ssh/authorized_keys") == []
    assert [line.split(":")[1] for line in lines(tree, "etc/shadow")] == ["*", "$6$kept", "!"]


def test_a_container_gets_name_and_resolver_and_no_user(tree):
    identity.impress(tree, Identity("one", "web", nameserver="192.0.2.1,192.0.2.2", searchdomain="lab.example"))
    assert lines(tree, "etc/resolv.conf") == ["search lab.example", "nameserver 192.0.2.1", "nameserver 192.0.2.2"]
    assert len(lines(tree, "etc/passwd")) == 2
    assert not (tree.root / "etc/sudoers.d/90-cloud-init-users").exists()


def test_an_existing_user_keeps_id_home_and_password(tree):
    (tree.root / "home/old").mkdir()
    identity.impress(tree, Identity("one", "web", "old", None, (KEY,)))
    assert owner(tree, "home/old/.ssh/authorized_keys")[0] == 1000
    assert any(line.startswith("old:$6$kept:") for line in lines(tree, "etc/shadow"))


def test_keys_of_root_go_to_roots_own_folder(tree):
    identity.impress(tree, Identity("one", "web", "root", None, (KEY,)))
    assert lines(tree, "root/.ssh/authorized_keys") == [KEY]
    assert not (tree.root / "etc/sudoers.d/90-cloud-init-users").exists()


@pytest.mark.parametrize("path", ["etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/machine-id", "etc/ssh/ssh_host_ed25519_key"])
def test_a_link_to_a_file_of_the_host_is_replaced_not_followed(tree, tmp_path, path):
    treasure = tmp_path / "treasure"
    treasure.write_text("the host's")
    (tree.root / path).symlink_to(treasure)
    identity.refresh(tree)
    identity.impress(tree, Identity("one", "web"))
    assert treasure.read_text() == "the host's"
    assert not (tree.root / path).is_symlink()


def test_a_hard_link_to_a_file_of_the_host_is_replaced_not_written_into(tree, tmp_path):
    treasure = tmp_path / "treasure"
    treasure.write_text("the host's")
    os.link(treasure, tree.root / "etc/hostname")
    identity.impress(tree, Identity("one", "web"))
    assert treasure.read_text() == "the host's"
    assert lines(tree, "etc/hostname") == ["web"]


@pytest.mark.parametrize("link", ["etc/ssh", "etc/sudoers.d", "home", "home/ada", "home/ada/.ssh"])
def test_a_folder_that_is_a_link_to_one_of_the_host_is_refused(tree, tmp_path, link):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place = tree.root / link
    if place.is_dir():
        for one in place.iterdir():
            one.unlink()
        place.rmdir()
    place.parent.mkdir(exist_ok=True, parents=True)
    place.symlink_to(elsewhere)
    with pytest.raises(RuntimeFailure, match="plain folder"):
        (identity.refresh(tree), identity.impress(tree, Identity("one", "web", "ada", None, (KEY,))))
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    "entry",
    [
        "ada:x:4294767296:0::/home/ada:/bin/bash",
        "ada:x:-1:0::/home/ada:/bin/bash",
        "ada:x:9:9::/../../tmp/out:/bin/bash",
        "ada:x",
        "ada:x:9:9:::",
    ],
)
def test_a_forged_passwd_entry_leads_nowhere_outside_the_guest(tree, tmp_path, entry):
    (tree.root / "etc/passwd").write_text(f"{entry}\n")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(RuntimeFailure):
        identity.impress(tree, Identity("one", "web", "ada", None, (KEY,)))
    assert sorted(tmp_path.iterdir()) == before
    for folder, names, files in os.walk(tree.root):
        for name in (*names, *files):
            assert os.lstat(Path(folder) / name).st_uid in {0, 200000}


def test_a_pipe_in_place_of_a_file_does_not_hold_the_node_up(tree):
    (tree.root / "etc/passwd").unlink()
    os.mkfifo(tree.root / "etc/passwd")
    identity.impress(tree, Identity("one", "web", "ada", None, (KEY,)))
    assert lines(tree, "etc/passwd")[0].startswith("ada:")


@pytest.mark.parametrize("user", ["../up", "a b", "ada:x:0", "Ada", "", "-f", "a\nroot"])
def test_impossible_user_names_and_hashes_are_refused(tree, user):
    if user:
        with pytest.raises(RuntimeFailure, match="user name"):
            identity.seat_user(tree, user, None, ())
    with pytest.raises(RuntimeFailure, match="crypt"):
        identity.seat_user(tree, "ada", "a:b\nroot::", ())
