"""Controls of other tools, one a file, asked by their own rules: evidence in, control results out.

Each module defines `CONTROL`; a new file here is a new control. No single verdict can agree with
all of them (the same instance passes one and fails another), so each is answered by its own rule
and what is really so stands beside it.
"""

import difflib
import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TypeVar

from msgspec import structs

from imdsctl.judge.controls.base import (
    Answer,
    ConfigurationGiven,
    Control,
    DefaultsGiven,
    GroupGiven,
    TemplateGiven,
    effective_of,
)
from imdsctl.model.control import ControlResult, Effective, Subject
from imdsctl.model.diagnostics import UsageError
from imdsctl.model.evidence import (
    ITEM_OF,
    AccountDefaults,
    Cell,
    Group,
    Instance,
    LaunchConfiguration,
    Recorded,
    TemplateVersion,
    Unreadable,
)
from imdsctl.model.launch_path import LaunchPath
from imdsctl.model.options import BUILT_IN

DEFAULT = ("cis-5.6", "ec2.8")
"""What `check` asks when it is not told otherwise."""

_ALIASES = {"cm-7b": "nist-800-53-cm-7b", "all": ""}
_NEEDS: dict[Subject, frozenset[str]] = {
    "instance": frozenset({"instances"}),
    "launch-template": frozenset({"launch-templates"}),
    "launch-configuration": frozenset({"launch-configurations"}),
    "auto-scaling-group": frozenset({"groups", "launch-templates", "launch-configurations"}),
    "account-defaults": frozenset({"account-defaults"}),
}
_READING_OF = {
    "DescribeInstances": "instances",
    "GetMetricData": "calls",
    "DescribeLaunchTemplates": "launch-templates",
    "DescribeLaunchTemplateVersions": "launch-templates",
    "DescribeLaunchConfigurations": "launch-configurations",
    "DescribeAutoScalingGroups": "groups",
    "GetInstanceMetadataDefaults": "account-defaults",
    "DescribeImages": "images",
}
_KNOWN = frozenset(ITEM_OF)
_WEAKEST: tuple[Effective, ...] = ("v1-allowed", "unknown", "pending", "v2-only", "imds-off")
_PARAMETER = ":"
_HIGHEST_PARAMETER = 64

Asked = list[tuple[str, Control]]
Judged = TypeVar("Judged", Instance, TemplateVersion, LaunchConfiguration, AccountDefaults, Group)


@cache
def _book() -> dict[str, Control]:
    found: dict[str, Control] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        if module.name == "base":
            continue
        control: Control = importlib.import_module(f"{__name__}.{module.name}").CONTROL
        found |= dict.fromkeys(control.names, control)
    return found


def benchmarks() -> dict[str, str]:
    """Every control id with the benchmark, what it asks for and when it fails, for help texts."""
    return {
        id_: f"{c.names[id_]}: {c.title}. Fails when {c.fails_when}."
        for id_, c in sorted(_book().items())
    }


def controls() -> list[Control]:
    """Each control once, in the order of its file's name."""
    return list({id(control): control for control in _book().values()}.values())


def resolve(control_ids: Sequence[str]) -> list[str]:
    """The ids as they are written here; `all` stands for each control once.

    A control that has a parameter takes it behind a colon: `ec2-token-hop-limit-check:2`.

    Raises:
        UsageError: there is no such control, or it takes no such parameter.
    """
    book = _book()
    by_case = {id_.lower(): id_ for id_ in book}
    found: list[str] = []
    for asked in control_ids:
        wanted = asked.strip().lower().removeprefix("prowler-")
        wanted = _ALIASES.get(wanted, wanted)
        name, colon, parameter = wanted.partition(_PARAMETER)
        if not wanted:
            found += [next(iter(c.names)) for c in controls()]
        elif name in by_case:
            if colon:
                _check_parameter(asked, book[by_case[name]], parameter)
            found.append(by_case[name] + colon + parameter)
        else:
            near = difflib.get_close_matches(wanted, by_case, n=3, cutoff=0.4)
            raise UsageError(
                f"there is no control {asked!r}",
                detail=f"known are {', '.join(book)}",
                hint=f"did you mean {' or '.join(near)}?" if near else "",
            )
    return list(dict.fromkeys(found))


