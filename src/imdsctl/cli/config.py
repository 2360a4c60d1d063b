"""Reading `imdsctl.toml`."""

import difflib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec

from imdsctl.model.diagnostics import UsageError
from imdsctl.model.policy import Policy, WaveName
from imdsctl.planner.preferences import contradiction

DEFAULT = Path("imdsctl.toml")
_HINT = "docs/configuration.md lists every setting"
_LONGEST = 366 * 24
_TWO_DAYS = 172_800
_LONGEST_WARMUP = 86_400


def load_policy(path: Path | None) -> Policy:
    """The operator's settings; the defaults where there is no file.

    Raises:
        UsageError: a named file is missing, is no TOML, or has a key or value that makes no sense;
            the message says where.
    """
    if path is None:
        if not DEFAULT.exists():
            return Policy()
        path = DEFAULT
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(
            f"{path} could not be read: {why}", hint="--config FILE names the settings file"
        ) from error
    try:
        policy = msgspec.convert(tomllib.loads(text), Policy)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"{path} is not valid TOML: {error}", hint="mend that line, or move the file away"
        ) from error
    except msgspec.ValidationError as error:
        raise _wrong(path, str(error)) from error
    if problem := contradiction(policy.refresh):
        setting, why = problem
        raise UsageError(f"{path}: refresh.{setting} {why}", hint=_HINT)
    for setting, value, least, most in _ranges(policy):
        if not least <= value <= most:
            raise UsageError(
                f"{path}: {setting} is {value:g}",
                detail=f"it must be from {least:g} to {most:g}",
                hint=_HINT,
            )
    return policy


def _wrong(path: Path, message: str) -> UsageError:
    """What msgspec found, as which table, which key and what was expected."""
    what, _, where = message.partition(" - at ")
    place = re.sub(r"^\$\.?|`", "", where.replace("`$", "$").strip("`")).replace("key in $.", "")
    table = f"[{place}] " if place else ""
    hint = _HINT
    if bad := re.fullmatch(r"Invalid enum value '(?P<value>.*)'", what):
        what = f"there is no {bad['value']!r}"
        if choices := _choices(place):
            hint = f"it is one of: {', '.join(choices)}"
    if unknown := re.fullmatch(r"Object contains unknown field `(?P<key>.*)`", what):
        key = unknown["key"]
        what = f"there is no setting {key!r}"
        if near := difflib.get_close_matches(key, _known(), n=1, cutoff=0.6):
            hint = f"did you mean {near[0]!r}? {_HINT}"
    return UsageError(f"{path}: {table}{what[:1].lower()}{what[1:]}", hint=hint)


def _choices(place: str) -> list[str]:
    """The words that the setting at a place such as `plan.existing` may have."""
    if place == "waves":  # its keys are the words
        return list(get_args(WaveName))
    schema = msgspec.json.schema(Policy)
    node: Any = schema
    for key in re.sub(r"\[[^\]]*\]", ".*", place).split("."):
        node = _resolved(schema, node)
        if key == "*":
            node = node["items"]
        elif key in node.get("properties", {}):
            node = node["properties"][key]
        else:
            return []
    return [str(word) for word in _resolved(schema, node).get("enum", ())]


def _resolved(schema: dict[str, Any], node: Any) -> Any:
    """What a reference of the schema stands for."""
    while isinstance(node, dict) and "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    return node


def _known() -> Iterator[str]:
    """The names of all settings and tables."""
    schema = msgspec.json.schema(Policy)
    for definition in schema["$defs"].values():
        yield from definition.get("properties", ())


def _ranges(policy: Policy) -> Iterator[tuple[str, float, float, float]]:
    """The settings whose type alone does not say what makes sense: name, value, from, to."""
    judge, plan, refresh = policy.judge, policy.plan, policy.refresh
    yield "scan.days", policy.scan.days, 1, 455  # CloudWatch keeps 455 days
    yield "scan.share", policy.scan.share, 0.01, 1
    yield "judge.min_age_hours", judge.min_age_hours, 0, _LONGEST
    yield "judge.min_coverage", judge.min_coverage, 0, 1
    yield "judge.min_window_days", judge.min_window_days, 1, 455
    yield "judge.remember_days", judge.remember_days, 0, 3650
    yield "plan.default_hop_limit", plan.default_hop_limit, 1, 64  # EC2's own range
    yield "hop_bump.limit", policy.hop_bump.limit, 2, 64
    # Shorter than three of CloudWatch's five-minute periods nothing could be seen.
    yield "hop_bump.cycle_seconds", policy.hop_bump.cycle_seconds, 900, 90 * 86_400
    yield "plan.max_age_hours", plan.max_age_hours, 1, _LONGEST
    # StartInstanceRefresh's own bounds (EC2 Auto Scaling API Reference, RefreshPreferences).
    yield "refresh.min_healthy_percentage", refresh.min_healthy_percentage, 0, 100
    yield "refresh.max_healthy_percentage", refresh.max_healthy_percentage, 100, 200
    yield "refresh.instance_warmup", refresh.instance_warmup or 0, 0, _LONGEST_WARMUP
    yield "refresh.checkpoint_delay", refresh.checkpoint_delay, 0, _TWO_DAYS
    yield "refresh.bake_time", refresh.bake_time, 0, _TWO_DAYS
    for name, wave in policy.waves.items():
        yield f"waves.{name}.canaries", wave.canaries, 0, 1000
        yield f"waves.{name}.batch", wave.batch, 1, 1000
        yield f"waves.{name}.soak_seconds", wave.soak_seconds, 0, 90 * 86_400
