"""Reading DescribeInstances' XML with a stylesheet, and only the members that are used.

botocore's own parser spends most of a large scan's CPU time on members that nobody looks at: a
page of 1,000 instances has some hundred thousand of them. The hook here runs before that parser.
libxml2 parses the page, and an XSLT stylesheet, made from `MEMBERS`, writes what those members
say as one text with separators; so Python only cuts a text into pieces, and no tree is walked in
it. botocore's parser gets a stub, and paginators and everything after stay botocore's own.

Where an answer is not what it should be, the hook keeps its hands off and botocore's own parser
decides. `before-parse` is an event that botocore emits and does not document: a contract test
compares the rows with those of botocore's own parser, member by member.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from botocore.parsers import ResponseParserError
from lxml import etree

_OK: Final = 200
_KEY: Final = "imdsctl.instances"

# A page's tree takes some five times the page's size: not one for each of many threads at once.
_PARSING: Final = threading.BoundedSemaphore(2)


class UnexpectedAnswerError(Exception):
    """Well-formed, but not shaped as the API says: botocore's own parser shall decide."""


def _time(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise UnexpectedAnswerError("a time without its zone")
    return value


def _boolean(text: str) -> bool:
    return text == "true"


MEMBERS: Final[Mapping[str, str]] = {
    "instanceId": "InstanceId",
    "imageId": "ImageId",
    "instanceState/name": "State.Name",
    "instanceType": "InstanceType",
    "launchTime": "LaunchTime",
    "placement/availabilityZone": "Placement.AvailabilityZone",
    "platform": "Platform",
    "architecture": "Architecture",
    "instanceLifecycle": "InstanceLifecycle",
    "iamInstanceProfile/arn": "IamInstanceProfile.Arn",
    "operator/managed": "Operator.Managed",
    "operator/principal": "Operator.Principal",
    "metadataOptions/state": "MetadataOptions.State",
    "metadataOptions/httpTokens": "MetadataOptions.HttpTokens",
    "metadataOptions/httpPutResponseHopLimit": "MetadataOptions.HttpPutResponseHopLimit",
    "metadataOptions/httpEndpoint": "MetadataOptions.HttpEndpoint",
    "metadataOptions/httpProtocolIpv6": "MetadataOptions.HttpProtocolIpv6",
    "metadataOptions/instanceMetadataTags": "MetadataOptions.InstanceMetadataTags",
}
"""What is read of an instance beside its tags: element on the wire, member in botocore's terms.

Source: Amazon EC2 API Reference, Instance.
"""

_TAGS: Final = "Tags"

_CONVERSIONS: Final[Mapping[str, Callable[[str], Any]]] = {
    "LaunchTime": _time,
    "Operator.Managed": _boolean,
    "MetadataOptions.HttpPutResponseHopLimit": int,
}

# The separators of the stylesheet's text: control characters (ISO 6429) that XML allows and that
# no answer holds; should one hold them all the same, botocore reads it.
_FIELD, _INSTANCE, _TAG_KEY, _TAG_VALUE, _ODD = "\x90", "\x91", "\x92", "\x93", "\x94"
_SEPARATORS: Final = re.compile(rb"\xc2[\x90-\x94]")
_REFERENCES: Final = re.compile(rb"&#(?:x([0-9a-fA-F]+)|([0-9]+));")

_STYLESHEET: Final = """\
<x:stylesheet version="1.0" xmlns:x="http://www.w3.org/1999/XSL/Transform" xmlns:e={namespace}>
 <x:output method="text" encoding="UTF-8"/>
 <x:template match="/">
  <x:for-each select="*/{e}reservationSet/{e}item/{e}instancesSet/{e}item"><x:apply-templates
   select="*"/>{instance}</x:for-each>
 </x:template>

 <x:template match="*"/>
 <x:template match="*" mode="text">{odd}</x:template>
 {templates}
 <x:template match="{e}tagSet">{tags}{field}<x:apply-templates select="{e}item/*"
  mode="tag"/>{field}</x:template>
 <x:template match="*" mode="tag">{odd}</x:template>
 <x:template match="{e}key" mode="tag">{tag_key}<x:apply-templates mode="text"/></x:template>
 <x:template match="{e}value" mode="tag">{tag_value}<x:apply-templates mode="text"/></x:template>
</x:stylesheet>
"""


class _Reader(NamedTuple):
    """A stylesheet, the members that the codes in its text stand for, and the structures there."""

    transform: Any
    members: dict[str, str]
    structures: list[str]


@lru_cache(maxsize=8)
def _reader(namespace: str) -> _Reader:
    """The stylesheet for answers in a namespace, which carries the API's version.

    For each child of an instance that is known it writes a code, then the text (nothing for a
    structure, whose members follow), each ended by a separator.
    """
    prefix = "e:" if namespace else ""
    codes: dict[str, str] = {}

    def code(member: str) -> str:
        letter = chr(ord("A") + len(codes))
        codes[letter] = member
        return letter

    def text_of(member: str) -> str:
        return f"{code(member)}{_FIELD}<x:apply-templates mode='text'/>{_FIELD}"

    templates: dict[str, str] = {}
    structures: dict[str, str] = {}
    for path, member in MEMBERS.items():
        element, _, inner = path.partition("/")
        if not inner:
            templates[element] = text_of(member)
            continue
        if element not in structures:
            # Written as well, so that a structure that is there twice is seen to be.
            structures[element] = member.partition(".")[0]
            templates[element] = code(structures[element]) + _FIELD * 2
        templates[element] += f"<x:for-each select='{prefix}{inner}'>{text_of(member)}</x:for-each>"
    stylesheet = _STYLESHEET.format(
        namespace=quoteattr(namespace or "unused"),
        e=prefix,
        templates="".join(
            f"<x:template match='{prefix}{element}'>{body}</x:template>"
            for element, body in templates.items()
        ),
        tags=code(_TAGS),
        field=_FIELD,
        instance=_INSTANCE,
        tag_key=_TAG_KEY,
        tag_value=_TAG_VALUE,
        odd=_ODD,
    )
    transform = etree.XSLT(etree.fromstring(stylesheet, _parser()))
    return _Reader(transform, codes, list(structures.values()))


class Page(NamedTuple):
    """One page of DescribeInstances; see `rows_of` for the rows."""

    rows: list[dict[str, Any]]
    next_token: str | None
    request_id: str | None


def parse_page(body: bytes) -> Page:
    """Read one page.

    Raises:
        lxml.etree.XMLSyntaxError: the body is no well-formed XML.
        ResponseParserError: it declares a document type.
        UnexpectedAnswerError, ValueError: it is well-formed, and says something unexpected.
    """
    if _holds_separators(body):
        raise UnexpectedAnswerError("it holds the characters that separate its members here")
    with _PARSING:
        return _read(etree.fromstring(body, _parser()))


def _holds_separators(body: bytes) -> bool:
    if not body.isascii() and _SEPARATORS.search(body):
        return True
    if b"&" not in body:  # a single character is found ten times as fast as two
        return False
    numbers = (int(hexa, 16) if hexa else int(deci) for hexa, deci in _REFERENCES.findall(body))
    return any(ord(_FIELD) <= number <= ord(_ODD) for number in numbers)


def _parser() -> Any:
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )


