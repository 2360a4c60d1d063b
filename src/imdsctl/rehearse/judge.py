"""From the requests of a rehearsal to its verdict: pure, and the heart of the matter.

The exit code of what ran is no evidence: old clients carry on without credentials and end with 0.
So the verdict rests on the requests, and on their order within one caller.
"""

import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from imdsctl.rehearse.seen import CallerFound, Finding, Seen, Verdict

_WORST_FIRST: Final[tuple[Verdict, ...]] = (
    "v1-only",
    "hop-limit",
    "fallback",
    "token-refused",
    "v1-first",
    "ready",
)

_WHY: Final[dict[Verdict, str]] = {
    "v1-only": "asks without a token and never asks for one",
    "hop-limit": "asks for a token, and the answer never arrives: it is more hops away than the "
    "hop limit allows",
    "fallback": "asks for a token, is refused it, and goes on without",
    "token-refused": "is refused a token, or the token it sends, and gives up",
    "v1-first": "asks without a token first, and for one only afterwards",
    "ready": "asks with a token every time",
}
_FIX: Final[dict[Verdict, str]] = {
    "v1-only": "upgrade it to a version that speaks IMDSv2, or ask for a token in the script",
    "hop-limit": "give it an identity of its own (IRSA, Pod Identity, a task role), or raise the "
    "hop limit; an upgrade would not help",
    "fallback": "find out why its token request is refused: a proxy that adds X-Forwarded-For, a "
    "wrong path, or a bad lifetime",
    "token-refused": "find out why: a proxy that adds X-Forwarded-For, a wrong path, a bad "
    "lifetime, or a token kept for too long",
    "v1-first": "upgrade it, so that it asks for a token first",
    "ready": "nothing to do",
}
_RECOVERS: Final = "then gets all it asked for with a token, so that it would go on working"
_MISSES: Final = "and never gets with a token what it was refused"
_PLAIN_FAILURE: Final = 400

_Key = tuple[str, int | str, str]


def judge(requests: Iterable[Seen]) -> Finding:
    """The verdict on all requests of a rehearsal: the worst of its callers' verdicts."""
    callers = sorted(
        (_caller(key, group) for key, group in _grouped(requests).items()),
        key=lambda one: (not one.breaks, _WORST_FIRST.index(one.verdict)),
    )
    if not callers:
        return Finding(verdict="nothing-called", breaks=False, callers=())
    return Finding(
        verdict=callers[0].verdict,
        breaks=any(one.breaks for one in callers),
        callers=tuple(callers),
    )


def _grouped(requests: Iterable[Seen]) -> dict[_Key, list[Seen]]:
    """The requests by caller.

    A process is a caller, but a script's five calls of curl are one: what a parent asked through
    the same program belongs together, or a token asked for by one curl and used by the next would
    look like two callers.
    """
    ordered = sorted(requests, key=lambda one: one.at)
    siblings: dict[tuple[int, str], set[int]] = defaultdict(set)
    for one in ordered:
        if one.pid is not None and one.ppid is not None:
            siblings[one.ppid, one.exe].add(one.pid)
    groups: dict[_Key, list[Seen]] = defaultdict(list)
    for one in ordered:
        if one.pid is None:
            key: _Key = ("unknown", one.user_agent, "")
        elif one.ppid is not None and len(siblings[one.ppid, one.exe]) > 1:
            key = ("parent", one.ppid, one.exe)
        else:
            key = ("process", one.pid, "")
        groups[key].append(one)
    return groups


def _caller(key: _Key, requests: Sequence[Seen]) -> CallerFound:
    verdict = _verdict(requests)
    missed = _missed(requests)
    breaks = verdict != "ready" if verdict != "v1-first" else bool(missed)
    why = _WHY[verdict]
    if verdict == "v1-first":
        why += f", {_MISSES if breaks else _RECOVERS}"
    if missed:
        paths = list(missed)
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        why += f" ({paths[0]}{more})"
    kinds = Counter(one.version for one in requests)
    first = requests[0]
    return CallerFound(
        name=_name(key, first),
        pids=tuple(dict.fromkeys(one.pid for one in requests if one.pid is not None)),
        exe=first.exe,
        cmdline=first.cmdline,
        verdict=verdict,
        breaks=breaks,
        why=why,
        fix=_FIX[verdict],
        v1=kinds["v1"],
        v2=kinds["v2"],
        token=kinds["token"],
        refused=sum(_refused(one) for one in requests),
        unanswered=sum(one.arrived is False for one in requests),
    )


def _verdict(requests: Sequence[Seen]) -> Verdict:
    """The worst that any request of one caller, in the light of those before it, says."""
    found: set[Verdict] = set()
    asked: Seen | None = None
    later_tokens = sum(one.version == "token" for one in requests)
    for position, one in enumerate(requests):
        if one.version == "token":
            asked = one
            later_tokens -= 1
            if one.arrived is False:
                found.add("hop-limit")
            elif _refused(one) and not _got_later(requests[position:], "token"):
                found.add("token-refused")
        elif one.version == "v1":
            found.add(_without_token(asked, tries_later=later_tokens > 0))
        elif _refused(one) and not _got_later(requests[position:], "v2"):
            found.add("token-refused")
    if "fallback" in found:
        found.discard("token-refused")
    return next((verdict for verdict in _WORST_FIRST if verdict in found), "ready")


def _without_token(asked: Seen | None, *, tries_later: bool) -> Verdict:
    """What a request without a token means, by the token request before it."""
    if asked is None:
        return "v1-first" if tries_later else "v1-only"
    if asked.arrived is False:
        return "hop-limit"
    # A caller that holds a token and asks without it has some part that knows no tokens.
    return "fallback" if _refused(asked) else "v1-only"


def _missed(requests: Sequence[Seen]) -> list[str]:
    """The paths that were asked for without a token and not got with one afterwards."""
    missed = dict.fromkeys(one.path for one in requests if one.version == "v1")
    for position, one in enumerate(requests):
        if one.version != "v1" or one.path not in missed:
            continue
        if any(
            later.version == "v2" and later.path == one.path and not _refused(later)
            for later in requests[position:]
        ):
            del missed[one.path]
    return list(missed)


def _got_later(requests: Iterable[Seen], version: str) -> bool:
    return any(
        one.version == version and not _refused(one) and one.arrived is not False
        for one in requests
    )


def _refused(one: Seen) -> bool:
    """Whether a request was turned away; that an item does not exist (404) is an answer, too."""
    return one.status is None or (one.status >= _PLAIN_FAILURE and one.status != 404)  # noqa: PLR2004 - HTTP


def _name(key: _Key, first: Seen) -> str:
    if key[0] == "unknown":
        return f"unknown ({first.user_agent})" if first.user_agent else "unknown"
    name = first.comm or posixpath.basename(first.exe)
    if key[0] == "parent" and first.parent:
        return f"{name} run by {first.parent}"
    return name
