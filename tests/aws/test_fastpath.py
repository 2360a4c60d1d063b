"""The fast reading of DescribeInstances gives what botocore's own parser gives."""

from typing import Any

import botocore.session
import pytest
from botocore.parsers import ResponseParserError, create_parser

from imdsctl.aws import values
from imdsctl.aws.fastpath import MEMBERS, parse_page, rows_of, take_instances
from imdsctl.model.evidence import Cell

NS = "http://ec2.amazonaws.com/doc/2016-11-15/"
CELL = Cell("111111111111", "eu-west-1")
OUTPUT = (
    botocore.session.Session()
    .get_service_model("ec2")
    .operation_model("DescribeInstances")
    .output_shape
)

FULL = """<item><instanceId>i-1</instanceId><imageId>ami-1</imageId>
<instanceState><code>16</code><name>running</name></instanceState>
<privateDnsName>ip</privateDnsName><reason/><keyName/>
<instanceType>m5.large</instanceType><launchTime>2026-01-02T03:04:05.678Z</launchTime>
<placement><availabilityZone>eu-west-1a</availabilityZone><groupName/><tenancy>default</tenancy>
</placement><platform>windows</platform><architecture>x86_64</architecture>
<instanceLifecycle>spot</instanceLifecycle>
<iamInstanceProfile><arn>arn:aws:iam::111111111111:instance-profile/team/web</arn><id>A</id>
</iamInstanceProfile><operator><managed>true</managed><principal>eks.amazonaws.com</principal>
</operator><tagSet><item><key>Name</key><value>a &lt;b&gt; &amp; c</value></item>
<item><key>aws:autoscaling:groupName</key><value>web</value></item>
<item><key>aws:ec2launchtemplate:id</key><value>lt-1</value></item>
<item><key>aws:ec2launchtemplate:version</key><value>5</value></item>
<item><key>umlaut ä</key><value/></item><item><key>a &#x27;quote&#39;</key><value> </value>
</item></tagSet>
<networkInterfaceSet><item><networkInterfaceId>eni-1</networkInterfaceId><tagSet><item>
<key>not</key><value>the instance's</value></item></tagSet><operator><managed>false</managed>
</operator></item></networkInterfaceSet>
<metadataOptions><state>pending</state><httpTokens>required</httpTokens>
<httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint>
<httpProtocolIpv6>disabled</httpProtocolIpv6><instanceMetadataTags>enabled</instanceMetadataTags>
<brandNew>of next year</brandNew></metadataOptions><brandNew><x>y</x></brandNew></item>"""
TURNED = FULL.replace("<key>umlaut ä</key><value/>", "<value>first</value><key>turned</key>")
BARE = """<item><instanceId>i-2</instanceId><instanceState><name>terminated</name></instanceState>
<launchTime>2026-01-02T03:04:05Z</launchTime><tagSet/><metadataOptions/><placement/>
<instanceType></instanceType></item>"""


def page(*reservations: str, after: str = "", before: str = "", root: str = f'xmlns="{NS}"') -> str:
    items = "".join(
        f"<item><reservationId>r-1</reservationId><ownerId>111111111111</ownerId><groupSet/>"
        f"<instancesSet>{instances}</instancesSet></item>"
        for instances in reservations
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}\n<DescribeInstancesResponse {root}>'
        f"<requestId>req-1</requestId><reservationSet>{items}</reservationSet>{after}"
        "</DescribeInstancesResponse>"
    )


def stock(body: bytes) -> dict[str, Any]:
    answer = {"status_code": 200, "headers": {}, "body": body, "context": {}}
    parsed: dict[str, Any] = create_parser("ec2").parse(answer, OUTPUT)
    return parsed


def ours(body: bytes) -> tuple[dict[str, Any], bytes]:
    """What the hook puts into the answer, and what it leaves to the parser."""
    answer: dict[str, Any] = {"status_code": 200, "headers": {}, "body": body, "context": {}}
    taken: dict[str, Any] = {}
    take_instances(response_dict=answer, customized_response_dict=taken)
    return taken, answer["body"]


