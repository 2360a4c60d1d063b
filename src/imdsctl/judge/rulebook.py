"""Finding the rules, and weighing what they say into a verdict."""

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

from imdsctl.judge.facts import Finding
from imdsctl.model.verdict import CONFIDENCES, Confidence, Reason, Status, Verdict

Rule = Callable[[Any], Finding | None]

PRECEDENCE: tuple[Status, ...] = ("done", "exempt", "blocked", "unknown", "ready")
"""Where rules disagree, the first of these that any of them argues for wins."""


@cache
def modules(package: ModuleType) -> tuple[tuple[str, Rule], ...]:
    """Every rule of a package with its name, in alphabetical order."""
    found = []
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        rule: Rule = importlib.import_module(f"{package.__name__}.{module.name}").judge
        found.append((module.name.replace("_", "-"), rule))
    return tuple(found)


def weigh(
    resource: str,
    account: str,
    region: str,
    findings: list[tuple[str, Finding]],
    evidence: tuple[str, ...],
) -> Verdict:
    """Findings into a verdict; reasons that decided come first, cautions after them."""
    argued = {found.status for _, found in findings if found.status}
    status: Status = next((s for s in PRECEDENCE if s in argued), "ready")
    deciding = [(name, found) for name, found in findings if found.status == status]
    deciding.sort(key=lambda one: not one[1].leads)
    others = [(name, found) for name, found in findings if found.status != status]
    if status == "ready":
        confidence = _lowest([found.confidence for _, found in others if not found.status])
        deciding.insert(
            0,
            (
                "quiet",
                Finding(
                    summary="No IMDSv1 call in the window, with data throughout."
                    if not others
                    else "Nothing that was seen speaks against requiring IMDSv2.",
                    evidence=evidence,
                ),
            ),
        )
    else:
        confidence = max(
            (found.confidence for _, found in deciding), key=CONFIDENCES.index, default="high"
        )
    return Verdict(
        resource=resource,
        account=account,
        region=region,
        status=status,
        confidence=confidence,
        reasons=[
            Reason(
                rule=name,
                summary=f.summary,
                fix=f.fix,
                evidence=list(f.evidence),
                status=f.status,
            )
            for name, f in (*deciding, *others)
        ],
    )


def _lowest(confidences: list[Confidence]) -> Confidence:
    return min(confidences, key=CONFIDENCES.index, default="high")
