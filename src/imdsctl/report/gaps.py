"""What could not be read, as few rows: refusals alike in one, whatever action they are of."""

from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct

from imdsctl.model.refusal import refusal
from imdsctl.report.data import Gap


class GapRow(Struct, frozen=True, kw_only=True):
    """Readings of one account that failed for the same reason.

    `whats` are kinds of reading, each with how much of it came before the failure; `actions` are
    IAM's, where AWS refused them.
    """

    account: str
    regions: tuple[str, ...]
    whats: tuple[tuple[str, int], ...]
    why: str
    actions: tuple[str, ...] = ()


def gap_rows(gaps: Iterable[Gap]) -> list[GapRow]:
    """The gaps in the order of their first, those of one region and reason together."""
    whats: dict[tuple[str, str, str], list[tuple[str, int]]] = defaultdict(list)
    actions: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for gap in gaps:
        why = gap.why
        denied = refusal(why)
        if denied and denied.action:
            why = f"access denied{denied.how}"
        key = gap.account, gap.region, why
        whats[key].append((gap.what, gap.seen))
        if denied and denied.action:
            actions[key].append(denied.action)
    regions: dict[tuple[str, str, tuple[tuple[str, int], ...], tuple[str, ...]], list[str]] = (
        defaultdict(list)
    )
    for (account, region, why), read in whats.items():
        found = tuple(dict.fromkeys(actions[account, region, why]))
        regions[account, why, tuple(dict.fromkeys(read)), found].append(region)
    return [
        GapRow(account=account, regions=tuple(where), whats=read, why=why, actions=found)
        for (account, why, read, found), where in regions.items()
    ]
