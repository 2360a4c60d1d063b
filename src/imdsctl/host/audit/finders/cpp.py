"""The AWS SDK for C++ as a shared library; its own symbols tell, for it has no version inside."""

from __future__ import annotations

from collections.abc import Iterator

from imdsctl.host.audit.found import File, Package

NAMES: frozenset[str] = frozenset()
SUFFIXES = (".so",)
FOLDERS: frozenset[str] = frozenset()

_LIBRARY = "libaws-cpp-sdk-core.so"
_CLIENT, _SECURELY = b"EC2MetadataClient", b"GetDefaultCredentialsSecurely"
"""The metadata client, and its method that asks for a token (aws-sdk-cpp, EC2MetadataClient)."""
_LARGEST = 256 * 1024 * 1024


def look(file: File) -> Iterator[Package]:
    """The library, if it has the metadata client."""
    if file.name != _LIBRARY:
        return
    data = file.read(_LARGEST)
    if _CLIENT in data:
        yield Package(
            "binary", "libaws-cpp-sdk-core", "", file.shown, "symbols of the library",
            speaks_v2=_SECURELY in data,
        )  # fmt: skip
