"""`imdsctl lint`."""

import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import Parameter

from imdsctl import __version__
from imdsctl.cli.common import FLAG, Common, RoleName
from imdsctl.cli.lint_fix import Target, mend
from imdsctl.cli.lint_view import document, show, show_rules, unknown_names
from imdsctl.cli.screen import Screen, count
from imdsctl.lint import baseline as baselines
from imdsctl.lint.baseline import Old
from imdsctl.lint.files import gather
from imdsctl.lint.formats import FORMATS, rendered
from imdsctl.lint.ignore import RULES
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.result import NotRead, Report
from imdsctl.lint.rulebook import every_reader, every_rule
from imdsctl.lint.run import Job, Selection, jobs_of, judged_apart, known_rules, read, run
from imdsctl.lint.text import LARGEST, decoded
from imdsctl.lint.userdata import Held, held
from imdsctl.lint.userdata import looked_at as look_at_user_data
from imdsctl.model.diagnostics import Exit, UsageError
from imdsctl.model.evidence import Cell

Format = Literal["table", "json", "sarif", "junit", "github"]
Severity = Literal["error", "warning", "note"]
Sureness = Literal["high", "medium", "low"]
_EXTRA: Final = ("tree_sitter", "yaml")
_STDIN: Final = "-"
_MANY: Final = 500


@dataclass(frozen=True, slots=True)
class _Old:
    """What the baseline has, and the folder that its paths are relative to."""

    found: dict[str, Old]
    base: str


