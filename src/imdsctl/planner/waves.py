"""Who goes when: what is cheap to lose first, what is hard to rebuild last, canaries ahead."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

from imdsctl.model.evidence import Instance
from imdsctl.model.plan import Change
from imdsctl.model.policy import Policy, WaveName, WaveSettings
from imdsctl.model.verdict import CONFIDENCES, Verdict

WAVES: Final[tuple[WaveName, ...]] = ("disposable", "auto-scaling", "stateful")

ONE_WAY_WAVE: Final = 3
"""The number of the last wave, whose changes are made only by name."""
ONE_WAY_NAME: Final = "one-way"

DEFAULTS: Final[dict[WaveName, WaveSettings]] = {
    "disposable": WaveSettings(canaries=2, batch=10, soak_seconds=900),
    "auto-scaling": WaveSettings(canaries=2, batch=10, soak_seconds=900),
    "stateful": WaveSettings(canaries=1, batch=1, soak_seconds=86_400),
}
"""Canaries, instances at a time and seconds of soak where `imdsctl.toml` says nothing."""

_STAGE_TAGS = ("env", "environment", "stage")
_DISPOSABLE_STAGES = ("dev", "development", "test", "testing", "qa", "sandbox", "staging", "ci")


def settings(policy: Policy, wave: WaveName) -> WaveSettings:
    """How a wave is walked."""
    return policy.waves.get(wave, DEFAULTS[wave])


def wave_of(instance: Instance, policy: Policy) -> WaveName:
    """The wave of one instance: the operator's tag rules in order, then sensible defaults.

    By default tier 0 is stateful, instances of a group go with their group, development and test
    stages and spot instances are disposable, and everything else is somebody's pet.
    """
    tags = {key.lower(): value.lower() for key, value in instance.tags.items()}
    for rule in policy.wave_rules:
        if all(
            key.lower() in tags and fnmatchcase(tags[key.lower()], value.lower())
            for key, value in rule.tags.items()
        ):
            return rule.wave
    if tags.get("tier") == "0":
        return "stateful"
    if instance.group:
        return "auto-scaling"
    if any(tags.get(key) in _DISPOSABLE_STAGES for key in _STAGE_TAGS):
        return "disposable"
    return "disposable" if instance.lifecycle == "spot" else "stateful"


def canaries(changes: list[Change], verdicts: Mapping[str, Verdict], count: int) -> list[str]:
    """The change ids that go first: those whose evidence says least, one of each kind of thing.

    A canary is there to find what the evidence did not show. Instances of the same group or with
    the same name stem stand for each other, so one of each is taken before any second one.
    """

    def doubt(change: Change) -> tuple[int, str, str]:
        verdict = verdicts.get(change.resource)
        sure = CONFIDENCES.index(verdict.confidence) if verdict else 0
        return (sure, change.name, change.id)

    seen: dict[str, int] = {}
    ranked = []
    for change in sorted(changes, key=doubt):
        stem = change.name.rstrip("0123456789").rstrip("-_.") or change.resource
        seen[stem] = seen.get(stem, 0) + 1
        ranked.append((seen[stem], doubt(change), change.id))
    return [change_id for _, _, change_id in sorted(ranked)[:count]]
