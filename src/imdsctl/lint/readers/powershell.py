"""PowerShell: Invoke-RestMethod and its kin, .NET's clients, and curl."""

from collections.abc import Iterator
from typing import Final

import tree_sitter_powershell
from tree_sitter import Language as Grammar

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers._lowering import gone_through
from imdsctl.lint.readers._powershell_clients import POWERSHELL
from imdsctl.lint.readers._powershell_forms import PowershellForms
from imdsctl.lint.source import Source

KINDS: Final = ("powershell",)
_GRAMMAR: Final = Grammar(tree_sitter_powershell.language())


def read(source: Source) -> Iterator[Fact | Source]:
    """The requests, settings and embedded texts of a PowerShell script."""
    yield from gone_through(source, _GRAMMAR, PowershellForms, POWERSHELL)
