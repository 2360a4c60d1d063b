"""Whether `imdsctl check` answers for Prowler and Cloud Custodian as they answer themselves."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scanners import CUSTODIAN_POLICIES, PROWLER_CHECKS, Found, Seen

CONTROLS = (*PROWLER_CHECKS, *(f"custodian-{policy}" for policy in CUSTODIAN_POLICIES))
"""The controls whose makers can be asked."""


@dataclass
class Agreement:
    """The answers of both sides, resource by resource."""

    agree: Counter[tuple[str, str]] = field(default_factory=Counter)
    explained: list[str] = field(default_factory=list)
    differ: list[str] = field(default_factory=list)

    def rows(self) -> Iterable[tuple[str, int, int]]:
        """Each control with how many resources pass and fail on both sides."""
        for control in CONTROLS:
            yield control, self.agree[control, "pass"], self.agree[control, "fail"]


def compare(check: Mapping[str, Any], theirs: Found) -> Agreement:
    """Compares the JSON of `imdsctl check` with what the tools found.

    What a tool could not read is explained where imdsctl says so of the place as well; everything
    else that is not the same on both sides differs.
    """
    told = Agreement()
    gaps: set[tuple[str, str]] = set()
    ours: dict[Seen, dict[str, Any]] = {}
    for result in check["results"]:
        if result["status"] == "unknown" and not result["evidence"]:
            gaps.add((result["account"], result["region"]))
            continue
        ours[Seen(result["control"], result["account"], result["region"], result["resource"])] = (
            result
        )
    errors: Counter[tuple[str, str]] = Counter()
    for seen in sorted(ours.keys() | theirs.keys()):
        said, heard = ours.get(seen), theirs.get(seen, frozenset())
        words = f"{seen.control} {seen.account} {seen.region} {seen.resource}"
        if seen.control == "errors":
            if (seen.account, seen.region) in gaps:
                errors[seen.account, seen.region] += 1
            else:
                told.differ.append(words)
        elif said is None:
            told.differ.append(f"{words}: theirs {_both(heard)}, ours nothing")
        elif agrees(said["status"], heard):
            told.agree[seen.control, said["status"]] += 1
        else:
            told.differ.append(f"{words}: theirs {_both(heard)}, ours {said['status']}")
    told.explained += [
        f"{place[0]} {place[1]} could not be read: imdsctl answers unknown, the tools met "
        f"{errors[place]} errors and answer nothing"
        for place in sorted(gaps)
    ]
    return told


def agrees(ours: str, theirs: frozenset[str]) -> bool:
    """A resource that passes and fails at once fails; what is not applicable is not listed."""
    if ours == "not-applicable":
        return not theirs
    return ours == ("fail" if "fail" in theirs else "pass" if theirs else "nothing")


def _both(statuses: frozenset[str]) -> str:
    return " and ".join(sorted(statuses)) or "nothing"
