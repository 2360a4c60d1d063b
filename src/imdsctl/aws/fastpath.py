"""Reading DescribeInstances' XML with lxml, and only the members that are used.

botocore's own parser spends most of a large scan's CPU time on members that nobody looks at: a
page of 1,000 instances has some hundred thousand of them. The hook here runs before that parser,
takes the few members in `INSTANCE` out of the answer in the very form in which the parser would
have given them, and leaves it a stub; so paginators and everything after stay botocore's own.

Where an answer is not what it should be, the hook keeps its hands off and botocore's own parser
decides. `before-parse` is an event that botocore emits and does not document: a contract test
compares the rows with those of botocore's own parser, member by member.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import escape

from botocore.parsers import ResponseParserError
from lxml import etree

_OK: Final = 200

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


class _List(NamedTuple):
    """A list of structures, each in an `item` element."""

    members: Mapping[str, tuple[str, Any]]


_Kind = Callable[[str], Any] | Mapping[str, tuple[str, Any]] | _List

# Element on the wire → member in botocore's terms and kind of value (EC2 API Reference, Instance).
INSTANCE: Final[Mapping[str, tuple[str, _Kind]]] = {
    "instanceId": ("InstanceId", str),
    "imageId": ("ImageId", str),
    "instanceState": ("State", {"name": ("Name", str)}),
    "instanceType": ("InstanceType", str),
    "launchTime": ("LaunchTime", _time),
    "placement": ("Placement", {"availabilityZone": ("AvailabilityZone", str)}),
    "platform": ("Platform", str),
    "architecture": ("Architecture", str),
    "instanceLifecycle": ("InstanceLifecycle", str),
    "iamInstanceProfile": ("IamInstanceProfile", {"arn": ("Arn", str)}),
    "operator": ("Operator", {"managed": ("Managed", _boolean), "principal": ("Principal", str)}),
    "metadataOptions": (
        "MetadataOptions",
        {
            "state": ("State", str),
            "httpTokens": ("HttpTokens", str),
            "httpPutResponseHopLimit": ("HttpPutResponseHopLimit", int),
            "httpEndpoint": ("HttpEndpoint", str),
            "httpProtocolIpv6": ("HttpProtocolIpv6", str),
            "instanceMetadataTags": ("InstanceMetadataTags", str),
        },
    ),
    "tagSet": ("Tags", _List({"key": ("Key", str), "value": ("Value", str)})),
}


class _Compiled(NamedTuple):
    """A structure's members by full element name.

    `flat` holds the members again where all of them are plain text, and nothing otherwise.
    """

    tags: tuple[str, ...]
    members: dict[str, tuple[str, int, Any]]
    flat: dict[str, str]


_TEXT, _VALUE, _STRUCTURE, _LIST = range(4)


def _compile(members: Mapping[str, tuple[str, Any]], prefix: str) -> _Compiled:
    compiled: dict[str, tuple[str, int, Any]] = {}
    for element, (member, kind) in members.items():
        if isinstance(kind, _List):
            entry = (member, _LIST, _compile(kind.members, prefix))
        elif isinstance(kind, Mapping):
            entry = (member, _STRUCTURE, _compile(kind, prefix))
        else:
            entry = (member, _TEXT if kind is str else _VALUE, kind)
        compiled[prefix + element] = entry
    plain = all(kind == _TEXT for _, kind, _ in compiled.values())
    flat = {tag: member for tag, (member, _, _) in compiled.items()} if plain else {}
    return _Compiled(tuple(compiled), compiled, flat)


@lru_cache(maxsize=8)
def _compiled_instance(prefix: str) -> _Compiled:
    return _compile(INSTANCE, prefix)


def _structure(element: Any, spec: _Compiled, children: Iterable[Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    if flat := spec.flat:
        row = {flat[tag]: leaf.text or "" for leaf in element if (tag := leaf.tag) in flat}
        if len(row) == len(element):
            return row
        # A member that is not known, or one that is there twice: look closer.
        row = {}
    members = spec.members
    for child in children:
        entry = members.get(child.tag)
        if entry is None:
            continue
        member, kind, detail = entry
        if member in row:
            raise UnexpectedAnswerError(f"{member} is there twice")
        if kind == _TEXT:
            row[member] = child.text or ""
        elif kind == _STRUCTURE:
            row[member] = _structure(child, detail, child)
        elif kind == _LIST:
            row[member] = [_structure(item, detail, item) for item in child]
        else:
            row[member] = detail(child.text or "")
    return row


class Page(NamedTuple):
    """One page of DescribeInstances: rows in botocore's terms, with the members of `INSTANCE`."""

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
    with _PARSING:
        return _read(etree.fromstring(body, _parser()))


def _parser() -> Any:
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )


def _read(root: Any) -> Page:
    if root.getroottree().docinfo.internalDTD is not None:
        # No AWS answer has a document type, and what it could declare is not wanted.
        raise ResponseParserError("invalid XML received (it declares a document type)")
    prefix, _, name = root.tag.rpartition("}")
    prefix += "}" if prefix else ""
    if name != "DescribeInstancesResponse":
        raise UnexpectedAnswerError(f"the answer is a {root.tag}")
    top: dict[str, Any] = {}
    for child in root:
        if child.tag in top:
            raise UnexpectedAnswerError(f"{child.tag} is there twice")
        top[child.tag] = child
    if (reservations := top.get(f"{prefix}reservationSet")) is None:
        raise UnexpectedAnswerError("there is no reservationSet")
    spec = _compiled_instance(prefix)
    tags = spec.tags
    rows = [
        _structure(item, spec, item.iterchildren(*tags))
        for item in reservations.iterfind(f"{prefix}item/{prefix}instancesSet/{prefix}item")
    ]

    def text(element: str) -> str | None:
        found = top.get(prefix + element)
        return None if found is None else found.text or ""

    return Page(rows, text("nextToken"), text("requestId"))


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
    except (UnexpectedAnswerError, ValueError, TypeError, AttributeError):
        return
    customized_response_dict["Reservations"] = [{"Instances": page.rows}] if page.rows else []
    if page.next_token is not None:
        customized_response_dict["NextToken"] = page.next_token
    request = f"<requestId>{escape(page.request_id)}</requestId>" if page.request_id else ""
    response_dict["body"] = (
        f"<DescribeInstancesResponse>{request}</DescribeInstancesResponse>".encode()
    )
