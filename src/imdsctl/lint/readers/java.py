"""Java: java.net, java.net.http, Apache HttpClient, OkHttp, Spring, JAX-RS, and processes."""

from collections.abc import Iterator
from typing import Final

import tree_sitter_java
from tree_sitter import Language as Grammar

from imdsctl.lint.facts import Fact
from imdsctl.lint.readers._java_clients import JAVA
from imdsctl.lint.readers._java_forms import JavaForms
from imdsctl.lint.readers._lowering import gone_through
from imdsctl.lint.source import Source

KINDS: Final = ("java",)
_GRAMMAR: Final = Grammar(tree_sitter_java.language())


def read(source: Source) -> Iterator[Fact | Source]:
    """The requests, settings and embedded texts of a Java program."""
    yield from gone_through(source, _GRAMMAR, JavaForms, JAVA)
