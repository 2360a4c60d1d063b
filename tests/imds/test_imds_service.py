"""The service of one instance: switched while it runs, used by many, keeping its secrets."""

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imdsctl.imds.credentials import FakeCredentials
from imdsctl.imds.message import Headers, Request
from imdsctl.imds.options import Options
from imdsctl.imds.service import Answer, Service
from imdsctl.imds.times import http_date, moment, rfc3339

STARTED = moment("2026-01-31T08:22:00Z", 0)
CREDENTIALS = "/latest/meta-data/iam/security-credentials/imdsctl-fake-role"
DOCUMENT = "/latest/dynamic/instance-identity/"


def service(values: dict[str, Any] | None = None, **settings: Any) -> Service:
    return Service(values or {}, Options(), "i-1", b"secret", started=STARTED, **settings)


def ask(
    asked: Service, target: str, method: str = "GET", *, now: float = STARTED, **fields: str
) -> Answer:
    named = Headers((name.replace("_", "-"), value) for name, value in fields.items())
    return asked.answer(Request(method, target, named), now, b"12345678")


def text(asked: Service, target: str, now: float = STARTED) -> str:
    return ask(asked, target, now=now).response.body.decode()


def token(asked: Service, now: float = STARTED) -> str:
    put = ask(asked, "/latest/api/token", "PUT", now=now, x_aws_ec2_metadata_token_ttl_seconds="60")
    return put.response.body.decode()


def test_a_switch_to_v2_only_refuses_the_next_v1_request_and_keeps_tokens() -> None:
    asked = service()
    held = token(asked)
    assert ask(asked, "/").response.status == 200
    asked.replace_options(asked.options.replace(http_tokens="required"))
    assert ask(asked, "/").response.status == 401
    assert ask(asked, "/", x_aws_ec2_metadata_token=held).response.status == 200
    asked.replace_options(asked.options.replace(http_tokens="optional"))
    assert ask(asked, "/").counted == "MetadataNoToken"


def test_tags_appear_and_go_with_their_option() -> None:
    asked = service({"tags": {"Name": "web-1"}})
    path = "/latest/meta-data/tags/instance/Name"
    assert ask(asked, path).response.status == 404
    asked.replace_options(Options(instance_metadata_tags="enabled"))
    assert text(asked, path) == "web-1"
    asked.replace_options(Options())
    assert ask(asked, path).response.status == 404


@pytest.mark.parametrize("key", ["has space", "a/b", ".", "..", "_index"])
def test_tags_with_a_key_that_no_path_can_have_cannot_be_enabled(key: str) -> None:
    asked = service({"tags": {key: "x"}})
    with pytest.raises(ValueError, match="cannot be in instance metadata"):
        asked.replace_options(Options(instance_metadata_tags="enabled"))
    assert asked.options == Options()


def test_values_can_be_replaced_and_wrong_ones_change_nothing() -> None:
    asked = service()
    asked.replace_values({"image_id": "ami-2"})
    assert text(asked, "/latest/meta-data/ami-id") == "ami-2"
    with pytest.raises(ValueError, match="did you mean image_id"):
        asked.replace_values({"image_idd": "ami-3"})
    assert text(asked, "/latest/meta-data/ami-id") == "ami-2"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"instance_tpye": "x"}, "did you mean instance_type"),
        ({"availability_zone": "eu-west-1a", "region": "us-east-1"}, "not in region us-east-1"),
        ({"availability_zone": "nowhere"}, "names no region"),
        ({"iam": "role"}, "iam is a table, not str"),
        ({"security_groups": "web"}, "security_groups is a list, not str"),
        ({"hostname": ["a"]}, "hostname is a text, no list, not list"),
        ({"identity_credentials": "yes"}, "identity_credentials is true or false"),
        ({"interfaces": [{"local_ipv4s": "10.0.0.1"}]}, "interface local_ipv4s is a list"),
        ({"availability_zone": False}, "names no region"),
        ({"autoscaling": {"target_lifecycle_state": [{"at": 1}]}}, "no value of target_lif"),
        ({"iam": {"role": "a/b"}}, "name of a role"),
        ({"iam": {"role": "a", "lifetime": 300}}, "longer than 300 seconds"),
        ({"iam": {"role": "a", "lifetime": "1h"}}, "number of seconds"),
        ({"iam": {"rolle": "a"}}, "did you mean role"),
        ({"spot": {"action": "explode", "time": "+1m"}}, "hibernate, stop or terminate"),
        ({"spot": {"action": "stop"}}, "no time"),
        ({"rebalance": {"notice_time": "soon"}}, "no time"),
        ({"autoscaling": {"target_lifecycle_state": "Happy"}}, "target_lifecycle_state is one of"),
        ({"interfaces": [{}, {}]}, "interface 1 has no mac"),
        ({"user_data": "a", "user_data_base64": "YQ=="}, "both given"),
        ({"user_data_base64": "%%%"}, "no base64"),
        ({"paths": {"meta-data/ami-id/below": "x"}}, "ami-id is an item already"),
        ({"paths": {"meta-data/services": "x"}}, "an item already"),
        ({"paths": {"meta-data//x": "x"}}, "empty segment"),
        ({"pending_time": "2026-13-01T00:00:00Z"}, "no time"),
        ({"tags": ["a"]}, "tags is a table, not list"),
    ],
)
def test_a_wrong_value_is_refused_by_name(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        service(values)


@pytest.mark.parametrize(
    "members",
    [
        {"http_tokens": "on"}, {"http_endpoint": True}, {"http_put_response_hop_limit": 0},
        {"http_put_response_hop_limit": 65}, {"http_put_response_hop_limit": "2"},
        {"http_put_response_hop_limit": True}, {"hop_limit": 2},
    ],
)  # fmt: skip
def test_options_that_ec2_does_not_know_are_refused(members: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(members))):
        Options.from_mapping(members)


