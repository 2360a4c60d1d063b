"""Settings that switch v1, or all of the metadata service, off or on: files and environments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imdsctl.host.audit.found import File, Setting

NAMES = frozenset({
    "environment", ".profile", ".bash_profile", ".bashrc", "profile", "bashrc", ".env", "config",
    "fstab", "datadog.yaml", "override.conf",
})  # fmt: skip
SUFFIXES = (".service", ".conf", ".env", ".sh", ".yaml", ".yml")
FOLDERS = frozenset({"default", "sysconfig", "environment.d", "profile.d"})

_LARGEST = 1024 * 1024
_SHELL_FOLDERS = frozenset({"default", "sysconfig", "environment.d", "profile.d"})
_SHELL_NAMES = frozenset({
    "environment", ".profile", ".bash_profile", ".bashrc", "profile", "bashrc", ".env",
})  # fmt: skip

VARIABLES: dict[str, str] = {
    "AWS_EC2_METADATA_V1_DISABLED": "v1",
    "AWS_EC2_METADATA_DISABLED": "imds",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": "endpoint",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "mode",
    "AWS_IMDSv2": "facter",
    "DD_EC2_PREFER_IMDSV2": "datadog",
}
"""Variables and what they are about (AWS SDKs and Tools Reference Guide, "IMDS credential
provider"; Facter and Datadog Agent documentation). No other variable is ever looked at."""

_PROPERTIES: dict[str, str] = {
    "aws.disableEc2MetadataV1": "v1",
    "com.amazonaws.sdk.disableEc2MetadataV1": "v1",
    "aws.disableEc2Metadata": "imds",
    "com.amazonaws.sdk.disableEc2Metadata": "imds",
}
"""The same as system properties of the JVM."""

_ASSIGNED = re.compile(
    r"(?<![A-Za-z0-9_.])(-D)?(" + "|".join(map(re.escape, [*VARIABLES, *_PROPERTIES])) + r")"
    r"""\s*[=:]\s*["']?([^\s"'#;]*)"""
)
_IN_PROFILE = re.compile(
    r"^\s*(ec2_metadata_v1_disabled|ec2_metadata_service_endpoint|"
    r"ec2_metadata_service_endpoint_mode)\s*=\s*(\S*)\s*$"
)
_PROFILE_KINDS = {
    "ec2_metadata_v1_disabled": "v1",
    "ec2_metadata_service_endpoint": "endpoint",
    "ec2_metadata_service_endpoint_mode": "mode",
}
_DATADOG_NAMES = ("ec2_prefer_imdsv2", "ec2_imdsv2_transition_payload_enabled")
_DATADOG = re.compile(rf"^\s*({'|'.join(_DATADOG_NAMES)})\s*:\s*[\"']?(\w+)")
_FLUENT_BIT = re.compile(r"^\s*(?:-\s*)?(imds_version)\s*:?\s+[\"']?(v[12])\b", re.IGNORECASE)
_S3FS = re.compile(r"\bs3fs\b.*\b(imdsv1only)\b")
_USERINFO = re.compile(r"//[^/@\s]*@")


def look(file: File) -> Iterator[Setting]:
    """The settings in this file, if it is one of those that have any."""
    name, parent = file.name, file.parent
    if parent == ".aws" and name == "config":
        yield from _lines(file, _IN_PROFILE, _PROFILE_KINDS)
    elif name == "datadog.yaml":
        yield from _lines(file, _DATADOG, dict.fromkeys(_DATADOG_NAMES, "datadog"))
    elif name == "fstab":
        yield from _lines(file, _S3FS, {"imdsv1only": "s3fs"})
    elif "fluent-bit" in file.shown or "td-agent-bit" in file.shown:
        yield from _lines(file, _FLUENT_BIT, {"imds_version": "fluent-bit"})
    elif (
        name in _SHELL_NAMES
        or parent in _SHELL_FOLDERS
        or name.endswith((".service", ".env"))
        or (name.endswith(".conf") and parent.endswith((".service.d", ".slice.d")))
    ):
        yield from in_text(file.text(_LARGEST), file.shown)


def in_text(text: str, where: str) -> Iterator[Setting]:
    """Variables that are set in shell, systemd or env files; comments do not count."""
    if not any(word in text for word in _WORDS):
        return
    for line in text.splitlines():
        if line.lstrip().startswith(("#", ";")):
            continue
        for dash, name, value in _ASSIGNED.findall(line):
            if (name in _PROPERTIES) == bool(dash):
                yield setting(name, value, {**VARIABLES, **_PROPERTIES}[name], where)


_WORDS = ("AWS_EC2_METADATA_", "AWS_IMDSv2", "DD_EC2_PREFER_IMDSV2", "disableEc2Metadata")


def in_environment(block: bytes, where: str) -> Iterator[Setting]:
    """The same in a process's environment (proc(5), `/proc/[pid]/environ`)."""
    for entry in block.split(b"\0"):
        name, equals, value = entry.partition(b"=")
        kind = VARIABLES.get(name.decode("latin-1")) if equals else None
        if kind is not None:
            text = value[:200].decode("utf-8", "replace")
            yield setting(name.decode("latin-1"), text, kind, where)


def _lines(file: File, pattern: re.Pattern[str], kinds: dict[str, str]) -> Iterator[Setting]:
    for line in file.text(_LARGEST).splitlines():
        if line.lstrip().startswith(("#", ";")):
            continue
        found = pattern.search(line)
        if found is not None:
            name = found[1].lower()
            value = found[2] if pattern.groups > 1 else "set"
            yield setting(name, value, kinds[name], file.shown)


def setting(name: str, value: str, kind: str, where: str) -> Setting:
    """One setting with what it does; credentials in an endpoint's address are left out."""
    word = value.strip().lower()
    if kind == "endpoint":
        value = _USERINFO.sub("//…@", value)
    on = word == "v1" if kind == "fluent-bit" else word in ("true", "1", "yes")
    if kind in ("v1", "imds"):
        on = word == "true"  # the only value that the SDKs take
    effect, meaning = _EFFECTS.get((kind, on)) or _EFFECTS[kind, None]
    return Setting(name, value, where, effect, meaning)


_EFFECTS: dict[tuple[str, bool | None], tuple[str, str]] = {
    ("v1", True): ("v1-off", "SDKs that know it ask for a token or do without"),
    ("v1", False): ("none", "has an effect only as true: v1 stays on"),
    ("imds", True): ("imds-off", "SDKs ask the metadata service nothing"),
    ("imds", False): ("none", "has an effect only as true"),
    ("endpoint", None): ("elsewhere", "SDKs that know it ask another address"),
    ("mode", None): ("elsewhere", "which address family SDKs ask over"),
    ("s3fs", None): ("v1-forced", "s3fs is told to use v1 only"),
    ("fluent-bit", True): ("v1-forced", "Fluent Bit's filter aws is told to use v1"),
    ("fluent-bit", False): ("v2-preferred", "Fluent Bit's filter aws is told to use v2"),
    ("facter", True): ("v2-preferred", "Facter uses v2"),
    ("facter", False): ("none", "Facter before 4.2.1 uses v2 only where this is true"),
    ("datadog", True): ("v2-preferred", "the Datadog Agent is told to use v2"),
    ("datadog", False): ("v1-forced", "the Datadog Agent is told to use v1"),
}
"""What each kind of setting does, by whether it is on; None for whatever it is."""
