"""User data as EC2 and cloud-init take it: what is in it, however it is wrapped.

Of the formats of cloud-init ("User data formats", cloud-init documentation): scripts by their
shebang, `#cloud-config`, `#cloud-boothook`, `#include`, MIME multi-part, gzip, and base64 around
any of them; of Windows ("Run commands when you launch an EC2 Windows instance", EC2 User Guide)
`<powershell>`.
"""

import base64
import binascii
import email
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from email.message import Message
from typing import Final

from imdsctl.lint.kinds import kind_of
from imdsctl.lint.source import Source

LARGEST: Final = 16 * 2**20
"""Bytes to which compressed user data is unpacked; EC2 itself takes 16 KiB before base64."""

_WRAPS: Final = 4
_SHORTEST: Final = 16
_BASE64: Final = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
_BEGINS: Final = (b"#", b"<powershell>", b"<script>", b"Content-Type:", b"MIME-Version:", b"From ")
_GZIP: Final = b"\x1f\x8b"
_POWERSHELL: Final = re.compile(r"<powershell>(.*?)(?:</powershell>|\Z)", re.DOTALL | re.IGNORECASE)
_MIME: Final = re.compile(r"(?:Content-Type:|MIME-Version:|From )", re.IGNORECASE)
_BY_TYPE: Final = {
    "text/cloud-config": "cloud-config",
    "text/cloud-boothook": "shell",
    "text/x-include-url": "user-data-include",
    "text/x-include-once-url": "user-data-include",
    "text/part-handler": "python",
}


def embedded_user_data(
    source: Source, text: str, first_line: int, inside: str, indent: int = 0
) -> Iterator[Source]:
    """The scripts and documents in a piece of user data, each as a Source to be read.

    Args:
        source: the text that holds it.
        text: the user data: plain, base64, gzip (as its bytes by latin-1 or surrogateescape),
            MIME multi-part, or several of them around each other.
        first_line: the line (from 1) of `source` on which it begins.
        inside: where it stands, in words: `user_data of aws_instance.web`.
        indent: characters that were cut off the beginning of each of its lines.
    """
    wrapped = False
    for _ in range(_WRAPS):
        inner = _unwrapped(text)
        if inner is None:
            break
        text, wrapped = inner, True
    whole = source.embedded("user-data", text, first_line, inside, indent)
    if wrapped:
        whole = _on_one_line(whole)
    yield from _parts(whole)


def _parts(whole: Source) -> Iterator[Source]:
    text = whole.text
    start = text.lstrip("\ufeff \t\r\n")
    if _MIME.match(start):
        yield from _of_message(whole)
    elif re.match(r"\s*<(?:powershell|script|persist)>", text, re.IGNORECASE):
        yield from _of_windows(whole)
    elif kind := _kind(start):
        yield replace(whole, kind=kind)


def _kind(start: str) -> str | None:
    """The kind of a text without a wrapping, by its first line as cloud-init decides it."""
    if start.startswith(("#include", "#include-once")):
        return "user-data-include"
    if start.startswith("#cloud-boothook"):
        return "shell"
    if re.match(r"(?:##\s*template:\s*jinja\s*\n)?#cloud-config(?:\b|-archive)", start):
        return "cloud-config"
    if start.startswith("#part-handler"):
        return "python"
    # A template often has comments or directives before the shebang that its rendering removes.
    shebang = re.search(r"^#!.*", start[:2000], re.MULTILINE)
    return kind_of("", shebang[0]) if shebang else None


def _of_windows(whole: Source) -> Iterator[Source]:
    for found in _POWERSHELL.finditer(whole.text):
        yield _piece(whole, "powershell", found.start(1), found[1], "powershell")


def _of_message(whole: Source) -> Iterator[Source]:
    """The parts of a MIME message; a part that is encoded stands on its first line as a whole."""
    try:
        message = email.message_from_string(whole.text.lstrip())
        parts = [part for part in message.walk() if not part.is_multipart()]
    except (RecursionError, LookupError, ValueError):
        return
    after = 0
    for number, part in enumerate(parts, 1):
        payload = part.get_payload()
        if not isinstance(payload, str) or not payload.strip():
            continue
        start = max(whole.text.find(payload, after), 0)
        after = start + len(payload)
        name = f"part {number} ({part.get_filename() or part.get_content_type()})"
        raw = _piece(whole, "user-data", start, payload, name)
        decoded = _decoded(part)
        if decoded is not None:
            raw = _on_one_line(replace(raw, text=decoded))
        inner = _unwrapped(raw.text)
        if inner is not None:
            raw = _on_one_line(replace(raw, text=inner))
        kind = _BY_TYPE.get(part.get_content_type())
        if kind is None:
            inner_parts = [one for one in _parts(raw) if one.text != whole.text]
            if not inner_parts and part.get_content_type() == "text/x-shellscript":
                # A script that another text is put before, or that lacks its shebang.
                inner_parts = [replace(raw, kind="shell")]
            yield from inner_parts
        else:
            yield replace(raw, kind=kind)


def _decoded(part: Message) -> str | None:
    """The text of a part with a transfer encoding, None where it has none."""
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    if encoding not in {"base64", "quoted-printable"}:
        return None
    payload = part.get_payload(decode=True)
    return _text(payload) if isinstance(payload, bytes) else None


def _piece(whole: Source, kind: str, start: int, text: str, inside: str) -> Source:
    first = whole.text.count("\n", 0, start) + 1
    return whole.embedded(kind, text, first, inside, whole.indent)


def _on_one_line(source: Source) -> Source:
    """All of a decoded text is where its encoded form begins."""
    assert source.lines is not None
    first = source.lines[0] if source.lines else 1
    return replace(source, lines=(first,) * (source.text.count("\n") + 1), indent=0)


def _unwrapped(text: str) -> str | None:
    """What gzip or base64 wraps, None where neither does."""
    if text.startswith(("\x1f\x8b", "\x1f\udc8b")):
        return unpacked(_bytes(text))
    stripped = text.strip()
    if len(stripped) < _SHORTEST or not _BASE64.fullmatch(stripped):
        return None
    try:
        data = base64.b64decode(stripped)
    except (binascii.Error, ValueError):
        return None
    if data.startswith(_GZIP):
        return unpacked(data)
    return _text(data) if data.lstrip().startswith(_BEGINS) else None


def unpacked(data: bytes) -> str | None:
    """The text in gzip data, at most LARGEST bytes of it; None if it is none."""
    try:
        return _text(zlib.decompressobj(31).decompress(data, LARGEST))
    except zlib.error:
        return None


def _bytes(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