def test_options_come_back_as_they_were_given() -> None:
    members = {
        "http_tokens": "required", "http_put_response_hop_limit": 64, "http_endpoint": "disabled",
        "http_protocol_ipv6": "enabled", "instance_metadata_tags": "enabled",
    }  # fmt: skip
    assert Options.from_mapping(members).members() == members


def test_credentials_rotate_before_they_expire() -> None:
    asked = service()
    sets = [json.loads(text(asked, CREDENTIALS, STARTED + hour * 3600)) for hour in range(30)]
    assert len({one["AccessKeyId"] for one in sets}) == len({one["Token"] for one in sets}) == 30
    for before, after in pairwise(sets):
        left = moment(before["Expiration"], 0) - moment(after["LastUpdated"], 0)
        assert left >= 300


@given(lifetime=st.integers(301, 43200), elapsed=st.integers(0, 10**7))
def test_credentials_that_are_served_are_good_for_five_minutes_at_least(
    lifetime: int, elapsed: int
) -> None:
    asked = service({"iam": {"role": "r", "lifetime": lifetime}})
    path = CREDENTIALS.replace("imdsctl-fake-role", "r")
    served = json.loads(text(asked, path, STARTED + elapsed))
    expires, updated = moment(served["Expiration"], 0), moment(served["LastUpdated"], 0)
    assert expires - (STARTED + elapsed) >= 300
    assert updated <= STARTED + elapsed
    assert expires - updated == lifetime


def test_credentials_stay_the_same_between_rotations_and_differ_between_instances() -> None:
    asked = service()
    assert text(asked, CREDENTIALS) == text(asked, CREDENTIALS, STARTED + 3599)
    other = Service({}, Options(), "i-2", b"secret", started=STARTED)
    ours, theirs = (json.loads(text(one, CREDENTIALS)) for one in (asked, other))
    assert ours["SecretAccessKey"] != theirs["SecretAccessKey"]


def test_credentials_have_the_shape_of_real_ones_and_say_that_they_are_fake() -> None:
    served = json.loads(text(service(), CREDENTIALS))
    assert re.fullmatch(r"ASIAFAKE[A-Z2-7]{12}", served["AccessKeyId"])
    assert re.fullmatch(r"FAKE[A-Z2-7]{36}", served["SecretAccessKey"])
    assert served["Token"].startswith("FAKE")


def test_a_signer_signs_what_is_served() -> None:
    signed = []

    def sign(name: str, document: bytes) -> str:
        signed.append(document)
        return f"{name} of {len(document)}"

    asked = service(signer=sign)
    document = ask(asked, DOCUMENT + "document").response.body
    for _ in range(2):
        assert text(asked, DOCUMENT + "rsa2048") == f"rsa2048 of {len(document)}"
    assert signed == [document], "signed once, when first asked for"


def test_fake_signatures_look_real_say_that_they_are_fake_and_follow_the_document() -> None:
    lines = text(service(), DOCUMENT + "signature").split("\n")
    raw = base64.b64decode("".join(lines))
    assert (len(raw), raw[:4]) == (128, b"FAKE")
    assert max(map(len, lines)) == 64
    other = text(service({"instance_type": "c5.large"}), DOCUMENT + "signature")
    assert other != "\n".join(lines)


def test_the_instance_is_the_one_whose_tokens_are_taken() -> None:
    assert text(service(), "/latest/meta-data/instance-id") == "i-1"