def lint(
    *paths: Annotated[str, Parameter(allow_leading_hyphen=True)],
    rule: Annotated[list[str] | None, Parameter(negative="", consume_multiple=False)] = None,
    severity: Severity = "note",
    confidence: Sureness = "low",
    include: Annotated[list[str] | None, Parameter(negative="", consume_multiple=False)] = None,
    exclude: Annotated[list[str] | None, Parameter(negative="", consume_multiple=False)] = None,
    as_: Annotated[str | None, Parameter(name="--as", show_default=False)] = None,
    baseline: Annotated[Path | None, Parameter(show_default=False)] = None,
    write_baseline: Annotated[Path | None, Parameter(show_default=False)] = None,
    fix: Annotated[bool, FLAG] = False,
    diff: Annotated[bool, FLAG] = False,
    yes: Annotated[bool, FLAG] = False,
    user_data: Annotated[list[str] | None, Parameter(negative="", consume_multiple=False)] = None,
    account: Annotated[str | None, Parameter(show_default=False)] = None,
    region: Annotated[str | None, Parameter(show_default=False)] = None,
    role_name: RoleName = None,
    jobs: Annotated[int | None, Parameter(show_default=False)] = None,
    list_rules: Annotated[bool, FLAG] = False,
    output: Annotated[Format, Parameter(name=["--output", "-o"])] = "table",
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Code, scripts, templates and dependencies that would call or launch IMDSv1.

    Nothing is executed, and nothing is sent anywhere. Exit 1 for findings (notes alone are 0), 3
    where nothing was found and something could not be read.

    Args:
        paths: Files and folders; - reads one file from standard input.
        rule: Only this rule; as often as there are rules wanted.
        severity: Show findings of this severity and above.
        confidence: Show findings of this confidence and above.
        include: Only files that match this glob, by path or name; may be repeated.
        exclude: No files or folders that match this glob; may be repeated.
        as_: What the file on standard input is called: its name tells what it is.
        baseline: Findings in this file are old, and not shown.
        write_baseline: Write the present findings to this file.
        fix: Show a patch of the safe fixes, and ask whether to apply it.
        diff: Print the patch alone, for git apply; nothing is written.
        yes: With --fix: apply it without asking.
        user_data: Also what AWS holds: an instance, or a launch template (lt-…[:version]); may be
            repeated. Never stored.
        account: The account of --user-data; the caller's own if not given.
        region: The region of --user-data; that of the AWS settings if not given.
        role_name: The role to assume there, in another account.
        jobs: How many processes; one a processor if not given.
        list_rules: Show the rules and stop.
        output: A table for people, or a format for other tools.
        common: The options that every command has.
    """
    screen = Screen(common)
    _need_parsers()
    if list_rules:
        show_rules(screen, {**every_rule(), **RULES})
        return Exit.OK
    wanted = [held(one) for one in user_data or ()]
    _check(paths, rule, as_, wanted, fix=fix or yes, diff=diff)
    if jobs is not None and jobs < 1:
        raise UsageError("--jobs must be at least 1")
    if (account or region or role_name) and not wanted:
        raise UsageError("--account, --region and --role-name are for --user-data")
    old = _old(baseline, write_baseline)
    selection = Selection(
        rules=frozenset(rule) if rule else None,
        severity=severity,
        confidence=confidence,
        base=old.base,
    )
    files, report = _files(paths, include or (), exclude or ())
    if diff or fix:
        targets = _targets(files, paths, as_)
        mend(screen, targets, selection, old.found, apply=fix and not diff, yes=yes)
        if diff:
            return Exit.OK
    report.add(_look(files, selection, jobs, common))
    if _STDIN in paths:
        report.add(_from_stdin(selection, as_))
    if wanted:
        report.add(_of_user_data(wanted, selection, account, region, role_name))
    if write_baseline is not None:
        return _write(screen, write_baseline, report, old)
    _take_out(report, old)
    _show(screen, report, output, paths)
    if report.fails:
        return Exit.BAD_ANSWER
    return Exit.INCOMPLETE if report.not_read else Exit.OK


def _need_parsers() -> None:
    """Refuse without the extra that has them.

    Raises:
        UsageError: a parser is not installed.
    """
    for name in _EXTRA:
        try:
            there = importlib.util.find_spec(name) is not None
        except ValueError:  # a module that was put in its place
            there = False
        if not there:
            raise UsageError(
                "lint needs its parsers, which are not installed",
                detail=f"there is no module {name}",
                hint="pip install 'imdsctl[lint]'",
            )
    try:
        every_reader()
    except ImportError as error:
        raise UsageError(
            "lint needs its parsers, and one of them is missing or does not load",
            detail=str(error),
            hint="pip install 'imdsctl[lint]'",
        ) from error


def _check(
    paths: Sequence[str],
    rule: Sequence[str] | None,
    as_: str | None,
    wanted: Sequence[Held],
    *,
    fix: bool,
    diff: bool,
) -> None:
    """Refuse what makes no sense together.

    Raises:
        UsageError: and says what.
    """
    if not paths and not wanted:
        raise UsageError(
            "which files?", hint="imdsctl lint .   or one file on stdin: imdsctl lint -"
        )
    if names := unknown_names(rule or (), sorted(known_rules())):
        raise UsageError(f"there is no rule {names}", hint="imdsctl lint --list-rules")
    if as_ is not None and _STDIN not in paths:
        raise UsageError("--as names the file on standard input", hint="imdsctl lint - --as NAME")
    if _STDIN in paths and (fix or (diff and len(paths) > 1)):
        raise UsageError(
            "standard input cannot be mended in place",
            hint="imdsctl lint - --diff prints the patch",
        )
    if (fix or diff) and wanted:
        raise UsageError("what AWS holds is not changed by lint", hint="leave --user-data out")


def _old(baseline: Path | None, write: Path | None) -> _Old:
    named = write or baseline
    base = os.fspath(named.absolute().parent) if named else str(Path.cwd())
    return _Old(baselines.read(baseline) if baseline and not write else {}, base)


def _files(
    paths: Sequence[str], include: Sequence[str], exclude: Sequence[str]
) -> tuple[list[Job], Report]:
    """The files to read, and a report that begins with what there is none of.

    Raises:
        UsageError: something that was named is not there.
    """
    named = [path for path in paths if path != _STDIN]
    for path in named:
        if not os.path.lexists(path):
            what = "option" if path.startswith("-") else "file or folder"
            raise UsageError(f"there is no {what} {path}", hint="imdsctl lint --help")
    found = gather(named, include=include, exclude=exclude)
    report = Report(
        skipped=found.skipped,
        not_read=[NotRead(path=path, why=why) for path, why in found.not_read],
    )
    return jobs_of(found.files), report


def _look(files: Sequence[Job], selection: Selection, jobs: int | None, common: Common) -> Report:
    shows = not common.quiet and sys.stderr.isatty() and len(files) > _MANY

    def progress(done: int) -> None:
        if shows:
            sys.stderr.write(f"\r{done:,} of {len(files):,} files")
            sys.stderr.flush()

    report = run(files, selection, processes=jobs, progress=progress)
    if shows:
        sys.stderr.write("\r" + " " * 40 + "\r")
    return report


def _stdin() -> str | None:
    """The text on standard input, None where it is none.

    Raises:
        UsageError: it is larger than any file that a person wrote.
    """
    data = sys.stdin.buffer.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise UsageError(f"standard input has more than {LARGEST // 1_000_000} MB")
    text = decoded(data)
    return text.text if text else None


def _from_stdin(selection: Selection, as_: str | None) -> Report:
    name = as_ or _STDIN
    text = _stdin()
    if text is None:
        return Report(not_read=[NotRead(path=name, why="not a text")])
    kind = kind_of(name, text[:4096])
    if kind is None or kind not in every_reader():
        return Report(
            not_read=[NotRead(path=name, why="of no kind that lint reads: name it with --as NAME")]
        )
    return judged_apart(name, text, kind, selection)


def _targets(files: Sequence[Job], paths: Sequence[str], as_: str | None) -> list[Target]:
    """What --fix and --diff look at."""
    targets = []
    for job in files:
        try:
            found = read(job)
        except OSError:
            continue  # said in the report
        if not isinstance(found, Report):
            kind, text = found
            targets.append(Target(job.path, kind, text))
    if _STDIN in paths and (text_ := _stdin()) is not None:
        name = as_ or _STDIN
        kind_ = kind_of(name, text_[:4096])
        body = decoded(text_.encode("utf-8", "surrogatepass"))
        if kind_ in every_reader() and kind_ and body:
            targets.append(Target(name, kind_, body, beside=False))
    return targets


def _of_user_data(
    wanted: Sequence[Held],
    selection: Selection,
    account: str | None,
    region: str | None,
    role_name: str | None,
) -> Report:
    """What AWS holds; the store is neither opened nor made."""
    from imdsctl.aws.clock import clock_from_environment  # noqa: PLC0415 - botocore loads late
    from imdsctl.aws.wiring import connect  # noqa: PLC0415

    reach = connect(
        role_name=role_name,
        accounts=[account] if account else [],
        clock=clock_from_environment(),
    )
    own, _ = reach.fleet.caller()
    cell = Cell(account or own, region or reach.fleet.home_region)
    report = Report()
    for one in wanted:
        report.add(look_at_user_data(reach.fleet, cell, one, selection))
    return report


def _take_out(report: Report, old: _Old) -> None:
    """Leave out what the baseline has."""
    found = {one.fingerprint for one in report.findings}
    report.gone = len(old.found.keys() - found)
    before = len(report.findings)
    report.findings = [one for one in report.findings if one.fingerprint not in old.found]
    report.old = before - len(report.findings)


def _write(screen: Screen, path: Path, report: Report, old: _Old) -> int:
    rows = [
        Old(
            fingerprint=one.fingerprint,
            rule=one.finding.rule,
            path=Selection(base=old.base).called(one.finding.path),
        )
        for one in report.findings
    ]
    baselines.write(path, rows)
    screen.note(f"{path}: the baseline is {count(len(rows), 'finding')} now")
    for missed in report.not_read:
        screen.note(("not read", "yellow"), f"  {missed.path}: {missed.why}", hang=10)
    screen.next(f"imdsctl lint --baseline {path} PATH   (only what is new)")
    return Exit.INCOMPLETE if report.not_read else Exit.OK


def _show(screen: Screen, report: Report, output: Format, paths: Sequence[str]) -> None:
    if output == "table":
        show(screen, report, paths)
    elif output == "json":
        screen.json("lint", document(report))
    elif output in FORMATS:
        now = datetime.now(UTC)
        screen.data(rendered(output, report, tool_version=__version__, generated_at=now))
