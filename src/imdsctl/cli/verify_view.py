"""How a fresh look at a run is shown."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from imdsctl.apply.verify import Verification, Verified
from imdsctl.cli.screen import Part, Screen, count
from imdsctl.model.host import HostLook

_SHOWN: Final = 20
_METRICS: Final = {
    "clean": "without a rejected call",
    "early": "too early to say",
    "refused": "with rejected calls",
    "expected": "with rejected calls, as expected",
    "called": "that IMDSv1 still calls",
    "no-data": "without data",
    "not-read": "not read",
}
_WAITING: Final = {
    "called": "still called",
    "clean": "quiet",
    "early": "too early to say",
    "no-data": "without data",
    "not-read": "not read",
}
_HOSTS: Final[tuple[tuple[str, str, str], ...]] = (
    ("good", "as it should be", "green"),
    ("bad", "with something wrong", "red"),
    ("not-looked-at", "not looked at", "yellow"),
    ("gone", "gone", ""),
)
_MARKS: Final = {"good": ("✓", "green"), "bad": ("✗", "red"), "not-looked-at": ("?", "yellow")}


def looks_of(found: Verification) -> Iterator[HostLook]:
    """Every look at a host, each once: two changes may have the same instance behind them."""
    seen: set[tuple[str, str, str]] = set()
    for one in found.changes:
        for look in one.host.instances if one.host is not None else ():
            key = (one.account, one.region, look.instance)
            if key not in seen:
                seen.add(key)
                yield look


def host_states(found: Verification) -> Counter[str]:
    """How many instances were looked at with which result."""
    return Counter(look.state for look in looks_of(found))


def show(
    screen: Screen,
    run: str,
    found: Verification,
    *,
    asked: bool,
    within: int,
    onward: str | None,
) -> None:
    """The whole look, for people.

    Args:
        screen: where to.
        run: the run's name.
        found: what was found.
        asked: whether hosts were asked for.
        within: how many more changes the looked-at ones were built on, and show.
        onward: the command that goes on with the plan, None where nothing is left.
    """
    results = found.changes
    others = f", {within:,} more by what was built on them" if within > 0 else ""
    screen.line(
        (f"run {run}", "bold"), f"  {count(len(results), 'change')} looked at again{others}"
    )
    _api(screen, results)
    _metric(screen, found)
    if asked:
        _hosts(screen, found)
    _waiting(screen, found)
    bad = [r for r in results if not r.ok]
    # What is wrong on a host alone has been said above.
    listed = [r for r in bad if r.state not in ("holds", "gone")]
    for result in listed[:_SHOWN]:
        words = [f"{result.resource}  {result.account} {result.region}", result.api, result.metric]
        mark, style = _MARKS["not-looked-at" if result.state == "unreadable" else "bad"]
        screen.line((f"  {mark} ", style), "  ".join(filter(None, words)), hang=6)
    if len(listed) > _SHOWN:
        screen.line(f"    and {len(listed) - _SHOWN:,} more: imdsctl verify {run} -o json")
    _next(screen, run, found, bad, onward)


def _api(screen: Screen, results: list[Verified]) -> None:
    good = sum(
        r.state in ("holds", "refused-calls") or r.metric_state == "not-read" for r in results
    )
    unread = sum(r.state == "unreadable" and r.metric_state != "not-read" for r in results)
    states = Counter[str](r.state for r in results)
    others = [
        f", {number:,} {word}"
        for number, word in (
            (states["gone"], "gone"),
            (states["drifted"], "changed since"),
            (unread, "not read"),
        )
        if number
    ]
    screen.line("  api      ", (f"{good:,} as planned", "green"), *others)


def _metric(screen: Screen, found: Verification) -> None:
    states = Counter[str](r.metric_state for r in found.changes if r.metric_state)
    if states:
        said = [f"{states[state]:,} {word}" for state, word in _METRICS.items() if states[state]]
        own = f" (not counting {count(found.own_calls, 'probe')} of imdsctl's own)"
        screen.line("  metric   ", ", ".join(said), own if found.own_calls else "", hang=11)


def _hosts(screen: Screen, found: Verification) -> None:
    states = host_states(found)
    unknown = [r for r in found.changes if r.host is not None and r.host.why]
    if not states and not unknown:
        screen.line("  host     ", "no instance of this run to look at", hang=11)
        return
    parts: list[Part] = []
    for state, words, style in _HOSTS:
        if states[state]:
            parts.append((f"{', ' if parts else ''}{states[state]:,} {words}", style))
    screen.line("  host     ", *parts, hang=11)
    order = ("bad", "not-looked-at", "good")
    shown = [look for state in order for look in looks_of(found) if look.state == state]
    alike = [n for n, times in Counter(_notes(shown[:_SHOWN])).items() if times > 1]
    for look in shown[:_SHOWN]:
        mark, style = _MARKS[look.state]
        screen.line((f"  {mark} ", style), f"{look.instance}  {_of_look(look, alike)}", hang=6)
    for note in alike:
        times = sum(one == note for one in _notes(shown[:_SHOWN]))
        screen.line(f"    on {times:,} of them: {note}", hang=6)
    if len(shown) > _SHOWN:
        screen.line(f"    and {len(shown) - _SHOWN:,} more: -o json has them all")
    for result in unknown:
        assert result.host is not None
        screen.line(("  ? ", "yellow"), f"{result.resource}  {result.host.why}", hang=6)


def _notes(looks: Sequence[HostLook]) -> Iterator[str]:
    """The notes on hosts with nothing wrong."""
    for look in looks:
        if look.answer is not None and not look.problems and look.answer.verdict != "imds-off":
            yield from look.notes


def _of_look(look: HostLook, alike: Sequence[str]) -> str:
    """One host in a line: what is wrong, or what was seen to be right; without notes on several."""
    if look.answer is None:
        return f"not looked at: {look.why}"
    if look.problems:
        return "; ".join(look.problems)
    answer = look.answer
    if answer.verdict == "imds-off":
        return "IMDS off"
    seen = ["v1 401" if answer.refused else "v1 200 (tokens optional)", "v2 200"]
    if answer.credentials.found:
        seen.append("credentials")
    if answer.hop_limit_reaches:
        seen.append("reaches a container")
    if answer.ecs_agent.status is not None:
        seen.append("ECS agent")
    if answer.kubelet.status is not None:
        seen.append("kubelet")
    if answer.sts is not None and answer.sts.ok:
        seen.append("sts")
    own = [note for note in look.notes if note not in alike]
    notes = f"  ({'; '.join(own)})" if own else ""
    return " · ".join(seen) + notes


def _waiting(screen: Screen, found: Verification) -> None:
    if not found.waiting:
        return
    states = Counter[str](one.metric_state for one in found.waiting)
    said = [f"{states[state]:,} {word}" for state, word in _WAITING.items() if states[state]]
    screen.line(
        "  waiting  ",
        f"{count(len(found.waiting), 'instance')} of the plan still "
        f"{'allows' if len(found.waiting) == 1 else 'allow'} IMDSv1: {', '.join(said)}",
        hang=11,
    )
    for one in [one for one in found.waiting if one.metric_state == "called"][:_SHOWN]:
        screen.line(f"    {one.resource}  {one.why}  {one.metric}", hang=6)


def _next(
    screen: Screen, run: str, found: Verification, bad: list[Verified], onward: str | None
) -> None:
    wrong = [r for r in bad if r.state != "unreadable"]
    if wrong:
        first = wrong[0].resource
        screen.next(f"imdsctl explain {first}", f"imdsctl rollback {run} --only {first}")
    elif bad:
        screen.next("imdsctl permissions verify", f"imdsctl verify {run}")
    elif host_states(found)["not-looked-at"]:
        screen.next("docs/verify.md: what Systems Manager needs to reach an instance")
    else:
        after = ("imdsctl scan", "imdsctl report -f report.html")
        screen.next(*([onward] if onward else []), *after)
