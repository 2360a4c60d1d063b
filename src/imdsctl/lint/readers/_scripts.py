"""The scripts in HCL: heredocs, quoted strings, provisioners' lines, and the files they name."""

import re
from collections.abc import Iterator
from typing import Any, Final

from tree_sitter import Node, Tree

from imdsctl.lint.facts import Unparsed
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.readers import _hcl_text, _launch, _tree
from imdsctl.lint.readers._hcl import Attribute, Block
from imdsctl.lint.readers._hcl_values import Values
from imdsctl.lint.readers._module import Module
from imdsctl.lint.readers._tree import Lines
from imdsctl.lint.source import Source

_USER_DATA: Final = frozenset({
    "user_data", "user_data_base64", "content", "template", "rendered", "custom_data",
    "pre_bootstrap_user_data", "post_bootstrap_user_data", "bootstrap_script", "userdata",
    "user_data_file", "user_data_template", "pre_userdata", "cloudinit_pre_nodeadm",
})  # fmt: skip
"""Attributes that hold user data, or a part of it; `content` and `template` of data sources."""
_MANIFESTS: Final = frozenset({"yaml_body"})
"""Attributes that hold a Kubernetes manifest: `kubectl_manifest`."""
_BEGINS: Final = re.compile(r"\s*(?:#!|#cloud-|#include|<powershell>|MIME-Version:|Content-Type:)")
_FRAGMENT: Final = re.compile(r"user_?data|template|script|bootstrap|startup", re.IGNORECASE)
_ASKS: Final = re.compile(
    r"^\s*(?:(?:export|local)\s+)?(?:\w+=[\"']?(?:\$\(|`)\s*)?(?:sudo\s+)?(?:curl|wget)\s",
    re.MULTILINE,
)
"""A line that is a shell's: part of a script whose beginning stands elsewhere."""
_LARGE: Final = 5000
"""Errors of syntax that are told one by one; a file of more is no HCL at all."""


def unparsed(source: Source, root: Node) -> Iterator[Unparsed]:
    """The first part that is no HCL."""
    if not root.has_error:
        return
    pending, steps = [root], 0
    while pending and steps < _LARGE:
        node = pending.pop()
        steps += 1
        if node.is_error or node.is_missing:
            end = max(node.end_byte, node.start_byte + 1)
            yield Unparsed(
                place=source.place_of_bytes(node.start_byte, min(end, len(source.data))),
                why="it is no HCL",
            )
            return
        pending += [
            child for child in reversed(node.children) if child.has_error or child.is_missing
        ]


def read(source: Source, module: Module, tree: Tree | None) -> Iterator[Source]:
    """Every script of a file, and those of other files that its user data names."""
    if tree is not None and b"<<" in source.data:
        yield from _heredocs(source, module.values, tree.root_node)
    for block in module.own.blocks:
        yield from _of_block(source, module, block, _name(block))


def _name(block: Block) -> str:
    return ".".join(block.labels) or block.type


def _heredocs(source: Source, values: Values, root: Node) -> Iterator[Source]:
    pending = [root]
    while pending:
        node = pending.pop()
        if node.type == "heredoc_template":
            yield from _heredoc(source, values, node)
            continue
        pending += reversed(node.named_children)


def _heredoc(source: Source, values: Values, node: Node) -> Iterator[Source]:
    text, indent = _hcl_text.heredoc((node.text or b"").decode("utf-8", "surrogatepass"))
    owner, name = _owner(node)
    first = source.row(source.characters(node.start_byte)) + 1
    rendered = values.rendered(text)
    count = rendered.count("\n") + 1
    carrier = Lines(rendered, tuple(range(first, first + count)), indent)
    yield from scripts(source, carrier, owner, name)


def scripts(source: Source, carrier: Lines, attribute: str, owner: str) -> Iterator[Source]:
    """What a text is by the attribute that holds it, or by how it begins."""
    inside = f"{attribute} of {owner}" if owner else attribute
    if attribute in ("inline", "command"):
        yield carrier.as_source(source, "shell", inside)
    elif attribute in _USER_DATA or _BEGINS.match(carrier.text):
        found = list(_launch.user_data(carrier.as_source(source), inside))
        yield from found or _fragment(source, carrier, attribute, inside)
    else:
        yield from _fragment(source, carrier, attribute, inside)
    if attribute in _MANIFESTS or (attribute == "content" and "mainSteps" in carrier.text):
        kind = "json" if carrier.text.lstrip().startswith("{") else "yaml"
        yield carrier.as_source(source, kind, inside)


