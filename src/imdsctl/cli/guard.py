"""`imdsctl guard`: policies that keep a fleet on V2, and what they would break today."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from cyclopts import Parameter

from imdsctl.cli.common import FLAG, Common, Output
from imdsctl.cli.config import load_policy
from imdsctl.cli.posture import show_unreadable, unfinished
from imdsctl.cli.screen import Screen, at, count, short
from imdsctl.cli.wiring import Desk, need_scan, opened
from imdsctl.guard.guardrail import Guardrail, Settings, Word
from imdsctl.guard.policies import KINDS, Document, check_settings, compose, resolve
from imdsctl.guard.preflight import Affected, Locked, affected, locked
from imdsctl.model.diagnostics import Exit, UsageError
from imdsctl.model.plan import Change
from imdsctl.model.run import fold
from imdsctl.scan.judged import judge_store, unreadable_in

Many = Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")]
Kind = Literal["iam", "scp", "declarative", "all"]
_TITLES: Final = {
    "iam": "IAM policy",
    "scp": "service control policy",
    "declarative": "declarative policy for EC2",
}
_ATTACH: Final = {
    "iam": "aws iam create-policy --policy-name imdsv2 --policy-document file://policy.json",
    "scp": "aws organizations create-policy --type SERVICE_CONTROL_POLICY --name imdsv2 "
    "--description 'IMDSv2 only' --content file://policy.json",
    "declarative": "aws organizations create-policy --type DECLARATIVE_POLICY_EC2 --name imdsv2 "
    "--description 'IMDSv2 only' --content file://policy.json",
}
_COLOURS: Final[dict[Word, str]] = {"deny": "red", "may-deny": "yellow", "allow": "green"}
_NAMES_SHOWN: Final = 3


def policies(
    *,
    kind: Kind = "all",
    statement: Many = None,
    exempt_role: Many = None,
    hop_limit: int = 3,
    enforce: Annotated[bool, FLAG] = False,
    partition: str = "aws",
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """The guardrails as policies; nothing is attached, and AWS is not asked.

    `-o json` with one kind prints the policy alone, as the AWS CLI takes it.

    Args:
        kind: For an IAM policy, a service control policy, a declarative policy, or all of them.
        statement: Only these guardrails, by name or statement id.
        exempt_role: ARNs of roles that are denied nothing (break-glass); `*` is allowed.
        hop_limit: The highest response hop limit of a launch.
        enforce: Let the declarative policy also refuse v1 (HttpTokensEnforced).
        partition: aws, aws-cn or aws-us-gov.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    settings = Settings(
        exempt_roles=tuple(exempt_role or ()),
        max_hop_limit=hop_limit,
        default_hop_limit=load_policy(common.config).plan.default_hop_limit,
        enforce=enforce,
        partition=partition,
    )
    chosen = resolve(statement or ())
    kinds = KINDS if kind == "all" else (kind,)
    documents = [found for one in kinds if (found := compose(one, chosen, settings))]
    if not documents:
        raise UsageError(
            f"none of these statements can stand in a {_TITLES[kinds[0]]}",
            detail=f"asked for: {', '.join(g.name for g in chosen)}",
            hint="imdsctl guard policies --kind " + chosen[0].kinds[0],
        )
    inside = {name for document in documents for name in document.guardrails}
    shown = [g for g in chosen if g.name in inside]
    if output == "table":
        _show_policies(screen, shown, documents)
        _notes(screen, documents, settings)
        screen.next(
            "imdsctl guard preflight",
            f"imdsctl guard policies --kind {documents[0].kind} -o json > policy.json",
            _ATTACH[documents[0].kind],
        )
    elif kind == "all":
        screen.json(
            "guard-policies",
            {
                "policies": [
                    {name: getattr(d, name) for name in d.__struct_fields__ if name != "text"}
                    for d in documents
                ],
                "guardrails": [_account(g) for g in shown],
            },
        )
        _notes(screen, documents, settings)
    else:
        screen.data(documents[0].text)
        _notes(screen, documents, settings)
        for guardrail in shown:
            for text in guardrail.blocks:
                screen.note((f"{guardrail.name} stops ", "yellow"), text, hang=2)
    return Exit.OK


def _account(guardrail: Guardrail) -> dict[str, Any]:
    return {
        name: getattr(guardrail, name)
        for name in ("name", "sid", "title", "does", "misses", "blocks")
    }


def _show_policies(
    screen: Screen, guardrails: Sequence[Guardrail], documents: Sequence[Document]
) -> None:
    for guardrail in guardrails:
        screen.line((guardrail.name, "bold"), f"  {guardrail.title}")
        screen.line(f"  {'does':10}{guardrail.does}", hang=12)
        for label, texts in (("misses", guardrail.misses), ("stops", guardrail.blocks)):
            for number, text in enumerate(texts):
                screen.line(f"  {'' if number else label:10}{text}", hang=12)
        screen.line()
    for document in documents:
        most = f" of {document.limit:,}" if document.limit else ""
        screen.line(
            (f"{_TITLES[document.kind]:28}", "bold"),
            f"{document.size:>5,}{most} characters  {', '.join(document.guardrails)}",
            hang=28,
        )


