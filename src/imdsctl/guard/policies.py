"""Guardrails put together into a policy that AWS takes: chosen, parametrised, measured."""

import difflib
import importlib
import json
import pkgutil
import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from msgspec import Struct

from imdsctl.guard import statements
from imdsctl.guard.guardrail import Guardrail, Json, PolicyKind, Settings
from imdsctl.model.diagnostics import UsageError

KINDS: Final[tuple[PolicyKind, ...]] = ("iam", "scp", "declarative")
LIMITS: Final[dict[PolicyKind, int]] = {"iam": 6144, "scp": 5120}
"""The longest managed policy (IAM quotas; white space does not count) and SCP (Organizations
quotas; every character counts where it is attached through the API)."""

_HOPS: Final = range(1, 65)
_ROLE: Final = re.compile(r"arn:(aws[a-z-]*|\*):iam::(\d{12}|\*):role/[\w+=,.@/*?-]+", re.ASCII)
_SESSION: Final = re.compile(r"arn:[^:]*:sts::[^:]*:assumed-role/(?P<role>[^/]+)")


class Document(Struct, frozen=True, kw_only=True):
    """A policy: its text as it is handed over, its size as AWS counts it, and what is in it.

    `limit` is None where AWS publishes no limit that could matter.
    """

    kind: PolicyKind
    policy: Json
    text: str
    size: int
    limit: int | None
    guardrails: tuple[str, ...]


@cache
def book() -> dict[str, Guardrail]:
    """Every guardrail by name; what an IAM policy can hold comes before what it cannot."""
    found: list[Guardrail] = [
        importlib.import_module(f"{statements.__name__}.{module.name}").GUARDRAIL
        for module in pkgutil.iter_modules(statements.__path__)
    ]
    found.sort(key=lambda g: (KINDS.index(g.kinds[0]), g.name))
    return {guardrail.name: guardrail for guardrail in found}


def resolve(names: Sequence[str]) -> list[Guardrail]:
    """The guardrails with these names or statement ids; all of them where none is named.

    Raises:
        UsageError: there is no such guardrail.
    """
    known = {g.name.lower(): g for g in book().values()}
    known |= {g.sid.lower(): g for g in book().values() if g.sid}
    for name in names:
        if name.lower() not in known:
            near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.4)
            raise UsageError(
                f"there is no guardrail {name!r}",
                detail=f"known are {', '.join(book())}",
                hint=f"did you mean {known[near[0]].name}?" if near else "",
            )
    wanted = {known[name.lower()].name for name in names}
    return [g for g in book().values() if not wanted or g.name in wanted]


def check_settings(settings: Settings) -> None:
    """Refuse what AWS would refuse, or what would silently exempt nobody.

    Raises:
        UsageError: a hop limit is out of range, or an exempt role is not the ARN of a role.
    """
    for what, value in (
        ("highest hop limit", settings.max_hop_limit),
        ("default hop limit", settings.default_hop_limit),
    ):
        if value not in _HOPS:
            raise UsageError(f"the {what} is 1 to 64, not {value}")
    for arn in settings.exempt_roles:
        if _ROLE.fullmatch(arn):
            continue
        session = _SESSION.match(arn)
        raise UsageError(
            f"{arn!r} is not the ARN of a role",
            detail="a session is exempted by its role: aws:PrincipalArn holds the role's ARN"
            if session
            else "an exempt role that matches nobody would lock everybody out",
            hint="arn:aws:iam::111111111111:role/"
            + (session["role"] if session else "break-glass")
            + ("" if session else "   (`*` stands for any account)"),
        )


def compose(kind: PolicyKind, chosen: Sequence[Guardrail], settings: Settings) -> Document | None:
    """One policy of this kind out of those of the guardrails that can stand in it; None if none.

    Raises:
        UsageError: a setting makes no sense, or the policy is longer than AWS takes.
    """
    check_settings(settings)
    fitting = [g for g in chosen if kind in g.kinds]
    if not fitting:
        return None
    built = [g.build(settings) for g in fitting]
    policy = built[0] if kind == "declarative" else {"Version": "2012-10-17", "Statement": built}
    text = json.dumps(policy, indent=2)
    limit = LIMITS.get(kind)
    if limit and kind == "scp" and len(text) > limit:
        text = json.dumps(policy, separators=(",", ":"))
    size = len("".join(text.split())) if kind == "iam" else len(text)
    if limit and size > limit:
        raise UsageError(
            f"the {kind.upper()} policy has {size:,} characters, AWS takes {limit:,}",
            detail=f"{len(settings.exempt_roles)} exempt roles stand in each of {len(built)} "
            "statements",
            hint="exempt roles by one pattern (arn:aws:iam::*:role/break-glass-*), or fewer "
            "statements in each policy (--statement)",
        )
    return Document(
        kind=kind,
        policy=policy,
        text=text + "\n",
        size=size,
        limit=limit,
        guardrails=tuple(g.name for g in fitting),
    )
