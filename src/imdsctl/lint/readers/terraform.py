"""Terraform and OpenTofu, in native and in JSON syntax.

Of the resources of the AWS provider that launch instances or set how they are launched, and of the
modules of the registry that do so for many (see `_resources`, `_calls`); user data and scripts are
given on as they stand in heredocs, strings and the files that `file()` and `templatefile()` name.
"""

import re
from collections.abc import Iterator

from imdsctl.lint.facts import Fact, Unparsed
from imdsctl.lint.readers import _calls, _folder, _hcl, _http_data, _resources, _scripts, _tree
from imdsctl.lint.readers._module import Module
from imdsctl.lint.source import Source

KINDS = ("terraform", "terraform-json")
_WORDS = re.compile(
    r"aws[_-]|<<|\bmodule\b|provisioner|user_data|169\.254\.|fd00:ec2", re.IGNORECASE
)
"""A file with none of these launches nothing and holds no script; most of a module's files."""


def read(source: Source) -> Iterator[Fact | Source]:
    """The launches of a file, its settings, and the scripts in it."""
    if not _WORDS.search(source.text):
        return
    if source.kind == "terraform-json":
        try:
            root = _tree.json_document(source.text)
        except _tree.UnreadableError as error:
            yield Unparsed(place=source.place(error.at, error.at + 1), why=error.why)
            return
        own = _hcl.json_body(root)
        tree = None
    else:
        tree = _hcl.parse(source.data)
        own = _hcl.body(tree.root_node)
        yield from _scripts.unparsed(source, tree.root_node)
    module = Module(source.path, own, _folder.folder_of(source.path))
    for block in own.blocks:
        if block.type == "resource":
            yield from _resources.launches(source, module, block)
        elif block.type == "module":
            yield from _calls.launches(source, module, block)
        elif block.type == "data":
            yield from _http_data.requests(source, module, block)
    yield from _scripts.read(source, module, tree)