def _notes(screen: Screen, documents: Sequence[Document], settings: Settings) -> None:
    """What one should know of the policies, on stderr."""
    kinds = {document.kind for document in documents}
    names = {name for document in documents for name in document.guardrails}
    if "declarative" in kinds:
        if settings.exempt_roles:
            screen.note("a declarative policy knows no exempt roles: --exempt-role is not in it")
        if settings.enforce:
            screen.note(
                ("one way: ", "red"),
                "with http_tokens_enforced nothing goes back to v1, rollback included",
                hang=2,
            )
        else:
            screen.note("sets defaults only; --enforce adds http_tokens_enforced, as a last step")
    if kinds & {"iam", "scp"} and not settings.exempt_roles:
        screen.note(
            "nobody is exempt: give the role that breaks the glass with --exempt-role ARN", hang=2
        )
    if "max-hop-limit" in names and settings.max_hop_limit < settings.default_hop_limit:
        screen.note(
            ("careful: ", "yellow"),
            f"imdsctl's own plans give hop limit {settings.default_hop_limit}, above the "
            f"{settings.max_hop_limit} allowed here",
            hang=2,
        )


def preflight(
    *,
    statement: Many = None,
    hop_limit: int = 3,
    everything: Annotated[bool, FLAG] = False,
    output: Output = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """What each guardrail would deny if it were attached today, from the store.

    Exit 1 if anything would be denied. The declarative policy is taken with --enforce.

    Args:
        statement: Only these guardrails, by name or statement id.
        hop_limit: The highest response hop limit of a launch.
        everything: List also what would not be denied.
        output: A table for people, or JSON.
        common: The options that every command has.
    """
    screen = Screen(common)
    chosen = resolve(statement or ())
    with opened(common) as desk:
        need_scan(desk)
        settings = Settings(
            max_hop_limit=hop_limit,
            default_hop_limit=desk.policy.plan.default_hop_limit,
            enforce=True,
        )
        check_settings(settings)
        counts: dict[str, Counter[Word]] = {g.name: Counter() for g in chosen}
        found: list[Affected] = []
        for one in _words(desk, chosen, settings):
            counts[one.guardrail][one.word] += 1
            if everything or one.word != "allow":
                found.append(one)
        rollbacks = locked(_applied(desk), chosen, settings)
        failures = unreadable_in(desk.store)
        scan = desk.store.scans()[0]
    whole = not failures and not unfinished(scan)
    if output == "json":
        document = {
            "complete": whole,
            "scanned_at": scan.started_at,
            "guardrails": [
                {
                    "guardrail": name,
                    "deny": number["deny"],
                    "may_deny": number["may-deny"],
                    "allow": number["allow"],
                }
                for name, number in counts.items()
            ],
            "affected": found,
            "rollbacks": rollbacks,
            "unreadable": [
                {name: getattr(u, name) for name in ("account", "region", "what", "why", "seen")}
                for u in failures
            ],
        }
        screen.json("guard-preflight", msgspec.to_builtins(document))
    else:
        screen.line(f"as of the scan of {at(scan.started_at)}, if attached today:")
        for guardrail in chosen:
            _show_guardrail(
                screen,
                guardrail,
                counts[guardrail.name],
                [a for a in found if a.guardrail == guardrail.name],
                [r for r in rollbacks if r.guardrail == guardrail.name],
            )
        show_unreadable(screen, failures)
        screen.next("imdsctl plan -f plan.json", "imdsctl guard policies --exempt-role ARN")
    if any(number["deny"] for number in counts.values()):
        return Exit.BAD_ANSWER
    return Exit.OK if whole else Exit.INCOMPLETE


def _words(desk: Desk, chosen: Sequence[Guardrail], settings: Settings) -> Iterator[Affected]:
    for judged in judge_store(desk.store, desk.store, desk.policy, desk.clock.now()):
        yield from affected(judged, chosen, settings, desk.policy.judge)


def _applied(desk: Desk) -> Iterator[tuple[str, Change]]:
    """Every change that stands, with the run that made it."""
    for run in desk.store.runs():
        if run.state == "rolled-back":
            continue
        progress = fold(run.id, desk.store.entries(run.id))
        for change in desk.store.plan_of(run.id).changes().values():
            one = progress.changes.get(change.id)
            if one is not None and one.state == "applied":
                yield run.id, change


def _show_guardrail(
    screen: Screen,
    guardrail: Guardrail,
    number: Counter[Word],
    found: Sequence[Affected],
    rollbacks: Sequence[Locked],
) -> None:
    screen.line((guardrail.name, "bold"), f"  {guardrail.title}")
    if number:
        screen.line(
            "  ",
            (f"{number['deny']:,} denied", "red" if number["deny"] else "green"),
            f" · {number['may-deny']:,} may be denied · {number['allow']:,} allowed",
        )
    else:
        screen.line("  stops nothing that runs or launches")
    for word in ("deny", "may-deny", "allow"):
        by_reason: dict[str, dict[str, list[str]]] = {}
        for one in found:
            if one.word == word:
                places = by_reason.setdefault(one.why, defaultdict(list))
                places[f"{one.account} {one.region}"].append(one.resource)
        for why, places in by_reason.items():
            many = sum(len(names) for names in places.values())
            screen.line((f"  {word:9}", _COLOURS[word]), f"{many:>4,}  {why}", hang=17)
            for place, names in places.items():
                screen.line(f"{'':17}{place}  {short(names, _NAMES_SHOWN)}", hang=19)
    for lost in rollbacks:
        verb = "denied" if lost.word == "deny" else "may be denied"
        screen.line(
            (f"  {'rollback':9}", "yellow"),
            f"of run {lost.run} {verb} for {count(lost.changes, 'change')}: {lost.why}",
            hang=17,
        )