def _check_parameter(asked: str, control: Control, parameter: str) -> None:
    if control.with_parameter is None:
        raise UsageError(
            f"{asked!r}: this control takes no parameter",
            hint=f"leave out {_PARAMETER + parameter!r}",
        )
    digits = parameter.isascii() and parameter.isdigit()
    if not digits or not 1 <= int(parameter) <= _HIGHEST_PARAMETER:
        raise UsageError(
            f"{asked!r}: the parameter must be a whole number from 1 to {_HIGHEST_PARAMETER}",
            hint=f"as in {next(iter(control.names))}{_PARAMETER}2",
        )


def _control(id_: str) -> Control:
    """The control that an id from `resolve` stands for."""
    name, colon, parameter = id_.partition(_PARAMETER)
    control = _book()[name]
    if not colon or control.with_parameter is None:
        return control
    made = control.with_parameter(int(parameter))
    return structs.replace(made, names={id_: made.names[name]})


def evaluate(
    control_ids: Sequence[str],
    instances: Iterable[Recorded[Instance]],
    templates: Iterable[Recorded[TemplateVersion]],
    launch_configurations: Iterable[Recorded[LaunchConfiguration]],
    defaults: Iterable[Recorded[AccountDefaults]],
    paths: Iterable[LaunchPath],
    unreadable: Iterable[Unreadable] = (),
    groups: Iterable[Recorded[Group]] = (),
) -> Iterator[ControlResult]:
    """Asks each control of everything that it looks at; streams over the instances once.

    What is in `unreadable` becomes a result with status `unknown` for every control that would
    have looked at it, whole or in part.

    Raises:
        UsageError: there is no such control.
    """
    by_subject: dict[Subject, Asked] = defaultdict(list)
    for id_ in resolve(control_ids):
        control = _control(id_)
        by_subject[control.subject].append((id_, control))
    gaps = list(unreadable)
    known_paths = list(paths)
    no_groups = {Cell(g.account, g.region) for g in gaps if _reading(g) == "groups"}
    yield from _gaps(by_subject, gaps)
    cells: set[Cell] = set()
    for record in instances:
        cells.add(record.item.cell)
        effective = effective_of(record.item)
        for id_, control in by_subject["instance"]:
            if answer := control.rule(record.item):
                yield _result(id_, control, answer, record, effective)
    if by_subject["launch-template"]:
        yield from _templates(by_subject["launch-template"], templates, known_paths, no_groups)
    configurations = list(launch_configurations)
    if asked := by_subject["launch-configuration"]:
        yield from _configurations(asked, configurations, known_paths, no_groups)
    if asked := by_subject["auto-scaling-group"]:
        yield from _groups(asked, groups, [c.item for c in configurations], known_paths)
    if by_subject["account-defaults"]:
        no_instances = {
            Cell(g.account, g.region)
            for g in gaps
            if _reading(g) == "instances" or _reading(g) not in _KNOWN
        }
        yield from _defaults(by_subject["account-defaults"], defaults, cells, no_instances)


def _templates(
    asked: Asked,
    templates: Iterable[Recorded[TemplateVersion]],
    paths: list[LaunchPath],
    no_groups: set[Cell],
) -> Iterator[ControlResult]:
    outcomes: dict[tuple[Cell, str], set[Effective]] = defaultdict(set)
    for path in paths:
        if path.template:
            outcomes[path.cell, path.template].add(path.effective.posture)
    versions: dict[tuple[Cell, str], list[Recorded[TemplateVersion]]] = defaultdict(list)
    for record in templates:
        cell = Cell(record.item.account, record.item.region)
        versions[cell, record.item.template_id].append(record)
    for key, records in sorted(versions.items(), key=lambda entry: entry[0]):
        found = outcomes[key]
        if not found or key[0] in no_groups:
            found = found | {"unknown"}
        records.sort(key=lambda r: r.item.number)
        given = TemplateGiven(versions=records, effective=min(found, key=_WEAKEST.index))
        shown = next((r for r in records if r.item.default), records[-1])
        evidence = [r.id for r in records]
        for id_, control in asked:
            if answer := control.rule(given):
                yield _result(id_, control, answer, shown, given.effective, evidence=evidence)


