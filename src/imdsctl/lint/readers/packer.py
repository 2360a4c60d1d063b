"""Packer templates in HCL2: the builders of the Amazon plugin, and the scripts that they run."""

from collections.abc import Iterator

from imdsctl.lint.facts import Fact, Unparsed
from imdsctl.lint.readers import _folder, _hcl, _packer, _scripts, _tree
from imdsctl.lint.readers._module import Module
from imdsctl.lint.source import Source

KINDS = ("packer", "hcl")


def read(source: Source) -> Iterator[Fact | Source]:
    """The facts of a template; a text with the suffix .hcl alone may be anything in HCL."""
    if source.path.lower().endswith(".json"):
        try:
            root = _tree.json_document(source.text)
        except _tree.UnreadableError as error:
            yield Unparsed(place=source.place(error.at, error.at + 1), why=error.why)
            return
        if root.get("builders") is not None:
            yield from _packer.read_json(source, root)
            return
        own, tree = _hcl.json_body(root), None
    else:
        tree = _hcl.parse(source.data)
        own = _hcl.body(tree.root_node)
        if source.kind == "packer":
            yield from _scripts.unparsed(source, tree.root_node)
    module = Module(
        source.path,
        own,
        _folder.folder_of(source.path),
        suffixes=(".pkr.hcl", ".pkr.json"),
        variables=(".pkrvars.hcl", ".pkrvars.json"),
    )
    for block in own.blocks:
        if block.type == "source":
            yield from _packer.builder(source, module, block)
    yield from _scripts.read(source, module, tree)
