"""Calls of Terraform modules: those of the same tree, and well-known ones of the registry.

A module of the same tree is read with the arguments of the call, and what comes out otherwise than
by its own defaults is a launch of the call. Of registry modules it is known which arguments are
metadata options, and what is taken where none are given (their READMEs and upgrade guides).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from imdsctl.lint.facts import Edit, Fact, Known, Launch
from imdsctl.lint.readers import _edits, _folder, _hcl, _resources
from imdsctl.lint.readers._hcl import Block
from imdsctl.lint.readers._launch import Options, containers_in, image_inherits, member
from imdsctl.lint.readers._module import SUFFIXES, Module, raw
from imdsctl.lint.readers._unknown import Either, Unknown
from imdsctl.lint.source import Source

_META: Final = frozenset({"source", "version", "count", "for_each", "providers", "depends_on"})
_DEEPEST: Final = 4


@dataclass(frozen=True, slots=True)
class _Registry:
    """A module of the registry.

    Attributes:
        argument: that takes metadata options.
        since: the major version from which tokens are required by default; None: in every version
            that is in use.
        groups: arguments that are maps of groups, each of which may say options.
        containers: whether it launches hosts of containers.
    """

    argument: str = "metadata_options"
    since: int | None = None
    groups: tuple[str, ...] = field(default_factory=tuple)
    containers: Known = "unknown"


_REGISTRY: Final = {
    "terraform-aws-modules/ec2-instance/aws": _Registry(since=6),
    "terraform-aws-modules/autoscaling/aws": _Registry(since=9),
    "terraform-aws-modules/eks/aws": _Registry(
        since=18,
        groups=("eks_managed_node_groups", "self_managed_node_groups",
                "eks_managed_node_group_defaults", "self_managed_node_group_defaults"),
        containers="yes",
    ),
    "terraform-aws-modules/eks/aws//modules/eks-managed-node-group": _Registry(
        since=18, containers="yes"
    ),
    "terraform-aws-modules/eks/aws//modules/self-managed-node-group": _Registry(
        since=18, containers="yes"
    ),
}  # fmt: skip
_GITHUB: Final = re.compile(
    r"terraform-aws-modules/terraform-aws-([\w-]+?)(?:\.git)?(//[\w/-]+)?(?:\?|$)"
)


def launches(source: Source, module: Module, block: Block) -> Iterator[Fact]:
    """What a call of a module launches, as far as it is known."""
    said = block.attributes.get("source")
    name = module.values.of(said.value) if said else None
    if not isinstance(name, str):
        return
    if name.startswith(("./", "../")):
        yield from _local(source, module, block, name, 0)
        return
    if found := _GITHUB.search(name):
        name = f"terraform-aws-modules/{found[1]}/aws{found[2] or ''}"
    if known := _REGISTRY.get(name):
        yield from _registered(source, module, block, known)


def _local(source: Source, module: Module, block: Block, name: str, depth: int) -> Iterator[Fact]:
    if module.folder is None or depth > _DEEPEST:
        return
    folder = module.folder / name
    files = _folder.blocks_of(folder, SUFFIXES)
    if not files:
        return
    arguments = {
        key: module.values.of(attribute.value)
        for key, attribute in block.attributes.items()
        if key not in _META
    }
    for path, own in files.items():
        called = Module(path, own, folder, arguments)
        alone = Module(path, own, folder)
        text = Source(path, "terraform", "")
        for resource in own.blocks:
            if resource.type != "resource":
                continue
            yield from _differing(source, block, text, called, alone, resource)


def _differing(source: Source, block: Block, text: Source, called: Module, alone: Module,
               resource: Block) -> Iterator[Fact]:  # fmt: skip
    """The launches of a resource whose options the call's arguments change."""
    by_call = [f for f in _resources.launches(text, called, resource) if isinstance(f, Launch)]
    by_itself = [f for f in _resources.launches(text, alone, resource) if isinstance(f, Launch)]
    for mine, its in zip(by_call, by_itself, strict=False):
        if mine.options == its.options or not mine.options:
            continue
        place = _resources.place_of(source, block)
        changed = {key for key, value in mine.options.items() if its.options.get(key) != value}
        if "http_tokens" not in changed and its.options.get("http_tokens") == "optional":
            # The module says so itself, where it is said.
            continue
        yield Launch(
            place=place, what=mine.what, name=f"module.{'.'.join(block.labels)}.{mine.name}",
            options=mine.options, complete=mine.complete, has_options=mine.has_options,
            containers=mine.containers, user_data=mine.user_data, makes=mine.makes,
            inherited=mine.inherited, template=mine.template,
            members=_members(source, block, changed),
        )  # fmt: skip


