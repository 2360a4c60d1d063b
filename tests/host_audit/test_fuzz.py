"""No file, however odd, ends an audit, makes it hang, or goes unnoticed as an error of ours."""

import contextlib
import io
import time
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_audit.audited import archive, look, pom, put
from imdsctl.host.audit.archive import look_into
from imdsctl.host.audit.finders.golang import look_at_program
from imdsctl.host.audit.finders.rpmdb import blobs_of_bdb, blobs_of_ndb, package_in
from imdsctl.host.audit.found import NotReadError

BYTES = st.binary(max_size=4096)
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FEWER = settings(PATIENT, max_examples=60)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """A good file with some bytes changed, cut or doubled."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(data) - 1))
        data[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=8))
        if not data:
            return b""
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


JAR = archive({
    "lib/a.jar": archive(pom("com.amazonaws", "aws-java-sdk-core", "1.11.1")),
    "x/com/amazonaws/util/EC2MetadataUtils.class": b"x",
    "node_modules/aws-sdk/package.json": '{"version": "2.1.0"}',
})  # fmt: skip


@PATIENT
@given(data=damaged(JAR) | BYTES)
def test_archives(data: bytes) -> None:
    with contextlib.suppress(NotReadError):
        list(look_into(io.BytesIO(data), "/x.jar", []))


def berkeley() -> bytes:
    """A hash of one page of pairs, and a value on an overflow page."""
    page = 512
    meta = bytearray(page)
    meta[12:16] = (0x061561).to_bytes(4, "little")
    meta[20:24] = page.to_bytes(4, "little")
    pairs = bytearray(page)
    pairs[20:22], pairs[25] = (2).to_bytes(2, "little"), 13
    pairs[26:30] = (500).to_bytes(2, "little") + (480).to_bytes(2, "little")
    pairs[480:492] = b"\3\0\0\0" + (2).to_bytes(4, "little") + (40).to_bytes(4, "little")
    more = bytearray(page)
    more[22:24], more[25] = (40).to_bytes(2, "little"), 7
    return bytes(meta + pairs + more)


def test_the_berkeley_db_that_is_damaged_below_is_a_good_one() -> None:
    assert list(blobs_of_bdb(berkeley())) == [b"\0" * 40]


@PATIENT
@given(data=damaged(berkeley()) | BYTES)
def test_berkeley_db(data: bytes) -> None:
    started = time.monotonic()
    with contextlib.suppress(NotReadError):
        for blob in blobs_of_bdb(data):
            package_in(blob)
    assert time.monotonic() - started < 5


@PATIENT
@given(
    data=(BYTES | damaged(b"RpmP" + b"\0" * 8 + b"\1\0\0\0" + b"\0" * 16 + b"Slot\1\0\0\0\2\0\0\0"))
)
def test_ndb(data: bytes) -> None:
    with contextlib.suppress(NotReadError):
        list(blobs_of_ndb(data))


@PATIENT
@given(
    blob=BYTES | damaged(b"\0\0\0\1\0\0\0\5" + b"\0\0\x03\xe8\0\0\0\6\0\0\0\0\0\0\0\1" + b"boto\0")
)
def test_headers_of_packages(blob: bytes) -> None:
    with contextlib.suppress(NotReadError):
        package_in(blob)


ELF = Path("/bin/true").read_bytes()[:3000]


@PATIENT
@given(data=damaged(ELF) | BYTES.map(lambda rest: b"\x7fELF\2\1" + rest))
def test_programs(data: bytes, tmp_path: Path) -> None:
    path = put(tmp_path, "x", data)
    with path.open("rb") as file, contextlib.suppress(NotReadError):
        list(look_at_program(file, "/x"))


FILES = (
    "var/lib/dpkg/status", "lib/apk/db/installed", "var/lib/rpm/rpmdb.sqlite",
    "node_modules/aws-sdk/package.json", "vendor/composer/installed.json", "a.deps.json",
    "meta/snap.yaml", "etc/environment", ".aws/config", "datadog.yaml", "x.egg-info/PKG-INFO",
    "botocore/__init__.py", "AWSPowerShell.psd1", "fstab", "etc/fluent-bit/x.conf",
)  # fmt: skip
WORDS = st.sampled_from([
    b"Package: awscli\n", b"Version: 1\n", b"P:aws-cli\n", b"V:", b"{", b'"libraries"', b": ", b"[",
    b'"packages"', b'"name": "aws/aws-sdk-php"', b'"version": 1', b"AWS_EC2_METADATA_DISABLED=",
    b"ec2_metadata_v1_disabled =", b"\xff\xfe", b"\0", b"\n\n", b"name: boto\n", b"__version__ = '",
    b"imds_version v1", b"ec2_prefer_imdsv2: no", b"Name: botocore\n",
])  # fmt: skip


@FEWER
@given(content=st.lists(WORDS | st.binary(max_size=20), max_size=30).map(b"".join))
def test_a_whole_audit_of_files_with_anything_in_them(content: bytes, tmp_path: Path) -> None:
    for name in FILES:
        put(tmp_path, name, content)
    answer = look(tmp_path)
    assert answer["summary"]["files"] == len(FILES)
    for missed in answer["not_read"]:
        assert missed["why"]
        assert "Error" not in missed["why"], missed