def _fragment(source: Source, carrier: Lines, attribute: str, inside: str) -> Iterator[Source]:
    """A part of a script without its first line, which a module or template adds."""
    if _FRAGMENT.search(attribute) and "169.254." in carrier.text and _ASKS.search(carrier.text):
        yield carrier.as_source(source, "shell", inside)


def _owner(node: Node) -> tuple[str, str]:
    """The attribute and the outermost block that an expression stands in."""
    attribute, labels = "", ""
    parent = node.parent
    while parent is not None:
        if parent.type in ("attribute", "object_elem") and not attribute:
            first = parent.named_children[0] if parent.named_children else None
            attribute = (first.text or b"").decode("utf-8", "replace").strip('" ') if first else ""
        if parent.type == "block":
            labels = (
                ".".join(
                    (child.text or b"").decode("utf-8", "replace").strip('"')
                    for child in parent.children
                    if child.type == "string_lit"
                )
                or labels
            )
        parent = parent.parent
    return attribute, labels


def _of_block(source: Source, module: Module, block: Block, owner: str) -> Iterator[Source]:
    for name, attribute in block.attributes.items():
        if name in _USER_DATA or (block.type == "source" and name.startswith("user_data")):
            yield from _files(source, module, attribute, f"{name} of {owner}")
            yield from _quoted(source, module, attribute, name, owner)
        elif name == "inline" and block.type == "provisioner":
            yield from _inline(source, module, attribute, owner)
        elif name == "command" and block.type == "provisioner":
            yield from _quoted(source, module, attribute, name, owner)
    for inner in block.blocks:
        yield from _of_block(source, module, inner, owner)
    if block.json is not None and block.type in ("resource", "build"):
        for key in ("provisioner", "part", "provisioners"):
            for one in block.nested(key):
                yield from _of_json_provisioner(source, module, one, owner)


def _of_json_provisioner(
    source: Source, module: Module, block: Block, owner: str
) -> Iterator[Source]:
    for name in ("local-exec", "remote-exec", "shell"):
        for one in block.nested(name):
            one.type = "provisioner"
            yield from _of_block(source, module, one, owner)


def _files(source: Source, module: Module, attribute: Attribute, inside: str) -> Iterator[Source]:
    """The scripts in files that an expression reads, unless they are files that lint reads itself.

    They have no lines here, so all of their lines are that of the expression.
    """
    module.reads.clear()
    module.values.of(attribute.value)
    start = attribute.start
    row = source.row(start if isinstance(attribute.value, _tree.Node) else source.characters(start))
    for name, found in {read.path: read for read in module.reads}.items():
        if kind_of(name.name, found.text) is not None:
            continue
        text = module.values.rendered(found.text) if found.template else found.text
        lines = Lines(text, (row,) * (text.count("\n") + 1))
        yield from _launch.user_data(lines.as_source(source), f"{inside} ({name.name})")


def _quoted(
    source: Source, module: Module, attribute: Attribute, name: str, owner: str
) -> Iterator[Source]:
    """A script in a quoted string, wherever in the expression it stands."""
    for text, row in _strings(source, attribute):
        if not _BEGINS.match(text) and name != "command":
            continue
        rendered = module.values.rendered(text)
        lines = (row,) * (rendered.count("\n") + 1)
        yield from scripts(source, Lines(rendered, lines), name, owner)


def _strings(source: Source, attribute: Attribute) -> Iterator[tuple[str, int]]:
    """The quoted strings of an expression, unescaped, and the lines they stand on."""
    pending: list[Any] = [attribute.value]
    while pending:
        node = pending.pop()
        if isinstance(node, _tree.Node):
            for one in _tree.walk(node):
                if one.style == '"':
                    yield one.text, source.row(one.start)
            continue
        if node.type == "template_interpolation":
            continue
        if node.type in ("quoted_template", "string_lit"):
            text = _hcl_text.unquoted((node.text or b"").decode("utf-8", "replace"))
            yield text, source.row(source.characters(node.start_byte))
            continue
        pending += reversed(node.named_children)


def _inline(source: Source, module: Module, attribute: Attribute, owner: str) -> Iterator[Source]:
    """The lines of a provisioner, which run one after the other."""
    rows = [(module.values.rendered(text), row) for text, row in _strings(source, attribute)]
    lines = [row for text, row in rows for _ in range(text.count("\n") + 1)]
    if rows:
        carrier = Lines("\n".join(text for text, _ in rows) + "\n", (*lines, lines[-1]))
        yield carrier.as_source(source, "shell", f"inline of {owner}")
