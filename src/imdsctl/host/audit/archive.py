"""Looking into zip archives: jars, wheels, zipapps, and archives in them, within bounds."""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from imdsctl.host.audit.found import NotReadError, Package
from imdsctl.software import software

DEEPEST = 4
"""Archives in archives: a Spring Boot jar in an enterprise archive in a zip is three."""

LARGEST_INNER = 512 * 1024 * 1024
MOST_UNPACKED = 2 * 1024 * 1024 * 1024
"""Bytes unpacked of one inner archive, and of all in one outer one."""

MOST_ENTRIES = 500_000
LARGEST_INDEX = 128 * 1024 * 1024
_ENTRY = b"PK\x01\x02"
_SMALL = 1024 * 1024
_WHEEL = "in a wheel, which is installed from and not run"
_CHUNK = 1024 * 1024
_IN_MEMORY = 8 * 1024 * 1024

_INNER = (".jar", ".war", ".ear", ".rar", ".sar", ".aar", ".whl", ".egg")
_DISTRIBUTION = re.compile(
    r"(?:^|/)([A-Za-z0-9][\w.]*)-([^/-]+)(?:-[^/]*)?\.(?:dist|egg)-info/(?:METADATA|PKG-INFO)$"
)
_NODE = re.compile(r"(?:^|/)node_modules/((?:@[^/]+/)?[^/]+)/package\.json$")
_POM = re.compile(r"META-INF/maven/([^/]+)/([^/]+)/pom\.properties$")
_VERSION_LINE = re.compile(rb"^\s*version\s*[=:]\s*([^\s#]+)", re.MULTILINE)
_JSON_VERSION = re.compile(rb'"version"\s*:\s*"([^"\s]{1,100})"')
_JAR_NAME = re.compile(r"(?:^|/)([A-Za-z][\w.-]*?)-(\d[\w.+-]*?)\.jar$")
_CONSTANT = re.compile(rb"\x01\x00[\x05-\x20](\d{1,3}\.\d{1,4}\.\d{1,5}(?:-[A-Za-z0-9.]+)?)")

_SDK_1_INFO = "com/amazonaws/sdk/versionInfo.properties"
_SDK_1_CLIENT = "com/amazonaws/util/EC2MetadataUtils.class"
_SDK_1_TOKENS = "com/amazonaws/internal/InstanceMetadataServiceResourceFetcher.class"
_SDK_2_INFO = "software/amazon/awssdk/core/util/VersionInfo.class"
"""Files of the AWS SDK for Java 1.x and 2.x, which keep their names' ends when a build moves
("shades") them below another package. The third came with IMDSv2 (aws-sdk-java, 1.11.678)."""

_TELLING = (_SDK_1_INFO, _SDK_1_CLIENT, _SDK_1_TOKENS, _SDK_2_INFO)

_ARTIFACTS = {
    "aws-java-sdk-core": "com.amazonaws:aws-java-sdk-core",
    "aws-java-sdk-bundle": "com.amazonaws:aws-java-sdk-bundle",
    "regions": "software.amazon.awssdk:regions",
    "sdk-core": "software.amazon.awssdk:sdk-core",
    "bundle": "software.amazon.awssdk:bundle",
    "aws-config-jvm": "aws.sdk.kotlin:aws-config-jvm",
    "hadoop-aws": "org.apache.hadoop:hadoop-aws",
    "newrelic-agent": "com.newrelic.agent.java:newrelic-agent",
}
"""Jars that say what they are by their file's name alone, where they hold no pom.properties.
`auth` and `core` could be anybody's and are not here; `regions`, `sdk-core` and `bundle` count
only where the jar holds classes of the SDK."""