def _configurations(
    asked: Asked,
    configurations: Iterable[Recorded[LaunchConfiguration]],
    paths: list[LaunchPath],
    no_groups: set[Cell],
) -> Iterator[ControlResult]:
    used = {
        (p.cell, p.launch_configuration): p.effective.posture for p in paths if p.kind == "group"
    }
    for record in configurations:
        item = record.item
        cell = Cell(item.account, item.region)
        attached = True if (cell, item.name) in used else None if cell in no_groups else False
        effective: Effective = used.get((cell, item.name), item.options.over(BUILT_IN).posture)
        for id_, control in asked:
            if answer := control.rule(ConfigurationGiven(item=item, attached=attached)):
                yield _result(id_, control, answer, record, effective)


def _groups(
    asked: Asked,
    groups: Iterable[Recorded[Group]],
    configurations: list[LaunchConfiguration],
    paths: list[LaunchPath],
) -> Iterator[ControlResult]:
    of_group: dict[tuple[Cell, str], list[LaunchPath]] = defaultdict(list)
    for path in paths:
        if path.group is not None:
            of_group[path.cell, path.group].append(path)
    for record in groups:
        item = record.item
        used = of_group[Cell(item.account, item.region), item.name]
        # What a group would launch from may not have been read: then nothing is claimed.
        outcomes: set[Effective] = {p.effective.posture if p.known else "unknown" for p in used}
        given = GroupGiven(
            item=item,
            paths=used,
            namesakes=[
                c
                for c in configurations
                if (c.account, c.name) == (item.account, item.launch_configuration)
            ],
            effective=min(outcomes or {"unknown"}, key=_WEAKEST.index),
        )
        for id_, control in asked:
            if answer := control.rule(given):
                yield _result(id_, control, answer, record, given.effective)


def _defaults(
    asked: Asked,
    defaults: Iterable[Recorded[AccountDefaults]],
    cells: set[Cell],
    no_instances: set[Cell],
) -> Iterator[ControlResult]:
    for record in defaults:
        cell = Cell(record.item.account, record.item.region)
        has = True if cell in cells else None if cell in no_instances else False
        effective = record.item.options.over(BUILT_IN).posture
        for id_, control in asked:
            if answer := control.rule(DefaultsGiven(item=record.item, has_instances=has)):
                yield _result(id_, control, answer, record, effective)


def _gaps(by_subject: dict[Subject, Asked], gaps: list[Unreadable]) -> Iterator[ControlResult]:
    for gap in gaps:
        reading = _reading(gap)
        for subject, asked in by_subject.items():
            if reading in _KNOWN and reading not in _NEEDS[subject]:
                continue
            seen = f"; {gap.seen:,} were read before that" if gap.seen else ""
            for id_, control in asked:
                yield ControlResult(
                    control=id_,
                    title=control.title,
                    benchmark=control.names[id_],
                    severity=control.severity,
                    subject=subject,
                    resource=f"{gap.account}/{gap.region}".rstrip("/"),
                    account=gap.account,
                    region=gap.region,
                    status="unknown",
                    why=f"{gap.what} could not be read: {gap.why}{seen}.",
                    effective="unknown",
                    remediation="Allow the reading, or mend what stopped it, and scan again.",
                )


def _reading(gap: Unreadable) -> str:
    operation = gap.what.rsplit(":", 1)[-1]
    return _READING_OF.get(operation, operation)


def _result(
    id_: str,
    control: Control,
    answer: Answer,
    record: Recorded[Judged],
    effective: Effective,
    *,
    evidence: list[str] | None = None,
) -> ControlResult:
    item = record.item
    resource, name = item.id, getattr(item, "name", "")
    if isinstance(item, TemplateVersion):
        resource, name = item.template_id, item.template_name
    return ControlResult(
        control=id_,
        title=control.title,
        benchmark=control.names[id_],
        severity=control.severity,
        subject=control.subject,
        resource=resource,
        account=item.account,
        region=item.region,
        status=answer.status,
        why=answer.why,
        effective=effective,
        name=name,
        note=" ".join(filter(None, (answer.note, _absence(control, item.region)))),
        evidence=evidence or [record.id],
        remediation=answer.remediation,
        observed_at=record.observed_at,
    )


def _absence(control: Control, region: str) -> str:
    return f"This rule is not offered in {region}." if region in control.absent_in else ""