def _members(source: Source, block: Block, changed: set[str]) -> dict[str, Any]:
    """The arguments of a call that look like the options that they change."""
    found = {}
    for option in changed:
        words = option.replace("http_", "")
        for key, attribute in block.attributes.items():
            text = (attribute.value.text or b"") if not hasattr(attribute.value, "kind") else b""
            if words in key or "metadata" in key or words.encode() in bytes(text):
                found[option] = _resources.place_of_attribute(source, attribute)
    return found


def _major(module: Module, block: Block) -> int | None:
    """The highest major version that a call's version constraint allows, None for any."""
    said = block.attributes.get("version")
    text = module.values.of(said.value) if said else None
    if not isinstance(text, str):
        source = block.attributes.get("source")
        name = module.values.of(source.value) if source else ""
        found = re.search(r"ref=v?(\d+)", str(name))
        return int(found[1]) if found else None
    if ">" in text and "<" not in text and "~>" not in text:
        return None
    numbers = [int(one) for one in re.findall(r"(?:^|[\s,=><~])v?(\d{1,4})(?:\.|\s|,|$)", text)]
    if "~>" in text and re.search(r"~>\s*v?(\d+)\s*$", text):
        return None
    return max(numbers, default=None)


def _registered(source: Source, module: Module, block: Block, known: _Registry) -> Iterator[Fact]:
    """A call of a module of the registry."""
    major = _major(module, block)
    old = major is not None and known.since is not None and major < known.since
    inherited = "" if old else "recent versions of the module require tokens by default"
    name = f"module.{'.'.join(block.labels)}"
    place = _resources.place_of(source, block)
    grouped = False
    for key in known.groups:
        for group, value in _groups(module, block, key):
            grouped = True
            found = Options()
            attribute = block.attributes[key]
            where = _resources.place_of_attribute(source, attribute)
            said = value.get(known.argument) if isinstance(value, dict) else None
            if isinstance(said, dict):
                found.take(said, None, assumed=False)
                found.members |= spots(source, attribute)
            yield Launch(place=where if said else place, what="module", name=f"{name}.{group}",
                         options=found.values, members=found.members, containers=known.containers,
                         inherited=inherited or "the module's own default",
                         assumed=frozenset(found.assumed))  # fmt: skip
    if grouped or known.groups:
        return
    said = block.attributes.get(known.argument)
    found = Options()
    edits: tuple[Edit, ...] = ()
    complete = True
    if said is not None:
        value, defaulted = _resources.sure(module, said)
        where = _resources.place_of_attribute(source, said)
        if isinstance(value, Unknown | Either):
            complete = False
        elif isinstance(value, dict):
            found.take(value, where, assumed=defaulted)
            found.members |= spots(source, said)
            edits = literal(source, said, "http_tokens")
    words = " ".join(raw(one) for one in block.attributes.values())
    user_data = "yes" if block.attributes.keys() & set(_resources.USER_DATA) else "no"
    yield Launch(place=place, what="module", name=name, options=found.values, members=found.members,
                 complete=complete, containers=_or(known.containers, containers_in(words)),
                 user_data=user_data, assumed=frozenset(found.assumed),  # type: ignore[arg-type]
                 inherited=inherited or image_inherits(words), edits=edits)  # fmt: skip


def _or(one: Known, other: Known) -> Known:
    return one if one != "unknown" else other


def _groups(module: Module, block: Block, key: str) -> Iterator[tuple[str, Any]]:
    attribute = block.attributes.get(key)
    if attribute is None:
        return
    value = module.values.of(attribute.value)
    if not isinstance(value, dict):
        return
    if key.endswith("_defaults"):
        if "metadata_options" in value:
            yield key, value
        return
    yield from value.items()


def spots(source: Source, attribute: _hcl.Attribute) -> dict[str, Any]:
    """Where in an object the members stand, each where it stands but once."""
    found: dict[str, list[Any]] = {}
    for name, key, value in _elements(attribute):
        found.setdefault(name, []).append(source.place_of_bytes(key, value.end_byte))
    return {name: places[0] for name, places in found.items() if len(places) == 1}


def _elements(attribute: _hcl.Attribute) -> Iterator[tuple[str, int, Any]]:
    if hasattr(attribute.value, "kind"):
        return
    pending: list[Any] = [attribute.value]
    while pending:
        node = pending.pop()
        if node.type == "object_elem":
            parts = [one for one in node.named_children if one.type == "expression"]
            text = (parts[0].text or b"").decode("utf-8", "replace").strip('"() ') if parts else ""
            if len(parts) == 2 and (name := member(text)):  # noqa: PLR2004 - key and value
                yield name, node.start_byte, parts[1]
                continue
        pending += reversed(node.named_children)


def literal(source: Source, attribute: _hcl.Attribute, name: str) -> tuple[Edit, ...]:
    """The edit of a member that an object literal writes out."""
    found = [value for key, _, value in _elements(attribute) if key == name]
    if len(found) != 1 or (found[0].text or b"") != b'"optional"':
        return ()
    return _edits.hcl_value(source, found[0].start_byte, found[0].end_byte, "required")