def test_a_server_that_keeps_connections_says_nothing_of_closing_but_at_405() -> None:
    asked = service(keep_alive=True)
    assert "Connection" not in ask(asked, "/").response.headers
    assert ask(asked, "/latest/api/token").response.headers.get("connection") == "close"


def test_an_answer_reads_on_the_wire_as_on_an_instance() -> None:
    wire = ask(service(), "/latest/meta-data/instance-id").response.to_bytes()
    assert wire == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nAccept-Ranges: none\r\n"
        b"Last-Modified: Sat, 31 Jan 2026 08:22:00 GMT\r\nContent-Length: 3\r\n"
        b"Date: Sat, 31 Jan 2026 08:22:00 GMT\r\nServer: EC2ws\r\nConnection: close\r\n\r\ni-1"
    )
    put = ask(service(), "/latest/api/token")
    assert put.response.to_bytes("HTTP/1.0").startswith(b"HTTP/1.0 405 Not Allowed\r\nContent-T")


def test_no_representation_shows_a_secret() -> None:
    asked = service({"user_data": "password=hunter2", "iam": {"role": "r", "given": {"K": "key"}}})
    held = token(asked)
    request = Request("GET", CREDENTIALS, Headers([("X-aws-ec2-metadata-token", held)]))
    shown: list[object] = [request, asked.answer(request, STARTED, b""), asked, asked.options]
    shown.append(FakeCredentials(b"hunter2", STARTED, given=(("K", "hunter2"),)))
    shown += [ask(asked, "/latest/user-data"), ask(asked, "/latest/api/token", "PUT")]
    for one in shown:
        assert held not in repr(one)
        assert "FAKE" not in repr(one)
        assert "hunter2" not in repr(one)


def test_threads_that_switch_and_ask_get_whole_answers() -> None:
    """A switched service answers by the options before or after, never by something between."""
    asked = service({"tags": {"Name": "web-1"}})
    both = [Options(), Options(http_tokens="required", instance_metadata_tags="enabled")]

    def work(number: int) -> bool:
        if number % 10 == 0:
            asked.replace_options(both[number // 10 % 2])
            return True
        held = token(asked)
        answer = ask(asked, "/latest/meta-data/instance-id", x_aws_ec2_metadata_token=held)
        v1 = ask(asked, "/latest/meta-data/tags/instance/Name").response.status
        return answer.response.body == b"i-1" and v1 in (401, 404)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(2000)))


names = st.sampled_from(
    ["x-aws-ec2-metadata-token", "x-aws-ec2-metadata-token-ttl-seconds", "x-forwarded-for", "host"]
)


@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "POST", "get", ""]) | st.text(max_size=5),
    target=st.sampled_from(["/latest/api/token", "/latest/meta-data", "/%", "*", ""])
    | st.text(max_size=40),
    fields=st.lists(st.tuples(names, st.text(max_size=20)), max_size=4),
    tokens=st.sampled_from(["optional", "required"]),
)
def test_no_request_can_break_the_service(
    method: str, target: str, fields: list[tuple[str, str]], tokens: str
) -> None:
    asked = Service(
        {}, Options(http_tokens=tokens), "i-1", b"s", started=STARTED, redirect_directories=True
    )
    response = asked.answer(Request(method, target, Headers(fields)), STARTED, b"12345678").response
    assert response.status in {200, 301, 400, 401, 403, 404, 405}
    # What a client sent never becomes a header line of its own.
    head = response.to_bytes().split(b"\r\n\r\n")[0]
    assert len(head.split(b"\r\n")) == len(response.headers) + 1
    assert b"\n" not in head.replace(b"\r\n", b"")


@given(st.integers(0, 253402300799))
def test_times_are_read_as_they_are_written(seconds: int) -> None:
    assert moment(rfc3339(seconds), 0) == seconds
    assert http_date(seconds).endswith(" GMT")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1970-01-01T00:00:10Z", 10), ("1970-01-01T02:00:00+01:30", 1800), (5, 5), (1.5, 1.5),
        ("+90", 1090), ("+90s", 1090), ("+2m", 1120), ("+1h", 4600), ("+1d", 87400),
        ("1970-01-01T00:00:10.25Z", 10.25),
    ],
)  # fmt: skip
def test_a_moment_can_be_written_in_many_ways(value: Any, seconds: float) -> None:
    assert moment(value, 1000) == seconds


@pytest.mark.parametrize("value", ["tomorrow", "-5m", True, None, float("nan"), -1, [], "1e400"])
def test_what_is_no_moment_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="no time"):
        moment(value, 0)
