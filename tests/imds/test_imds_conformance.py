"""Every case of cases/*.toml, asked of the service as a client would."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from imdsctl.imds.message import Headers, Request
from imdsctl.imds.options import Options
from imdsctl.imds.service import Service
from imdsctl.imds.times import moment
from imdsctl.imds.tokens import Tokens

STARTED = moment("2026-01-31T08:22:00Z", 0)
SECRET = b"the service's own secret"
INSTANCE = "i-1234567890abcdef0"
ENTROPY = bytes(range(16))

CASES = [
    pytest.param(case, id=f"{path.stem}: {case['name']}")
    for path in sorted(Path(__file__).with_name("cases").glob("*.toml"))
    for case in tomllib.loads(path.read_text("utf-8"))["case"]
]


def presented(kind: str, now: float) -> str:
    """The token text that a case presents."""
    own = Tokens(SECRET, INSTANCE)
    if kind == "valid":
        return own.issue(60, now - 40, ENTROPY)
    if kind == "expired":
        return own.issue(60, now - 60, ENTROPY)
    if kind == "foreign":
        return Tokens(SECRET, "i-0fedcba0987654321").issue(60, now, ENTROPY)
    return "" if kind == "empty" else kind


@pytest.mark.parametrize("case", CASES)
def test_the_service_answers_as_the_case_says(case: dict[str, Any]) -> None:
    service = Service(
        case.get("values", {}),
        Options.from_mapping(case.get("options", {})),
        INSTANCE,
        SECRET,
        started=STARTED,
        redirect_directories=case.get("redirect_directories", False),
    )
    now = moment(case.get("at", "+10m"), STARTED)
    fields = list(case.get("headers", {}).items())
    if "token" in case:
        fields.append(("x-aws-ec2-metadata-token", presented(case["token"], now)))
    method, target = case["request"].split(" ", 1)

    answer = service.answer(Request(method, target, Headers(fields)), now, ENTROPY)

    expect, body = dict(case["expect"]), answer.response.body
    assert answer.response.status == expect.pop("status")
    assert answer.kind == expect.pop("kind")
    assert answer.counted == expect.pop("counted", None)
    assert answer.hop_limited is expect.pop("hop_limited", False)
    if "length" in expect:
        assert len(body) == expect.pop("length")
    if "body" in expect:
        assert body.decode() == expect.pop("body")
    if "body_hex" in expect:
        assert body.hex() == expect.pop("body_hex")
    if "body_has" in expect:
        assert expect.pop("body_has") in body.decode()
    assert not expect, f"the case expects what is not checked: {expect}"
    for name, value in case.get("fields", {}).items():
        assert answer.response.headers.get(name) == value
    for name in case.get("without", ()):
        assert name not in answer.response.headers
    if "json" in case:
        found = json.loads(body)
        wanted = case["json"]
        same = found if case.get("json_exact") else {name: found[name] for name in wanted}
        assert same == wanted
    unknown = set(case) - {
        "name", "request", "headers", "options", "values", "token", "at", "expect", "fields",
        "without", "json", "json_exact", "redirect_directories",
    }  # fmt: skip
    assert not unknown, f"the case says what is not read: {unknown}"


def test_every_answer_says_how_long_it_is_and_when_it_was_given() -> None:
    service = Service({}, Options(), INSTANCE, SECRET, started=STARTED)
    for target in ("/", "/latest/meta-data", "/nothing", "/latest/api/token"):
        response = service.answer(Request("GET", target), STARTED, ENTROPY).response
        assert response.headers.get("content-length") == str(len(response.body))
        assert response.headers.get("date") == "Sat, 31 Jan 2026 08:22:00 GMT"
        assert response.headers.get("server") == "EC2ws"