def assert_same(body: bytes) -> int:
    taken, left = ours(body)
    expected = stock(body)
    assert b"instancesSet" not in left, "the hook did not read this page at all"
    rows = list(rows_of(taken))
    assert rows == list(rows_of(expected))
    assert [values.instance(row, CELL) for row in rows] == [
        values.instance(row, CELL) for row in rows_of(expected)
    ]
    assert taken.get("NextToken") == expected.get("NextToken")
    # The stub that is left keeps the request id for the answer's metadata.
    assert stock(left)["ResponseMetadata"] == expected["ResponseMetadata"]
    return len(rows)


EDGES = {
    "a full instance and a bare one": page(FULL + BARE),
    "several reservations": page(FULL, BARE, FULL),
    "an empty page": page(),
    "an empty page that goes on": page(after="<nextToken>abc&amp;=</nextToken>"),
    "an empty token": page(FULL, after="<nextToken/>"),
    "comments and instructions": page(
        FULL.replace("i-1", "i-<!-- a comment -->1").replace("ami-1", "ami<?x y?>-1")
    ),
    "CDATA": page(FULL.replace("ami-1", "<![CDATA[ami-1 <&>]]>")),
    "no namespace": page(FULL, root=""),
    "another namespace": page(FULL, root='xmlns="http://ec2.amazonaws.com/doc/2099-01-01/"'),
    "a prefix": page(FULL, root=f'xmlns="{NS}" xmlns:x="urn:x"'),
    "numbered characters that are not ours": page(FULL.replace("ami-1", "&#65;&#x1F600;")),
    "no tags at all": page(BARE.replace("<tagSet/>", "")),
    "new members at the top": page(FULL, after="<brandNew>1</brandNew>"),
}


def test_every_member_is_one_of_the_apis_own() -> None:
    instances = OUTPUT.members["Reservations"].member.members["Instances"].member
    for path, member in MEMBERS.items():
        shape = instances
        for element, name in zip(path.split("/"), member.split("."), strict=True):
            shape = shape.members[name]
            assert shape.serialization["name"] == element


def test_a_full_instance_has_every_member() -> None:
    (row,) = parse_page(page(FULL).encode()).rows
    assert set(row) == {*MEMBERS.values(), "Tags"}
    assert row["MetadataOptions.HttpPutResponseHopLimit"] == 2
    assert row["Operator.Managed"] is True
    assert row["Tags"]["aws:autoscaling:groupName"] == "web"


@pytest.mark.parametrize("name", EDGES)
def test_every_member_is_what_botocore_would_say(name: str) -> None:
    assert_same(EDGES[name].encode())


def test_a_reservation_without_instances_is_no_obstacle() -> None:
    empty = page(FULL).replace(
        "</reservationSet>", "<item><ownerId>1</ownerId></item></reservationSet>"
    )
    assert assert_same(empty.encode()) == 1


def test_pages_of_the_simulated_aws_are_what_botocore_would_say(
    simulated_aws: Any, boto: Any
) -> None:
    simulated_aws("""
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.image]]
name = "golden"
[[account.region.launch_template]]
name = "web"
[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "optional" }
[[account.region.auto_scaling_group]]
name = "web"
launch_template = "web"
version = "1"
size = 3
[[account.region.instance]]
name = "db"
count = 4
image = "golden"
options = { http_tokens = "required", http_put_response_hop_limit = 3 }
tags = { env = "prod", owner = "Zoë & co" }
[[account.region.instance]]
name = "managed"
image = "golden"
operator = "eks.amazonaws.com"
platform = "windows"
spot = true
""")
    client = boto("ec2")
    bodies: list[bytes] = []
    client.meta.events.register(
        "before-parse.ec2.DescribeInstances",
        lambda response_dict, **_: bodies.append(response_dict["body"]),
    )
    for _ in client.get_paginator("describe_instances").paginate(MaxResults=5):
        pass
    assert len(bodies) > 1
    assert sum(assert_same(body) for body in bodies) == 8


