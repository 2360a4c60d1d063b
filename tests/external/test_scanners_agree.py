"""Prowler and Cloud Custodian, run for real, say what `check` says that they say."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from agreement import CONTROLS, Agreement, compare
from cases import REGIONS, check, scan, simulated
from scanners import Found, Place, Seen, custodian, missing, prowler
from whole_run import OWN, Operator, instances

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "installed")

PLACES = [Place(OWN, "", REGIONS)]


class Look(NamedTuple):
    """Both sides at one moment, and what the simulated AWS knows by name."""

    ours: Any
    theirs: Found
    told: Agreement
    names: dict[str, str]


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Look, Look]]:
    """Everything before a migration, and after it."""
    with simulated() as aws:
        operator = Operator(tmp_path_factory.mktemp("agree"))

        def look() -> Look:
            scan(operator)
            ours = check(operator, *CONTROLS)
            theirs = prowler(PLACES, aws.url) | custodian(PLACES, aws.url)
            names = {str(one["name"]): id_ for id_, one in instances(aws).items()}
            return Look(ours, theirs, compare(ours, theirs), names)

        before = look()
        operator.plan()
        migrated = operator.apply()
        assert migrated.code == 0, str(migrated)
        yield before, look()


@pytest.mark.parametrize("when", [0, 1], ids=["before", "after"])
def test_they_agree_resource_by_resource(looks: tuple[Look, Look], when: int) -> None:
    told = looks[when].told
    assert told.differ == []
    assert told.explained == [], "nothing here needs an explanation"


@pytest.mark.parametrize("when", [0, 1], ids=["before", "after"])
def test_every_control_had_something_to_say(looks: tuple[Look, Look], when: int) -> None:
    for control, passed, failed in looks[when].told.rows():
        assert passed + failed > 0, control


@pytest.mark.parametrize("control", CONTROLS)
def test_the_tools_see_more_pass_after_the_migration_or_as_much(
    looks: tuple[Look, Look], control: str
) -> None:
    (_, before, _), (_, after, _) = (
        next(row for row in look.told.rows() if row[0] == control) for look in looks
    )
    assert after >= before


def test_the_migrated_instance_fails_before_and_passes_after(looks: tuple[Look, Look]) -> None:
    seen = Seen("ec2_instance_imdsv2_enabled", OWN, "eu-west-1", looks[0].names["v1-running"])
    assert [sorted(look.theirs[seen]) for look in looks] == [["fail"], ["pass"]]


def test_the_pinned_group_fails_before_and_passes_after(looks: tuple[Look, Look]) -> None:
    seen = Seen("custodian-asg-require-imdsv2", OWN, "eu-west-1", "pinned")
    assert [sorted(look.theirs[seen]) for look in looks] == [["fail"], ["pass"]]


def test_prowler_answers_twice_for_a_name_in_two_regions(looks: tuple[Look, Look]) -> None:
    control = "autoscaling_group_launch_configuration_requires_imdsv2"
    seen = Seen(control, OWN, "eu-west-1", "two-regions")
    assert looks[0].theirs[seen] == {"pass", "fail"}


def test_a_difference_is_told(looks: tuple[Look, Look]) -> None:
    look = looks[0]
    seen = Seen("ec2_instance_imdsv2_enabled", OWN, "eu-west-1", look.names["off-optional"])
    told = compare(look.ours, {**look.theirs, seen: frozenset({"fail"})})
    assert told.differ == [f"{' '.join(seen)}: theirs fail, ours pass"]
    unseen = {key: said for key, said in look.theirs.items() if key != seen}
    told = compare(look.ours, unseen)
    assert told.differ == [f"{' '.join(seen)}: theirs nothing, ours pass"]
    extra = seen._replace(resource="i-0ther")
    told = compare(look.ours, {**look.theirs, extra: frozenset({"pass"})})
    assert told.differ == [f"{' '.join(extra)}: theirs pass, ours nothing"]
