"""The policies: AWS's own statements, exemptions, sizes, and what the command prints."""

import json
import tomllib
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from policy_judges import ALLOW_ALL, findings, needs_evaluator, needs_linter, results, simulation
from whole_run import Operator

from imdsctl.guard.guardrail import Settings
from imdsctl.guard.policies import LIMITS, book, compose, resolve

REQUESTS = tomllib.loads((Path(__file__).parent / "cases" / "requests.toml").read_text())["request"]
GLASS = "arn:aws:iam::*:role/break-glass"
SOMEBODY = "arn:aws:iam::111111111111:role/deploy"
BREAKER = "arn:aws:iam::111111111111:role/break-glass"
INSTANCE = "arn:aws:ec2:eu-west-1:111111111111:instance/i-0123456789abcdef0"
INSTANCES = "arn:aws:ec2:*:*:instance/*"

AS_AWS_PUBLISHES = {
    "RequireImdsV2": {
        "Effect": "Deny",
        "Action": "ec2:RunInstances",
        "Resource": INSTANCES,
        "Condition": {"StringNotEquals": {"ec2:MetadataHttpTokens": "required"}},
    },
    "DenyIMDSv1HttpTokensModification": {
        "Effect": "Deny",
        "Action": "ec2:ModifyInstanceMetadataOptions",
        "Resource": INSTANCES,
        "Condition": {
            "StringNotEquals": {"ec2:Attribute/HttpTokens": "required"},
            "Null": {"ec2:Attribute/HttpTokens": "false"},
        },
    },
    "MaxImdsHopLimit": {
        "Effect": "Deny",
        "Action": "ec2:RunInstances",
        "Resource": INSTANCES,
        "Condition": {"NumericGreaterThan": {"ec2:MetadataHttpPutResponseHopLimit": "3"}},
    },
    "RequireAllEc2RolesToUseV2": {
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"NumericLessThan": {"ec2:RoleDelivery": "2.0"}},
    },
}


def statements(policy: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A policy's statements by their ids."""
    return {s.pop("Sid"): s for s in json.loads(json.dumps(policy))["Statement"]}


@pytest.mark.parametrize("kind", ["iam", "scp"])
def test_the_four_statements_are_those_that_aws_publishes(kind: str, operator: Operator) -> None:
    answer = operator("guard", "policies", "--kind", kind, "-o", "json")
    assert answer.code == 0, str(answer)
    assert answer.json["Version"] == "2012-10-17"
    found = statements(answer.json)
    assert {sid: found[sid] for sid in AS_AWS_PUBLISHES} == AS_AWS_PUBLISHES
    assert set(found) - set(AS_AWS_PUBLISHES) == {"OnlyAdminsModifyMetadataDefaults"}


def test_exempt_roles_stand_in_every_statement(operator: Operator) -> None:
    roles = [GLASS, "arn:aws:iam::111111111111:role/admins/*"]
    words = [w for role in roles for w in ("--exempt-role", role)]
    answer = operator("guard", "policies", "--kind", "scp", "-o", "json", *words)
    assert len(answer.json["Statement"]) == 5
    for statement in answer.json["Statement"]:
        assert statement["Condition"]["ArnNotLike"] == {"aws:PrincipalArn": roles}


def test_one_statement_with_another_hop_limit_in_another_partition(operator: Operator) -> None:
    answer = operator(
        *("guard", "policies", "--kind", "iam", "--statement", "MaxImdsHopLimit"),
        *("--hop-limit", "2", "--partition", "aws-us-gov", "-o", "json"),
    )
    (statement,) = answer.json["Statement"]
    assert statement["Resource"] == "arn:aws-us-gov:ec2:*:*:instance/*"
    limit = {"ec2:MetadataHttpPutResponseHopLimit": "2"}
    assert statement["Condition"]["NumericGreaterThan"] == limit


@pytest.mark.parametrize(
    ("words", "enforced"), [((), "no_preference"), (("--enforce",), "enabled")]
)
def test_the_declarative_policy_enforces_only_when_asked(
    words: tuple[str, ...], enforced: str, operator: Operator
) -> None:
    operator.settings("[plan]\ndefault_hop_limit = 3\n")
    answer = operator("guard", "policies", "--kind", "declarative", "-o", "json", *words)
    defaults = answer.json["ec2_attributes"]["instance_metadata_defaults"]
    assert {name: value["@@assign"] for name, value in defaults.items()} == {
        "http_tokens": "required",
        "http_put_response_hop_limit": "3",
        "http_endpoint": "no_preference",
        "instance_metadata_tags": "no_preference",
        "http_tokens_enforced": enforced,
    }
    assert ("rollback included" in answer.err) == bool(words)


def test_every_guardrail_says_what_it_misses_and_what_of_ours_it_stops(operator: Operator) -> None:
    answer = operator("guard", "policies", "-o", "json")
    assert [p["kind"] for p in answer.json["policies"]] == ["iam", "scp", "declarative"]
    assert {g["name"] for g in answer.json["guardrails"]} == set(book())
    for guardrail in answer.json["guardrails"]:
        assert guardrail["does"]
        assert guardrail["misses"]
        assert guardrail["blocks"]
    table = operator("guard", "policies")
    assert "rollback of every instance" in table.out
    assert "Service-linked roles" in table.out


def test_notes_never_stand_between_the_policy_and_the_aws_cli(operator: Operator) -> None:
    answer = operator("guard", "policies", "--kind", "scp", "-o", "json")
    json.loads(answer.out)
    assert "deny-v1-modification stops rollback of every instance" in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--exempt-role", "break-glass"), "not the ARN of a role"),
        (
            ("--exempt-role", "arn:aws:sts::111111111111:assumed-role/glass/me"),
            "arn:aws:iam::111111111111:role/glass",
        ),
        (("--hop-limit", "65"), "1 to 64"),
        (("--statement", "require-imds"), "did you mean require-imdsv2?"),
        (("--kind", "scp", "--statement", "declarative-defaults"), "--kind declarative"),
    ],
)
def test_what_aws_would_not_take_is_refused(
    words: tuple[str, ...], said: str, operator: Operator
) -> None:
    answer = operator("guard", "policies", *words)
    assert answer.code == 2
    assert answer.out == ""
    assert said in answer.err


