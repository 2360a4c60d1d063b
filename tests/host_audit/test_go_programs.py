"""Go programs built by the real toolchain, and the older format of their build information."""

import struct
from pathlib import Path

import pytest

from host_audit.audited import found, look, only, put
from host_audit.managers import NotHereError, build_go
from imdsctl.host.audit.finders.golang import build_information, modules_in

SDK = "github.com/aws/aws-sdk-go"


def program(folder: Path, version: str = "v1.25.19", **how: bool | str) -> bytes:
    try:
        return build_go(folder, version, **how)  # type: ignore[arg-type]
    except NotHereError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("flags", ["", "-ldflags=-s", "-trimpath", "-buildmode=pie"])
def test_the_sdk_in_a_program_is_found_also_in_a_stripped_one(flags: str, tmp_path: Path) -> None:
    put(tmp_path, "root/usr/bin/tool", program(tmp_path / "p", old=True, flags=flags), 0o755)
    row = only(look(tmp_path / "root"))
    assert (row["name"], row["version"], row["behaviour"]) == (SDK, "v1.25.19", "v1-only")
    assert row["confidence"] == "high"
    assert row["how"] == "Go build information"


def test_built_without_modules_the_code_itself_tells(tmp_path: Path) -> None:
    old = program(tmp_path / "old", old=True, modules=False)
    put(tmp_path, "root/usr/bin/old", old, 0o755)
    put(tmp_path, "root/usr/bin/new", program(tmp_path / "new", old=False, modules=False), 0o755)
    row = only(look(tmp_path / "root"))
    assert (row["where"], row["version"], row["confidence"]) == ("/usr/bin/old", None, "medium")
    assert "no request for a token" in row["note"]


def test_a_patched_sdk_with_the_request_for_a_token_is_no_finding(tmp_path: Path) -> None:
    patched = program(tmp_path / "p", old=False)  # v1.25.19, and yet
    put(tmp_path, "root/usr/bin/tool", patched, 0o755)
    assert look(tmp_path / "root")["findings"] == []


def test_an_sdk_whose_metadata_client_is_not_linked_in_is_only_noted(tmp_path: Path) -> None:
    data = program(tmp_path / "p", old=True)
    client = b"github.com/aws/aws-sdk-go/aws/ec2metadata."
    assert client in data
    put(tmp_path, "root/bin/tool", data.replace(client, client[:-2] + b"A."), 0o755)
    answer = look(tmp_path / "root")
    assert answer["findings"] == []
    (note,) = answer["notes"]
    assert "not linked in" in note["note"]


def test_a_replaced_module_has_the_version_that_replaced_it() -> None:
    listed = (
        f"path\tx\nmod\tx\t(devel)\ndep\t{SDK}\tv1.25.0\n=>\t{SDK}\tv1.44.0\th1:x=\ndep\ty\tv1\n"
    )
    assert modules_in(listed) == [("x", "(devel)"), (SDK, "v1.44.0"), ("y", "v1")]


def pointed(listed: bytes, *, wide: bool, big: bool) -> bytes:
    """A program as Go 1.13 to 1.17 left it: pointers to texts, in a writable segment."""
    order = ">" if big else "<"
    word = order + ("Q" if wide else "I")
    size, address, start = (8, 0x400000, 0x100) if wide else (4, 0x8000, 0x100)
    body = bytearray(0x400 + len(listed))
    info = 0x40
    body[info : info + 14] = b"\xff Go buildinf:"
    body[info + 14], body[info + 15] = size, int(big)
    struct.pack_into(word, body, info + 16, address + 0x80)
    struct.pack_into(word, body, info + 16 + size, address + 0xA0)
    text = b"\x30w\xaf\x0c\x92t\x08\x02A\xe1\xc1\x07\xe6\xd6\x18\xe6" + listed
    text += b"\xf92C1\x86\x18 r\x00\x82B\x10A\x16\xd8\xf2"
    struct.pack_into(word, body, 0xA0, address + 0x100)
    struct.pack_into(word, body, 0xA0 + size, len(text))
    body[0x100 : 0x100 + len(text)] = text
    head = bytearray(0x100)
    head[:6] = b"\x7fELF" + bytes([2 if wide else 1, 2 if big else 1])
    if wide:
        struct.pack_into(order + "QQ", head, 32, 64, 0)
        struct.pack_into(order + "HH", head, 54, 56, 1)
        struct.pack_into(
            order + "IIQQQQ", head, 64, 1, 6, start, address, address, len(body)
        )  # fmt: skip
    else:
        struct.pack_into(order + "II", head, 28, 52, 0)
        struct.pack_into(order + "HH", head, 42, 32, 1)
        struct.pack_into(
            order + "7I", head, 52, 1, start, address, address, len(body), len(body), 6
        )  # fmt: skip
    return bytes(head) + bytes(body)


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("big", [True, False])
def test_the_format_before_go_1_18_is_read_on_every_kind_of_machine(
    *, wide: bool, big: bool, tmp_path: Path
) -> None:
    listed = f"path\tx\nmod\tx\tv1.0.0\ndep\t{SDK}\tv1.25.19\n".encode()
    made = pointed(listed, wide=wide, big=big)
    made += b"github.com/aws/aws-sdk-go/aws/ec2metadata.New"
    path = put(tmp_path, "bin/tool", made.ljust(300_000, b"\0"), 0o755)
    with path.open("rb") as file:
        assert build_information(file) == listed.decode()
    assert found(look(tmp_path)) == {SDK: {"v1.25.19"}}


def test_a_program_that_is_none_of_go_says_nothing(tmp_path: Path) -> None:
    put(tmp_path, "bin/sh", Path("/bin/sh").read_bytes().ljust(300_000, b"\0"), 0o755)
    put(tmp_path, "bin/script", b"#!/bin/sh\n" * 40_000, 0o755)
    answer = look(tmp_path)
    assert answer["complete"]
    assert answer["findings"] == answer["notes"] == []
