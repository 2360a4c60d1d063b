"""Finding the readers and the rules, which are there by being there."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache

from imdsctl.lint import readers, rules
from imdsctl.lint.facts import Fact
from imdsctl.lint.finding import Rule
from imdsctl.lint.source import Source

Reader = Callable[[Source], Iterator[Fact | Source]]


@cache
def every_reader() -> dict[str, tuple[Reader, ...]]:
    """The readers of each kind of text."""
    found: dict[str, tuple[Reader, ...]] = {}
    for module in sorted(pkgutil.iter_modules(readers.__path__), key=lambda m: m.name):
        if module.name.startswith("_"):
            continue
        loaded = importlib.import_module(f"{readers.__name__}.{module.name}")
        for kind in loaded.KINDS:
            found[kind] = (*found.get(kind, ()), loaded.read)
    return found


@cache
def every_rule() -> dict[str, Rule]:
    """The rules by name."""
    return {
        module.name.replace("_", "-"): importlib.import_module(
            f"{rules.__name__}.{module.name}"
        ).RULE
        for module in sorted(pkgutil.iter_modules(rules.__path__), key=lambda m: m.name)
    }
