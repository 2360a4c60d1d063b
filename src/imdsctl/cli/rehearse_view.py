"""What a rehearsal looks like, to people and to programs."""

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from imdsctl.cli.screen import Screen, count, short
from imdsctl.rehearse.seen import CallerFound, Finding, Rehearsal, Seen, Verdict, World

if TYPE_CHECKING:
    from imdsctl.rehearse.live import LiveRehearsal

_STYLES: Final[dict[Verdict, str]] = {"ready": "green", "nothing-called": "yellow"}
_COMMAND_SHOWN: Final = 100

_SUMMARY: Final[dict[Verdict, str]] = {
    "ready": "all it asked of IMDS, it asked with a token",
    "v1-only": "asks IMDS without a token and knows no other way",
    "v1-first": "asks IMDS without a token first",
    "fallback": "is refused a token and goes on without",
    "hop-limit": "asks for a token whose answer never arrives",
    "token-refused": "is refused a token, and gives up",
    "nothing-called": "asked nothing of IMDS, which proves nothing",
}


def rehearsal_json(told: Rehearsal) -> str:
    """One rehearsal as a JSON object."""
    return _json("rehearse", msgspec.to_builtins(told))


def matrix_json(runs: Iterable[Rehearsal]) -> str:
    """Several rehearsals of one command as a JSON object."""
    return _json("rehearse-matrix", {"runs": msgspec.to_builtins(list(runs))})


def live_json(told: "LiveRehearsal") -> str:
    """A live rehearsal as a JSON object."""
    return _json("rehearse-live", msgspec.to_builtins(told))


def _json(name: str, document: dict[str, Any]) -> str:
    whole = {"schema": f"imdsctl/{name}/v1", **document}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode() + "\n"


def request_line(one: Seen) -> str:
    """One request in one line."""
    outcome = "no answer" if one.arrived is False else str(one.status or "no answer")
    who = f"{one.comm or '?'} ({one.pid or '?'})"
    return f"{one.at:8.3f} s  {one.version:5}  {one.method} {one.path}  {outcome}  {who}"


def show_rehearsal(screen: Screen, told: Rehearsal, hints: Sequence[str]) -> None:
    """The report: the verdict first, then who and why, then what this could not see."""
    # The command wrote to the same stream, and need not have ended its last line.
    screen.line()
    screen.line(("rehearsed  ", "bold"), _command(told.command), hang=11)
    screen.line(f"  in       {_world(told.world)}", hang=11)
    _finding(screen, told.finding)
    screen.line(f"  command  {_end(told)}", hang=11)
    _fine_print(screen, told.limits, hints if _worth_hints(told.finding) else ())
    screen.next(*_next(told))


def show_live(screen: Screen, told: "LiveRehearsal") -> None:
    """The report of a live rehearsal."""
    screen.line(("rehearsed  ", "bold"), f"{told.target}, live, for {told.seconds:.0f} s", hang=11)
    screen.line(f"  in       {told.cgroup}", hang=11)
    _finding(screen, told.finding)
    _fine_print(screen, told.limits, ())
    screen.next("run it over a boot, a backup and a change of credentials before you require v2")


def matrix_table(screen: Screen, runs: Sequence[Rehearsal], hints: Sequence[str]) -> None:
    """The same command in each world, one line a world."""
    screen.line(("rehearsed  ", "bold"), _command(runs[0].command), hang=11)
    where = "in a container" if runs[0].world.container else "on the instance"
    screen.line(f"  {where}")
    head = f"  {'tokens':9} {'hop limit':>9}  {'exit':>6}  {'v1':>4} {'v2':>4} {'token':>5}"
    screen.line((f"{head} {'refused':>8} {'unanswered':>10}  verdict", "bold"))
    for one in runs:
        kinds = Counter(request.version for request in one.requests)
        callers = one.finding.callers
        screen.line(
            f"  {one.world.http_tokens:9} {one.world.hop_limit:>9}  {_exit(one):>6}  "
            f"{kinds['v1']:>4} {kinds['v2']:>4} {kinds['token']:>5} "
            f"{sum(c.refused for c in callers):>8} {sum(c.unanswered for c in callers):>10}  ",
            (one.finding.verdict, _STYLES.get(one.finding.verdict, "red")),
        )
    breaking = [one for one in runs if one.world.http_tokens == "required" and one.finding.breaks]
    for caller in {c.why: c for one in breaking for c in one.finding.callers if c.breaks}.values():
        _caller(screen, caller)
    limits = dict.fromkeys(limit for one in runs for limit in one.limits)
    silent = any(_worth_hints(one.finding) for one in runs)
    _fine_print(screen, list(limits), hints if silent else ())
    if any(one.ended == "exited" and one.exit_code for one in runs):
        screen.next("what it printed: imdsctl rehearse without --matrix")


