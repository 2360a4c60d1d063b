"""A Terraform module: what its names mean, from all the files of its folder."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from imdsctl.lint.readers import _folder, _hcl_values, _tree, _unknown
from imdsctl.lint.readers._hcl import Attribute, Block
from imdsctl.lint.readers._hcl_values import Values
from imdsctl.lint.readers._unknown import UNKNOWN, Unknown

SUFFIXES: Final = (".tf", ".tofu", ".tf.json")
_DEEPEST: Final = 25
"""Locals and variables that stand for each other; more than this is no configuration."""
VARIABLES: Final = (".tfvars", ".tfvars.json")
_AUTOMATIC: Final = re.compile(
    r"(?:^|/)(?:terraform\.tfvars|[^/]*\.auto\.(?:tfvars|pkrvars))(?:\.json|\.hcl)?$"
)
"""Files that Terraform loads without being told ("Input Variables", Terraform documentation)."""


@dataclass(frozen=True, slots=True)
class Read:
    """A file that an expression reads, and whether it is a template."""

    path: Path
    text: str
    template: bool


@dataclass
class Module:
    """The module that a file is a part of.

    Attributes:
        path: the file's.
        own: its blocks.
        folder: where the others are, None for a text without a place.
        arguments: what a call of the module gives its variables, None for the module by itself.
        suffixes: of the files that are a part of it.
        variables: suffixes of the files that give its variables values.
        defaulted: raised whenever a variable's default is taken, which a caller may change.
        reads: the files that expressions have read.
    """

    path: str
    own: Block
    folder: Path | None
    arguments: Mapping[str, Any] | None = None
    suffixes: tuple[str, ...] = SUFFIXES
    variables: tuple[str, ...] = VARIABLES
    defaulted: bool = False
    reads: list[Read] = field(default_factory=list)
    _busy: set[str] = field(default_factory=set)
    _known: dict[str, tuple[Any, bool]] = field(default_factory=dict)

    @cached_property
    def files(self) -> dict[str, Block]:
        """All files of the module, this one among them."""
        if self.folder is None:
            return {self.path: self.own}
        found = _folder.blocks_of(self.folder, self.suffixes, Path(self.path).name)
        return {**(found or {}), self.path: self.own}

    @cached_property
    def _given(self) -> tuple[dict[str, Any], dict[str, list[Any]]]:
        """Values of variables: those of files that are always loaded, and those of the others."""
        always: dict[str, Any] = {}
        perhaps: dict[str, list[Any]] = {}
        found = _folder.blocks_of(self.folder, self.variables) if self.folder is not None else None
        values = Values(lambda _name, _steps: UNKNOWN)
        for path, block in (found or {}).items():
            source = block.attributes
            if block.json is not None:
                source = {
                    key.text: Attribute(key.text, value, key.start, value.end)
                    for key, value in block.json.pairs
                }
            for name, attribute in source.items():
                if _AUTOMATIC.search(path):
                    always[name] = values.of(attribute.value)
                else:
                    perhaps.setdefault(name, []).append(values.of(attribute.value))
        return always, perhaps

    @cached_property
    def values(self) -> Values:
        """The values of expressions in this module."""
        return Values(self._lookup, self._read)

    def blocks(self, kind: str, *labels: str) -> Iterator[Block]:
        """Blocks of a type, with these first labels, this file's first."""
        key = (kind, labels[:1])
        for block in self._own_index.get(key, ()):
            if block.labels[: len(labels)] == labels:
                yield block
        # The other files are only read where this one is not enough.
        for block in self._other_index.get(key, ()):
            if block.labels[: len(labels)] == labels:
                yield block

    @cached_property
    def _own_index(self) -> dict[tuple[str, tuple[str, ...]], list[Block]]:
        return _index(self.own.blocks)

    @cached_property
    def _other_index(self) -> dict[tuple[str, tuple[str, ...]], list[Block]]:
        others = (block for path, block in self.files.items() if path != self.path)
        return _index(one for block in others for one in block.blocks)

    @cached_property
    def container_templates(self) -> frozenset[str]:
        """Launch templates that node groups, capacity providers and compute environments name."""
        found: set[str] = set()
        for kind in ("aws_eks_node_group", "aws_batch_compute_environment"):
            for block in self.blocks("resource", kind):
                found.update(_TEMPLATE.findall(self.words(block)))
        for provider in self.blocks("resource", "aws_ecs_capacity_provider"):
            for group in re.findall(r"\baws_autoscaling_group\.(\w+)", self.words(provider)):
                for block in self.blocks("resource", "aws_autoscaling_group", group):
                    found.update(_TEMPLATE.findall(self.words(block)))
        return frozenset(found)

    def words(self, block: Block) -> str:
        """All that a block's expressions say, and what they read, in one text."""
        return "\n".join(self._words(block))

    def _words(self, block: Block) -> Iterator[str]:
        for attribute in block.attributes.values():
            before = len(self.reads)
            self.values.of(attribute.value)
            yield raw(attribute)
            yield from (read.text for read in self.reads[before:])
        for inner in block.blocks:
            yield from self._words(inner)

    def _read(self, name: str, function: str) -> str | None:
        if self.folder is None:
            return None
        found = _folder.text_beside(self.folder, name)
        if found is None:
            return None
        self.reads.append(Read(found[0], found[1], function == "templatefile"))
        return found[1]

    def _lookup(self, name: str, steps: tuple[Any, ...]) -> Any:
        if name == "path" and steps and steps[0] in ("module", "root", "cwd"):
            return "."
        if name not in ("var", "local") or not steps:
            return Unknown(".".join([name, *(str(step) for step in steps)]))
        key = f"{name}.{steps[0]}"
        if key not in self._known:
            if key in self._busy or len(self._busy) > _DEEPEST:
                return UNKNOWN
            self._busy.add(key)
            before, self.defaulted = self.defaulted, False
            find = self._variable if name == "var" else self._local
            self._known[key] = (find(str(steps[0])), self.defaulted)
            self.defaulted = before
            self._busy.discard(key)
        value, defaulted = self._known[key]
        self.defaulted = self.defaulted or defaulted
        if isinstance(value, Unknown) and not value.name:
            value = Unknown(key)
        return _unknown.into(value, list(steps[1:]))

    def _local(self, name: str) -> Any:
        for block in self.blocks("locals"):
            if attribute := block.attributes.get(name):
                return self.values.of(attribute.value)
        return UNKNOWN

    def _variable(self, name: str) -> Any:
        block = next(self.blocks("variable", name), None)
        kind = block.attributes.get("type") if block else None
        defaults = _hcl_values.type_defaults(kind.value) if kind else None
        default = block.attributes.get("default") if block else None
        if self.arguments is not None and name in self.arguments:
            return _filled(self.arguments[name], defaults)
        always, perhaps = self._given
        if self.arguments is None and name in always:
            return _filled(always[name], defaults)
        self.defaulted = True
        found = [_filled(self.values.of(default.value), defaults)] if default else []
        if self.arguments is None:
            found += [_filled(value, defaults) for value in perhaps.get(name, ())]
        return _unknown.either(*found) if found else UNKNOWN


_TEMPLATE: Final = re.compile(r"\baws_launch_(?:template|configuration)\.\w+")


def _index(blocks: Iterable[Block]) -> dict[tuple[str, tuple[str, ...]], list[Block]]:
    """Blocks by their type, and by their type and first label."""
    found: dict[tuple[str, tuple[str, ...]], list[Block]] = {}
    for block in blocks:
        found.setdefault((block.type, ()), []).append(block)
        if block.labels:
            found.setdefault((block.type, block.labels[:1]), []).append(block)
    return found


def raw(attribute: Attribute) -> str:
    """An expression as it is written, the ends of lines in strings as such."""
    if isinstance(attribute.value, _tree.Node):
        return " ".join(node.text for node in _tree.walk(attribute.value))
    text = (attribute.value.text or b"").decode("utf-8", "replace")
    return text.replace("\\n", "\n")


def _filled(value: Any, defaults: Any) -> Any:
    """A value with the defaults of its type put in."""
    if not isinstance(value, dict) or not isinstance(defaults, dict):
        return value
    filled = {**defaults, **{key: one for key, one in value.items() if one is not None}}
    return {key: _filled(one, defaults.get(key)) for key, one in filled.items()}