class _Careful:
    """A file that gives no more at once than an index with so many entries takes.

    zipfile reads a whole index and makes an object of each entry, whatever the file claims.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size if 0 <= size <= LARGEST_INDEX else LARGEST_INDEX + 1)
        if len(data) > LARGEST_INDEX:
            raise NotReadError(f"has an index larger than {LARGEST_INDEX >> 20} MiB")
        if len(data) > _CHUNK and data.count(_ENTRY) > MOST_ENTRIES:
            raise NotReadError(f"has more than {MOST_ENTRIES:,} entries")
        return data


class Budget:
    """How much may still be unpacked."""

    def __init__(self) -> None:
        self.left = MOST_UNPACKED

    def unpack(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> IO[bytes]:
        """An inner archive as a file.

        Raises:
            NotReadError: it is, or becomes, too large.
        """
        most = min(LARGEST_INNER, self.left)
        target: IO[bytes] = io.BytesIO()
        if entry.file_size > _IN_MEMORY:
            target = tempfile.TemporaryFile()  # noqa: SIM115 - handed out
        try:
            with archive.open(entry) as source:
                size = _copied(source, target, most)
        except BaseException:
            target.close()
            raise
        self.left -= min(size, most)
        if size > most:
            target.close()
            raise NotReadError(f"unpacks to more than {most >> 20} MiB")
        target.seek(0)
        return target


def _copied(source: IO[bytes], target: IO[bytes], most: int) -> int:
    """How many bytes there were; more than `most` if there were more, whatever the index says."""
    size = 0
    while size <= most:
        chunk = source.read(_CHUNK)
        if not chunk:
            break
        size += len(chunk)
        target.write(chunk)
    return size


def look_into(file: IO[bytes], where: str, missed: list[tuple[str, str]]) -> Iterator[Package]:
    """The packages in an archive and in those in it.

    Args:
        file: the archive.
        where: its path; what is in it is shown as `path!/entry`.
        missed: takes what could not be looked into, and why.

    Raises:
        NotReadError: the archive itself cannot be read.
    """
    yield from _look(file, where, 0, Budget(), missed)


def _look(
    file: IO[bytes], where: str, depth: int, budget: Budget, missed: list[tuple[str, str]]
) -> Iterator[Package]:
    try:
        with zipfile.ZipFile(_Careful(file)) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_ENTRIES:
                raise NotReadError(f"has more than {MOST_ENTRIES:,} entries")
            yield from _members(archive, entries, where)
            for entry in entries:
                if not entry.filename.lower().endswith(_INNER) or entry.is_dir():
                    continue
                inside = f"{where}!/{entry.filename}"
                if depth + 1 >= DEEPEST:
                    missed.append((inside, "archives in archives too deep"))
                    continue
                try:
                    with budget.unpack(archive, entry) as inner:
                        yield from _look(inner, inside, depth + 1, budget, missed)
                except (NotReadError, *BROKEN) as error:
                    missed.append((inside, str(error) or type(error).__name__))
    except BROKEN as error:
        raise NotReadError(f"not readable as an archive: {error}") from error


BROKEN = (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError,
          zlib.error, MemoryError)  # fmt: skip
"""What zipfile raises on archives that are damaged, encrypted or in methods it does not know."""


def _members(
    archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], where: str
) -> Iterator[Package]:
    java: list[Package] = []
    copies: dict[str, set[str]] = {}
    is_sdk_2 = False
    for entry in entries:
        name = entry.filename
        is_sdk_2 = is_sdk_2 or name.startswith("software/amazon/awssdk/")
        if name.endswith(("/METADATA", "/PKG-INFO")):
            yield from _distribution(name, where)
        elif name.endswith("/package.json"):
            yield from _node_package(archive, entry, where)
        elif name.endswith("pom.properties"):
            java += _artifact(archive, entry, where)
        else:
            for end in _TELLING:
                if name.endswith(end):
                    copies.setdefault(name[: -len(end)], set()).add(end)
    if not java:
        java = [one for prefix, ends in copies.items()
                for one in _java_sdk(archive, prefix, ends, where)]  # fmt: skip
    named = _JAR_NAME.search(where)
    if not java and named and named[1] in _ARTIFACTS:
        artifact = _ARTIFACTS[named[1]]
        if is_sdk_2 or not artifact.startswith("software.amazon.awssdk:"):
            java = [Package("maven", artifact, named[2], where, "name of the jar")]
    yield from java


def _distribution(name: str, where: str) -> Iterator[Package]:
    found = _DISTRIBUTION.search(name)
    if found and software("pypi", found[1]):
        aside = _WHEEL if where.endswith(".whl") and "!/" not in where else ""
        how = "Python distribution in archive"
        yield Package("pypi", found[1], found[2], f"{where}!/{name}", how, aside=aside)


def _node_package(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, where: str
) -> Iterator[Package]:
    found = _NODE.search(entry.filename)
    if found and software("npm", found[1]):
        version = _text(_JSON_VERSION.search(_small(archive, entry)))
        inside = f"{where}!/{entry.filename}"
        yield Package("npm", found[1], version, inside, "Node package in archive")


def _artifact(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, where: str) -> Iterator[Package]:
    found = _POM.search(entry.filename)
    if found and software("maven", f"{found[1]}:{found[2]}"):
        version = _text(_VERSION_LINE.search(_small(archive, entry)))
        inside = f"{where}!/{entry.filename}"
        yield Package("maven", f"{found[1]}:{found[2]}", version, inside, "pom.properties")


def _text(found: re.Match[bytes] | None) -> str:
    return found[1].decode("utf-8", "replace") if found else ""


def _java_sdk(
    archive: zipfile.ZipFile, prefix: str, ends: set[str], where: str
) -> Iterator[Package]:
    """A copy of the AWS SDK for Java, at its own place or moved."""
    how = "classes of the SDK" + (f", moved below {prefix}" if prefix.strip("/") else "")
    if _SDK_1_CLIENT in ends:
        data = b""
        if _SDK_1_INFO in ends:
            data = _small(archive, archive.getinfo(prefix + _SDK_1_INFO))
        yield Package(
            "maven", "com.amazonaws:aws-java-sdk-core", _text(_VERSION_LINE.search(data)),
            f"{where}!/{prefix}{_SDK_1_CLIENT}", how, speaks_v2=_SDK_1_TOKENS in ends,
        )  # fmt: skip
    if _SDK_2_INFO in ends:
        data = _small(archive, archive.getinfo(prefix + _SDK_2_INFO))
        constant = _CONSTANT.search(data)
        if constant:
            text = constant[1].decode("ascii")
            yield Package(
                "maven", "software.amazon.awssdk:sdk-core", text,
                f"{where}!/{prefix}{_SDK_2_INFO}", how,
            )  # fmt: skip


def _small(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The beginning of a small member."""
    with archive.open(entry) as member:
        return member.read(_SMALL)