LEFT_TO_BOTOCORE = {
    "another root": page(FULL).replace("DescribeInstancesResponse", "SomethingElse"),
    "no reservations": page().replace("reservationSet", "otherSet"),
    "a member twice": page(FULL.replace("<reason/>", "<imageId>ami-2</imageId>")),
    "a hop limit that is no number": page(FULL.replace(">2</http", ">two</http")),
    "a time that is none": page(FULL.replace("2026-01-02T03:04:05.678Z", "yesterday")),
    "a time without a zone": page(FULL.replace("05.678Z", "05")),
    "a structure twice": page(FULL.replace("<reason/>", "<metadataOptions/>")),
    "a structure's member twice": page(
        FULL.replace("<brandNew>of", "<state>x</state><brandNew>of")
    ),
    "an element where text should be": page(FULL.replace("ami-1", "ami-<x>1</x>")),
    "a tag with its value first": page(TURNED),
    "a tag without a value": page(FULL.replace("<value>web</value>", "")),
    "a tag with two values": page(FULL.replace("<value>web</value>", "<value>a</value><value/>")),
    "a tag with two keys": page(FULL.replace("<value>web</value>", "<key>a</key><value/>")),
    "a tag with something new": page(FULL.replace("<value>web</value>", "<value>a</value><new/>")),
    "text where a list should be": page(FULL.replace("<platform>", "<tagSet>x</tagSet><platform>")),
    "our separator": page(FULL.replace("ami-1", "ami-\x91")),
    "our separator by its number": page(FULL.replace("ami-1", "ami-&#145;")),
    "our separator by its hexadecimal number": page(FULL.replace("ami-1", "ami-&#x0091;")),
    "two tokens": page(FULL, after="<nextToken>a</nextToken><nextToken>b</nextToken>"),
}


@pytest.mark.parametrize("name", LEFT_TO_BOTOCORE)
def test_what_is_unexpected_is_left_to_botocore(name: str) -> None:
    body = LEFT_TO_BOTOCORE[name].encode()
    assert ours(body) == ({}, body)


@pytest.mark.parametrize(
    "body",
    [
        page(FULL)[:-40],
        page(FULL).replace("</instanceId>", ""),
        "",
        "<html><body>Bad Gateway",
        page(FULL).encode("latin-1").decode("latin-1") + "<more/>",
        page(FULL.replace("ami-1", "&unknown;")),
        page(FULL.replace("i-1", "i-\x01")),
    ],
    ids=["truncated", "mismatched", "empty", "html", "trailing", "entity", "control character"],
)
def test_garbled_xml_is_what_botocore_calls_it(body: str) -> None:
    with pytest.raises(ResponseParserError) as stocks:
        stock(body.encode())
    with pytest.raises(ResponseParserError) as mine:
        ours(body.encode())
    assert "invalid XML" in str(stocks.value)
    assert "invalid XML" in str(mine.value)
    assert "ami-1" not in str(mine.value), "the error repeats the answer"


def test_a_document_type_is_refused_and_nothing_is_read_for_it(tmp_path: Any) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    doctype = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]>'
    body = page(FULL.replace("ami-1", "&e;"), before=doctype).encode()
    with pytest.raises(ResponseParserError, match="document type") as problem:
        ours(body)
    assert "the secret" not in str(problem.value)


def test_errors_are_left_to_botocore() -> None:
    answer: dict[str, Any] = {"status_code": 503, "headers": {}, "body": b"<Response/>"}
    taken: dict[str, Any] = {}
    take_instances(response_dict=answer, customized_response_dict=taken)
    assert (taken, answer["body"]) == ({}, b"<Response/>")


def test_a_page_of_twelve_megabytes_is_read() -> None:
    padded = FULL.replace("<brandNew>", f"<brandNew><pad>{'x' * 11_000}</pad>", 1)
    body = page(*[padded] * 1000).encode()
    assert len(body) > 12_000_000
    assert len(parse_page(body).rows) == 1000