def _finding(screen: Screen, finding: Finding) -> None:
    verdict = finding.verdict
    screen.line(
        (f"  {verdict.upper()}", _STYLES.get(verdict, "red")), f"  {_SUMMARY[verdict]}", hang=4
    )
    for caller in finding.callers:
        _caller(screen, caller)


def _caller(screen: Screen, caller: CallerFound) -> None:
    """Who, how often, why, and what to do."""
    style = "red" if caller.breaks else _STYLES.get(caller.verdict, "yellow")
    counts = [
        f"{number} {what}"
        for number, what in (
            (caller.v1, "without a token"),
            (caller.v2, "with one"),
            (caller.token, "for one"),
            (caller.refused, "refused"),
            (caller.unanswered, "unanswered"),
        )
        if number
    ]
    pids = short([str(pid) for pid in caller.pids])
    screen.line(
        "  ",
        ("✗ " if caller.breaks else "✓ ", style),
        (caller.name, "bold"),
        f"  {f'pid {pids}  ' if pids else ''}{caller.verdict}  {' · '.join(counts)}",
        hang=4,
    )
    if caller.cmdline:
        screen.line(f"    ran    {_command(caller.cmdline)}", hang=11)
    if caller.verdict != "ready":
        screen.line(f"    why    {caller.why}", hang=11)
        screen.line(f"    fix    {caller.fix}", hang=11)


def _fine_print(screen: Screen, limits: Sequence[str], hints: Sequence[str]) -> None:
    for limit in limits:
        screen.line(("  not seen ", "yellow"), limit, hang=11)
    for hint in hints:
        screen.line(("  perhaps  ", "yellow"), hint, hang=11)


def _worth_hints(finding: Finding) -> bool:
    return finding.verdict == "nothing-called"


def _world(world: World) -> str:
    network = "the real network beside it" if world.network == "kept" else "no other network"
    hops = f" · hop limit {world.hop_limit}"
    place = " · in a container" if world.container else ""
    if world.isolation == "environment":
        return f"tokens {world.http_tokens} · by AWS_EC2_METADATA_SERVICE_ENDPOINT only"
    how = world.isolation.replace("-", " ")
    return f"tokens {world.http_tokens}{hops}{place} · {network} · {how}"


def _end(told: Rehearsal) -> str:
    took = f"after {told.seconds:.1f} s"
    match told.ended:
        case "timed-out":
            text = f"was ended {took}, as --timeout says"
        case "interrupted":
            text = f"was interrupted {took}"
        case "signalled":
            text = f"died of signal {-(told.exit_code or 0)} {took}"
        case _:
            text = f"exited {told.exit_code} {took}"
            if told.exit_code == 0 and told.finding.breaks:
                text += ", which proves nothing: old clients carry on without credentials"
            elif told.exit_code and not told.finding.breaks:
                text += "; nothing that it asked of IMDS explains that"
    if told.left_running:
        text += f"; {count(told.left_running, 'process', 'processes')} it left running were ended"
    return text


def _exit(told: Rehearsal) -> str:
    if told.exit_code is None:
        return told.ended.partition("-")[0]
    return str(told.exit_code)


def _next(told: Rehearsal) -> list[str]:
    if told.finding.verdict == "nothing-called":
        return ["give it something to do that needs credentials or metadata, and rehearse again"]
    if told.exit_code and not told.finding.breaks:
        other = (
            "" if told.world.network == "kept" else ", or --keep-network if it needs the network"
        )
        return [f"compare with today: imdsctl rehearse --matrix -- …{other}"]
    if told.finding.breaks:
        return ["mend it, then rehearse again; side by side with today: --matrix"]
    if not told.world.container:
        return ["does it run in a container somewhere? imdsctl rehearse --container -- …"]
    return ["the running service, on an instance: sudo imdsctl rehearse --live --unit UNIT"]


def _command(words: Sequence[str]) -> str:
    text = " ".join(shlex.join(words).split())
    return text if len(text) <= _COMMAND_SHOWN else text[: _COMMAND_SHOWN - 1] + "…"
