"""Settings of the metadata service that a program gives to itself or to what it starts."""

from collections.abc import Iterator
from typing import Final

from imdsctl.lint.facts import Setting
from imdsctl.lint.readers._forms import Span
from imdsctl.lint.readers._language import Called
from imdsctl.lint.readers._values import Str, Value, alternatives, text
from imdsctl.lint.source import Source

_NAMES: Final = {
    "AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_V1_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "ec2_metadata_v1_disabled", "aws.disableEc2Metadata", "aws.disableEc2MetadataV1",
    "com.amazonaws.sdk.disableEc2Metadata", "com.amazonaws.sdk.disableEc2MetadataV1",
    "ec2MetadataV1Disabled", "EC2MetadataDisableFallback", "EC2MetadataEnableFallback",
    "EC2IMDSClientEnableState", "disableFetchToken",
}  # fmt: skip
"""AWS SDKs and Tools Reference, "IMDS credential provider", and the SDKs' own options."""
_SETTERS: Final = {
    "setenv", "putenv", "setproperty", "setenvironmentvariable", "setdefault", "put", "setitem",
    "store", "set", "environment", "environmentvariables",
}  # fmt: skip


class Settings:
    """Those of one text."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._found: dict[tuple[int, str, str], Setting] = {}

    def __iter__(self) -> Iterator[Setting]:
        return iter(self._found.values())

    def take(self, start: int, end: int, value_at: Span, name: Value, value: Value) -> None:
        """Note an assignment if it is of such a setting."""
        constant = name.constant if isinstance(name, Str) else None
        if constant not in _NAMES:
            return
        for one in alternatives(value):
            shown = one.shown() if isinstance(one, Str) else ""
            if not shown:
                continue
            stop = value_at[1] if value_at[1] >= start else end
            place = self._source.place_of_bytes(start, max(stop, start + 1))
            self._found[start, constant, shown] = Setting(place=place, name=constant, value=shown)

    def call(self, called: Called) -> None:
        """Note a call that sets one: os.putenv, System.setProperty and the like."""
        name = called.name.rpartition(".")[2].lower()
        if name in _SETTERS and len(called.args) >= 2:  # noqa: PLR2004 - name and value
            at = called.form.at
            self.take(at[0], at[1], at, called.args[0], called.args[1])
        for key, value in called.named.items():
            at = called.form.at
            if key in _NAMES:
                self.take(at[0], at[1], at, text(key), value)