def _read(root: Any) -> Page:
    if root.getroottree().docinfo.internalDTD is not None:
        # No AWS answer has a document type, and what it could declare is not wanted.
        raise ResponseParserError("invalid XML received (it declares a document type)")
    name = etree.QName(root)
    if name.localname != "DescribeInstancesResponse":
        raise UnexpectedAnswerError(f"the answer is a {root.tag}")
    top: dict[str, Any] = {}
    for child in root:
        member = child.tag.rpartition("}")[2]
        if member in top or etree.QName(child).namespace != name.namespace:
            raise UnexpectedAnswerError(f"there is a second {member}, or one of somebody else's")
        top[member] = child
    if "reservationSet" not in top:
        raise UnexpectedAnswerError("there is no reservationSet")
    reader = _reader(name.namespace or "")
    text = str(reader.transform(root))
    if _ODD in text:
        raise UnexpectedAnswerError("there are elements where text should be, or in a tag")
    rows = [_row(record, reader) for record in text.split(_INSTANCE)[:-1]]

    def said(element: str) -> str | None:
        return top[element].text or "" if element in top else None

    return Page(rows, said("nextToken"), said("requestId"))


def _row(record: str, reader: _Reader) -> dict[str, Any]:
    """One instance from the stylesheet's text."""
    fields = record.split(_FIELD)
    members = map(reader.members.__getitem__, fields[:-1:2])
    row: dict[str, Any] = dict(zip(members, fields[1::2], strict=True))
    if 2 * len(row) + 1 != len(fields):
        raise UnexpectedAnswerError("a member is there twice")
    for structure in reader.structures:
        row.pop(structure, None)
    for member, conversion in _CONVERSIONS.items():
        if member in row:
            row[member] = conversion(row[member])
    if tags := row.get(_TAGS):
        # Each key with one value, or this fails.
        row[_TAGS] = dict([tag.split(_TAG_VALUE) for tag in tags[1:].split(_TAG_KEY)])
    else:
        row[_TAGS] = {}
    return row


def take_instances(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """Botocore's `before-parse.ec2.DescribeInstances` event: parse here, and leave a stub.

    Raises:
        ResponseParserError: the body is no well-formed XML, as botocore itself would say (but
            without repeating the body).
    """
    if response_dict["status_code"] != _OK:
        return
    try:
        page = parse_page(response_dict["body"])
    except etree.XMLSyntaxError as problem:
        raise ResponseParserError(f"invalid XML received ({problem})") from None
    except (UnexpectedAnswerError, etree.XSLTError, ValueError, TypeError, AttributeError):
        return
    customized_response_dict[_KEY] = page.rows
    customized_response_dict["Reservations"] = []
    if page.next_token is not None:
        customized_response_dict["NextToken"] = page.next_token
    request = f"<requestId>{escape(page.request_id)}</requestId>" if page.request_id else ""
    response_dict["body"] = (
        f"<DescribeInstancesResponse>{request}</DescribeInstancesResponse>".encode()
    )


def rows_of(answer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The instances in an answer, whether the hook read it or botocore's own parser.

    A row has those of `MEMBERS` that the answer has, under botocore's names with a dot between
    structure and member, and all `Tags` by key.
    """
    if _KEY in answer:
        yield from answer[_KEY]
        return
    for reservation in answer["Reservations"]:
        for instance in reservation.get("Instances", ()):
            yield _flat(instance)


def _flat(instance: Mapping[str, Any]) -> dict[str, Any]:
    """An instance of botocore's own parser as a row."""
    row: dict[str, Any] = {}
    for path in MEMBERS.values():
        structure, _, member = path.rpartition(".")
        known = instance.get(structure, {}) if structure else instance
        if member in known:
            row[path] = known[member]
    row[_TAGS] = {tag["Key"]: tag.get("Value", "") for tag in instance.get("Tags", ())}
    return row
