"""Going through trees that are odd, large, or closed."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from host_audit.audited import SOURCE, found, imdsctl, is_root, look, only, put, there

BOTO = "boto-2.49.0.dist-info/METADATA"


def test_loops_of_symbolic_links_end_and_nothing_outside_is_read(tmp_path: Path) -> None:
    put(tmp_path, f"outside/{BOTO}", "x")
    put(tmp_path, f"root/a/{BOTO}", "x")
    (tmp_path / "root/a/loop").symlink_to(tmp_path / "root")
    (tmp_path / "root/out").symlink_to(tmp_path / "outside")
    (tmp_path / "root/awscli-1.0.dist-info").symlink_to(tmp_path / "outside")
    assert only(look(tmp_path / "root"))["where"] == f"/a/{BOTO}"


def test_special_files_are_passed_by(tmp_path: Path) -> None:
    (tmp_path / "dpkg").mkdir()
    os.mkfifo(tmp_path / "dpkg/status")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "installed.json"))
        answer = look(tmp_path)
    assert answer["complete"]
    assert answer["summary"]["files"] == 0


def test_names_that_are_no_text_or_would_steer_a_terminal_are_escaped(tmp_path: Path) -> None:
    for name in (b"\xff\xfe", b"\x1b[31mred", "Umläute".encode(), b"new\nline"):
        folder = os.fsencode(tmp_path) + b"/" + name
        put(Path(os.fsdecode(folder)), BOTO, "x")
    for output in ("table", "json"):
        done = subprocess.run(
            [sys.executable, "-m", "imdsctl", "host", "audit", "--root", tmp_path, "-v",
             "-o", output], capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        text = done.stdout.decode("utf-8")
        assert "\x1b" not in text
        assert "Umläute" in text
        assert "Traceback" not in done.stderr.decode()
    places = {row["where"] for row in json.loads(text)["findings"]}
    assert rf"/\x1b[31mred/{BOTO}" in places
    assert rf"/new\nline/{BOTO}" in places


def test_folders_that_may_not_be_read_are_named_and_make_the_exit_code_3(tmp_path: Path) -> None:
    if not is_root() or not there("setpriv"):
        pytest.skip("needs root and setpriv, to become nobody")
    root = tmp_path / "root"
    put(root, "open/a", "x")
    put(root, f"closed/{BOTO}", "x")
    put(root, "var/lib/dpkg/status", "x", 0o600)
    (root / "closed").chmod(0o700)
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/") and folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(folder.stat().st_mode | 0o055)
    shutil.copytree(SOURCE / "imdsctl", tmp_path / "src/imdsctl")
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3"]
    done = subprocess.run(
        [*words, "-m", "imdsctl.host.audit", "--root", str(root)],
        capture_output=True, text=True, check=False, cwd=tmp_path / "src",
    )  # fmt: skip
    answer = json.loads(done.stdout)
    assert done.returncode == 3
    assert answer["findings"] == []
    assert not answer["complete"]
    assert {m["where"]: m["why"] for m in answer["not_read"]} == {
        "/closed": "permission denied",
        "/var/lib/dpkg/status": "permission denied",
    }


def in_a_mount_namespace(script: str, tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    if not is_root() or not there("unshare", "mount"):
        pytest.skip("needs root, unshare and mount")
    done = subprocess.run(
        ["unshare", "-m", "--propagation", "private", "sh", "-ec", script],
        capture_output=True, text=True, check=False,
        env={**os.environ, "ROOT": str(tmp_path), "PYTHON": sys.executable},
    )  # fmt: skip
    if "mount:" in done.stderr and "denied" in done.stderr:
        pytest.skip("no mounts here")
    return done


AUDIT = '"$PYTHON" -m imdsctl.host.audit --root "$ROOT"'


def test_other_filesystems_are_entered_unless_told_otherwise(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    script = f'mount -t tmpfs x "$ROOT/data"; mkdir -p "$ROOT/data/{BOTO.partition("/")[0]}"; '
    script += f'touch "$ROOT/data/{BOTO}"; {AUDIT} "$@" || true'
    answer = json.loads(in_a_mount_namespace(script, tmp_path).stdout)
    assert found(answer) == {"boto": {"2.49.0"}}
    one = script.replace('"$@"', "--one-file-system")
    answer = json.loads(in_a_mount_namespace(one, tmp_path).stdout)
    assert answer["findings"] == []
    assert answer["skipped"] == [{"where": "/data", "why": "another filesystem"}]


def test_what_is_mounted_again_elsewhere_is_walked_once_and_proc_not_at_all(
    tmp_path: Path,
) -> None:
    put(tmp_path, f"vol/{BOTO}", "x")
    for name in ("one", "two", "proc"):
        (tmp_path / name).mkdir()
    script = 'mount -t tmpfs x "$ROOT/one"; mkdir -p "$ROOT/one/boto-2.49.0.dist-info"; '
    script += f'touch "$ROOT/one/{BOTO}"; mount --bind "$ROOT/one" "$ROOT/two"; '
    script += f'mount -t proc x "$ROOT/proc"; rm -r "$ROOT/vol"; {AUDIT} || true'
    answer = json.loads(in_a_mount_namespace(script, tmp_path).stdout)
    assert len(answer["findings"]) == 1
    assert answer["summary"]["files"] == 1


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.s3fs", "ext4", "fuse.snapfuse"])
def test_network_filesystems_are_left_out_by_name_unless_asked_for(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, f"share/{BOTO}", "x")
    mounts = {str(tmp_path / "share"): kind}
    monkeypatch.setattr("imdsctl.host.audit.walk._mounts", lambda: mounts)
    answer = look(tmp_path)
    local = kind in ("ext4", "fuse.snapfuse")
    assert len(answer["findings"]) == int(local)
    assert [one["where"] for one in answer["skipped"]] == ([] if local else ["/share"])
    assert answer["complete"]
    assert len(look(tmp_path, network=True)["findings"]) == 1


def test_a_root_that_is_none_is_bad_input(tmp_path: Path) -> None:
    done = imdsctl("host", "audit", "--root", tmp_path / "nothing")
    assert done.returncode == 2
    assert "is no folder" in done.stderr
    assert done.stdout == ""


def test_the_root_is_left_as_it_was(tmp_path: Path) -> None:
    put(tmp_path, f"a/{BOTO}", "x")
    put(tmp_path, "var/lib/rpm/rpmdb.sqlite", b"SQLite format 3\0" + b"\0" * 4080)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    look(tmp_path)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before
