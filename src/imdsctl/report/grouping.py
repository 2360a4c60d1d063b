"""Thousands of verdicts into a handful of groups: what stands where it does for the same reason."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from imdsctl.model.verdict import Reason, Status
from imdsctl.report.data import Listed, ReasonGroup, StatusSection

SHOWN = 12
"""Resources that a group names; the rest is counted, so that a page stays a page."""

FIXES = 3
"""Different advice that a group shows."""

ORDER: tuple[Status, ...] = ("blocked", "unknown", "ready", "exempt", "done")
"""What needs a person comes first."""

Judged = tuple[Status, list[Reason], str, str, str, str]
"""Status, reasons, resource, name, account, region."""

_NONE = Reason(rule="no-reason", summary="No reason was given.")


def group_reasons(items: Iterable[Judged]) -> list[StatusSection]:
    """One section a status that occurs, its groups by first reason, the largest first."""
    groups: dict[Status, dict[str, _Group]] = defaultdict(dict)
    also: dict[Status, Counter[str]] = defaultdict(Counter)
    example: dict[str, str] = {}
    for status, reasons, resource, name, account, region in items:
        first = reasons[0] if reasons else _NONE
        group = groups[status].setdefault(first.rule, _Group(first))
        group.add(
            first,
            Listed(
                resource=resource,
                name=name,
                account=account,
                region=region,
                summary=first.summary,
            ),
        )
        for reason in reasons[1:]:
            also[status][reason.rule] += 1
            example.setdefault(reason.rule, reason.summary)
    return [
        StatusSection(
            status=status,
            count=sum(g.count for g in groups[status].values()),
            groups=sorted(
                (g.done() for g in groups[status].values()), key=lambda g: (-g.count, g.rule)
            ),
            also=[(rule, example[rule], n) for rule, n in also[status].most_common()],
        )
        for status in ORDER
        if status in groups
    ]


class _Group:
    """Collects one group without keeping all of its members."""

    def __init__(self, first: Reason) -> None:
        self._rule = first.rule
        self._summaries: Counter[str] = Counter()
        self._fixes: Counter[str] = Counter()
        self._listed: list[Listed] = []
        self.count = 0

    def add(self, reason: Reason, listed: Listed) -> None:
        """Count one more; the first few are kept by name."""
        self.count += 1
        self._summaries[reason.summary] += 1
        if reason.fix:
            self._fixes[reason.fix] += 1
        if len(self._listed) < SHOWN:
            self._listed.append(listed)

    def done(self) -> ReasonGroup:
        """The group as a value."""
        return ReasonGroup(
            rule=self._rule,
            summary=self._summaries.most_common(1)[0][0],
            wordings=len(self._summaries),
            fixes=[fix for fix, _ in self._fixes.most_common(FIXES)],
            count=self.count,
            listed=self._listed,
            rest=self.count - len(self._listed),
        )
