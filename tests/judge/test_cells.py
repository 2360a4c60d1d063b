"""A whole account and region judged at once: who stands for whom, and which reading counts."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest
from judge_cases import NOW, REGION, an_instance, recorded, the_calls

from imdsctl.judge.fleet import exemption_for, judge_cell
from imdsctl.model.cell import CellEvidence, FailedGate, JudgedCell
from imdsctl.model.evidence import (
    AccountDefaults,
    Cell,
    Group,
    GroupMember,
    GroupSpec,
    Instance,
    TemplateSpec,
    TemplateVersion,
)
from imdsctl.model.options import MetadataOptions
from imdsctl.model.policy import Exemption, Policy
from imdsctl.model.verdict import Verdict

ACCOUNT = "111111111111"
YOUNG = datetime(2026, 11, 21, 8, tzinfo=UTC)
SPEC = TemplateSpec(id="lt-web", name="web", version="1")


def cell(
    instances: Mapping[str, dict[str, Any]],
    *,
    calls: Mapping[str, Any] | None = None,
    policy: Policy | None = None,
    **evidence: Any,
) -> JudgedCell:
    """Judges instances by id; `calls` says what CloudWatch had, "not read" takes a reading away."""
    read = [an_instance({"id": name, **said}) for name, said in instances.items()]
    said_calls = {name: (calls or {}).get(name, {}) for name in instances}
    given = CellEvidence(
        cell=Cell(ACCOUNT, REGION),
        instances=[recorded("instance", f"e-{i.id}", i) for i in read],
        calls={
            i.id: recorded("calls", f"c-{i.id}", the_calls(said_calls[i.id], i))
            for i in read
            if said_calls[i.id] != "not read"
        },
        **evidence,
    )
    return judge_cell(given, policy or Policy(), NOW)


def rules(verdict: Verdict) -> list[str]:
    return [reason.rule for reason in verdict.reasons]


def a_group(name: str, *members: str) -> Any:
    group = Group(
        name=name,
        account=ACCOUNT,
        region=REGION,
        specs=[GroupSpec(template=SPEC)],
        members=[GroupMember(id=member) for member in members],
    )
    return recorded("group", "g1", group)


def a_template(tokens: str) -> Any:
    version = TemplateVersion(
        template_id="lt-web",
        template_name="web",
        account=ACCOUNT,
        region=REGION,
        number=1,
        default=True,
        latest=True,
        options=MetadataOptions(http_tokens=tokens),
    )
    return recorded("launch-template", "t1", version)


DEFAULTS = recorded("defaults", "d1", AccountDefaults(account=ACCOUNT, region=REGION))


@pytest.mark.parametrize(
    "origin",
    [{"group": "web"}, {"template": {"id": "lt-web", "name": "web", "version": "1"}}],
    ids=["of one group", "of one template"],
)
def test_a_caller_blocks_its_siblings_and_nobody_else(origin: dict[str, Any]) -> None:
    judged = cell(
        {"i-loud": origin, "i-quiet": origin, "i-other": {"group": "batch"}},
        calls={"i-loud": {"v1": {"total": 4}}},
    )
    assert rules(judged.instances["i-loud"])[0] == "calls-seen"
    assert rules(judged.instances["i-quiet"])[0] == "siblings-called"
    assert "i-loud" in judged.instances["i-quiet"].reasons[0].summary
    assert "c-i-loud" in judged.instances["i-quiet"].reasons[0].evidence
    assert judged.instances["i-other"].status == "ready"


def test_instances_without_a_group_or_template_stand_for_themselves() -> None:
    judged = cell({"i-loud": {}, "i-quiet": {}}, calls={"i-loud": {"v1": {"total": 4}}})
    assert judged.instances["i-quiet"].status == "ready"


def test_an_old_quiet_sibling_speaks_for_a_young_instance() -> None:
    young = {"group": "web", "launched_at": YOUNG}
    judged = cell({"i-young": young, "i-old": {"group": "web"}})
    assert (judged.instances["i-young"].status) == "ready"
    alone = cell({"i-young": young})
    assert alone.instances["i-young"].status == "unknown"


@pytest.mark.parametrize(
    "sibling",
    [
        {"v1": "no data"},
        {"v1": {"hours_with_data": 300}},
        "not read",
        {"hours_running": 72, "v1": {"hours_with_data": 336,
                                     "last_data": datetime(2026, 11, 10, tzinfo=UTC)}},
    ],
    ids=["no data", "data with gaps", "not read", "data of an earlier run only"],
)  # fmt: skip
def test_a_sibling_of_which_little_is_known_speaks_for_nobody(sibling: Any) -> None:
    young = {"group": "web", "launched_at": YOUNG}
    judged = cell({"i-young": young, "i-old": {"group": "web"}}, calls={"i-old": sibling})
    assert judged.instances["i-young"].status == "unknown"


def test_a_launch_path_that_is_still_v1_is_said_of_its_instances() -> None:
    for tokens, said in (("optional", True), ("required", False)):
        judged = cell(
            {"i-a": {"group": "web"}},
            groups=[a_group("web", "i-a")],
            templates=[a_template(tokens)],
            defaults=DEFAULTS,
        )
        assert ("launch-path-v1" in rules(judged.instances["i-a"])) is said


def test_a_launch_that_the_window_saw_proves_the_path_of_its_group() -> None:
    seen = {"group": "web", "launched_at": datetime(2026, 11, 10, 9, 30, tzinfo=UTC)}
    for said, proven in ((seen, True), ({"group": "web"}, False)):
        judged = cell(
            {"i-a": said, "i-b": {"group": "web"}},
            groups=[a_group("web", "i-a", "i-b")],
            templates=[a_template("optional")],
            defaults=DEFAULTS,
        )
        (path,) = judged.paths
        assert (path.boot_seen, path.verdict.status) == (proven, "ready")


def test_a_path_whose_instances_could_not_be_listed_is_unknown() -> None:
    judged = cell(
        {},
        groups=[a_group("web", "i-a", "i-b")],
        templates=[a_template("optional")],
        defaults=DEFAULTS,
        unreadable={"instances": "UnauthorizedOperation: no"},
    )
    (path,) = judged.paths
    assert (path.verdict.status, rules(path.verdict)[0]) == ("unknown", "members-held")


def test_why_metrics_could_not_be_read_is_told() -> None:
    judged = cell({"i-a": {}}, calls={"i-a": "not read"}, unreadable={"calls": "AccessDenied: no"})
    assert "AccessDenied: no" in judged.instances["i-a"].reasons[0].summary


def test_a_gate_that_failed_in_a_run_is_remembered() -> None:
    gate = FailedGate(run="r7", at=datetime(2026, 11, 20, tzinfo=UTC), why="3 calls rejected")
    judged = cell({"i-a": {}, "i-b": {}}, failed_gates={"i-a": gate})
    assert rules(judged.instances["i-a"])[0] == "failed-gate"
    assert judged.instances["i-b"].status == "ready"


def test_terminated_instances_are_not_judged_and_speak_for_nobody() -> None:
    judged = cell(
        {"i-gone": {"group": "web", "state": "terminated"}, "i-a": {"group": "web"}},
        calls={"i-gone": {"v1": {"total": 9}}},
    )
    assert set(judged.instances) == {"i-a"}
    assert judged.instances["i-a"].status == "ready"


def exemption(resource: str, expires: date = date(2027, 3, 31)) -> Exemption:
    return Exemption(resource=resource, owner="me", reason="vendor", expires=expires)


@pytest.mark.parametrize(
    ("resource", "matches"),
    [
        ("i-0a", True),
        ("legacy-*", True),
        ("legacy-billing-7", True),
        ("web", True),
        ("i-0b", False),
        ("legacy", False),
        ("LEGACY-*", False),
    ],
)
def test_an_exemption_names_an_id_a_name_or_a_group(
    resource: str,
    matches: bool,  # noqa: FBT001 - a column of the table
) -> None:
    one = an_instance({"name": "legacy-billing-7", "group": "web"})
    assert (exemption_for(one, [exemption(resource)]) is not None) is matches


def test_a_pattern_for_everything_does_not_match_by_a_name_that_is_not_there() -> None:
    nameless: Instance = an_instance({})
    assert exemption_for(nameless, [exemption("?*")]) is not None  # by its id
    assert exemption_for(nameless, [exemption("")]) is None


def test_a_renewed_exemption_counts_wherever_it_stands() -> None:
    old, new = exemption("i-0a", date(2026, 10, 1)), exemption("i-0a", date(2027, 10, 1))
    one = an_instance({})
    assert exemption_for(one, [old, new]) == new
    assert exemption_for(one, [new, old]) == new
    policy = Policy(exemptions=[old, new])
    assert cell({"i-0a": {}}, policy=policy).instances["i-0a"].status == "exempt"