@pytest.mark.parametrize("kind", ["iam", "scp"])
def test_a_policy_is_measured_as_aws_measures_it(kind: Any, operator: Operator) -> None:
    def with_roles(number: int) -> Settings:
        return Settings(
            exempt_roles=tuple(f"arn:aws:iam::{n:012}:role/break-glass" for n in range(number))
        )

    document = compose(kind, resolve(()), with_roles(3))
    assert document is not None
    bare = json.dumps(document.policy, separators=(",", ":"))
    assert document.size == (len(bare) if kind == "iam" else len(document.text.rstrip("\n")))
    # The largest that still fits: an SCP then loses its white space, and stays the same policy.
    most = next(n for n in range(3, 99) if len(_compact(kind, with_roles(n + 1))) > LIMITS[kind])
    largest = compose(kind, resolve(()), with_roles(most))
    assert largest is not None
    assert largest.size <= LIMITS[kind]
    assert json.loads(largest.text) == largest.policy
    words = [
        w for n in range(most + 1) for w in ("--exempt-role", with_roles(n + 1).exempt_roles[n])
    ]
    answer = operator("guard", "policies", "--kind", kind, *words)
    assert answer.code == 2
    assert f"AWS takes {LIMITS[kind]:,}" in answer.err


def _compact(kind: Any, settings: Settings) -> str:
    built = [g.build(settings) for g in resolve(()) if kind in g.kinds]
    policy = {"Version": "2012-10-17", "Statement": built}
    return json.dumps(policy, separators=(",", ":"))


def asked(request: dict[str, Any]) -> tuple[str, dict[str, str], str]:
    """The resource, the context and the principal of a request in the cases."""
    principal = BREAKER if request.get("exempt") else SOMEBODY
    context = {"aws:PrincipalArn": principal, **request.get("context", {})}
    return request.get("resource", INSTANCE), context, principal


OPERATORS: dict[str, Callable[[str | None, Any], bool]] = {
    "Null": lambda found, wanted: (found is None) == (wanted == "true"),
    "StringNotEquals": lambda found, wanted: found != wanted,
    "NumericGreaterThan": lambda found, wanted: found is not None and float(found) > float(wanted),
    "NumericLessThan": lambda found, wanted: found is not None and float(found) < float(wanted),
    "ArnNotLike": lambda found, wanted: (
        found is None or not any(fnmatchcase(found, pattern) for pattern in wanted)
    ),
}


def denies(statement: dict[str, Any], action: str, context: dict[str, str]) -> bool:
    """IAM's evaluation of a Deny statement, for the operators that ours use."""
    if not fnmatchcase(action, statement["Action"]):
        return False
    return all(
        OPERATORS[operator](context.get(key), wanted)
        for operator, pairs in statement["Condition"].items()
        for key, wanted in pairs.items()
    )


def policy_of(name: str) -> dict[str, Any]:
    document = compose("scp", [book()[name]], Settings(exempt_roles=(GLASS,)))
    assert document is not None
    return document.policy


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: r["why"])
def test_each_statement_denies_what_it_should_and_nothing_else(request_: dict[str, Any]) -> None:
    (statement,) = policy_of(request_["guardrail"])["Statement"]
    _, context, _ = asked(request_)
    assert denies(statement, request_["action"], context) == request_["denied"]


def test_every_statement_has_requests_that_it_denies_and_that_it_leaves_alone() -> None:
    for name, guardrail in book().items():
        if "scp" in guardrail.kinds:
            assert {r["denied"] for r in REQUESTS if r["guardrail"] == name} == {True, False}


@needs_evaluator
@pytest.mark.parametrize("kind", ["iam", "scp"])
def test_an_independent_evaluator_agrees(kind: str) -> None:
    simulations = []
    for request in REQUESTS:
        resource, context, principal = asked(request)
        policies = [ALLOW_ALL, policy_of(request["guardrail"])]
        simulations.append(
            simulation(
                request["action"],
                resource if request["action"] != "ec2:RunInstances" else INSTANCES,
                context,
                principal,
                identity=policies if kind == "iam" else [ALLOW_ALL],
                service_control=policies if kind == "scp" else [ALLOW_ALL],
            )
        )
    said = dict(zip([r["why"] for r in REQUESTS], results(simulations), strict=True))
    assert said == {r["why"]: "ExplicitlyDenied" if r["denied"] else "Allowed" for r in REQUESTS}


@needs_linter
def test_an_independent_linter_finds_nothing() -> None:
    # A linter that is asleep would find nothing either.
    broken = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "ec2:RunInstancez", "Resource": "*"}],
    }
    policies = [policy_of(name) for name, g in book().items() if "scp" in g.kinds]
    *ours, asleep = findings([*policies, broken])
    assert ours == [[] for _ in policies]
    assert asleep
