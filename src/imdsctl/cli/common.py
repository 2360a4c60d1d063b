"""The options that every command has."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

_GROUP = Group("Everywhere", sort_key=100)
FLAG = Parameter(negative="", show_default=False)
"""An option that is there or not."""


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True, kw_only=True)
class Common:
    """Where the store and the settings are, and how to print.

    Parameters:
        db: The store: a file, or a postgresql:// URL.
        config: The settings; `imdsctl.toml` if it is there.
        quiet: Print only what was asked for, and errors.
        verbose: Print more of what happens.
        no_color: No colours.
    """

    db: str = "imdsctl.db"
    config: Path | None = None
    quiet: Annotated[bool, FLAG, Parameter(alias="-q")] = False
    verbose: Annotated[bool, FLAG, Parameter(alias="-v")] = False
    no_color: Annotated[bool, FLAG] = False


Output = Annotated[Literal["table", "json"], Parameter(name=["--output", "-o"])]
Way = Literal["ec2", "ssm"]
"""Through which of AWS's services instances' options are changed."""
RoleName = Annotated[str | None, Parameter(name="--role-name")]


def listed(text: str | None) -> list[str]:
    """A comma-separated list as its parts."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]
