"""YAML and JSON: which of the formats that come in them a file is, and its facts by that.

A file in which no word of any of them stands is not parsed at all.
"""

import re
from collections.abc import Iterator
from typing import Final

from imdsctl.lint.facts import Fact, Unparsed
from imdsctl.lint.readers import _ansible, _cloudformation, _kubernetes, _packer, _pipelines, _tree
from imdsctl.lint.readers._cfn_template import Template
from imdsctl.lint.readers._tree import Node
from imdsctl.lint.source import Source

KINDS = ("yaml", "json")

_WORDS: Final = re.compile(
    r"""AWS::|169\.254\.|fd00:ec2|metadata_?options|instance_?metadata|karpenter|eksctl|EC2_METADATA
    |disable(?:IMDSv1|PodIMDS)|ec2[-_.:]|amazon\.aws|community\.aws|amazon-ebs|user_?data|runCommand
    |kops\.k8s|AWSMachine""",
    re.VERBOSE | re.IGNORECASE,
)
_OURS: Final = re.compile(
    r"AWS::|169\.254\.169\.254|fd00:ec2|metadata_?options|EC2_METADATA", re.IGNORECASE
)
_JINJA: Final = re.compile(r"\{%.*?%\}|\{\{-?\s*(?:if|range|with|end|include|define)\b[^\n]*?\}\}")


def read(source: Source) -> Iterator[Fact | Source]:
    """The facts of each document of the text."""
    if not _WORDS.search(source.text):
        return
    try:
        if source.kind == "json" or source.text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
            documents = iter([_tree.json_document(source.text)])
            for root in documents:
                yield from _facts(source, root)
            return
    except _tree.UnreadableError as error:
        if source.kind == "json":
            yield from _unreadable(source, error)
            return
    try:
        for root in _tree.yaml_documents(source.text):
            yield from _facts(source, root)
    except _tree.UnreadableError as error:
        yield from _unreadable(source, error)


def _unreadable(source: Source, error: _tree.UnreadableError) -> Iterator[Fact]:
    """What cannot be read is said where it could have been about the metadata service."""
    if not _OURS.search(source.text):
        return
    at = min(error.at, max(len(source.text) - 1, 0))
    why = error.why
    if _JINJA.search(source.text):
        why = "it is a template that only a rendering makes YAML: lint what is rendered"
    yield Unparsed(place=source.place(at, at + 1), why=why)


def _facts(source: Source, root: Node) -> Iterator[Fact | Source]:
    if root.kind == "list":
        yield from _ansible.read(source, root)
    elif root.kind != "map":
        return
    elif _cloudformation.is_template(root):
        yield from _cloudformation.read(source, root)
    elif root.get("apiVersion") is not None and root.get("kind") is not None:
        yield from _kubernetes.read(source, root)
    elif root.get("builders") is not None:
        yield from _packer.read_json(source, root)
    elif root.get("schemaVersion") is not None:
        yield from _cloudformation.ssm_document(source, root, "", Template(root))
    elif root.get("option_settings") is not None:
        yield from _pipelines.read_ebextensions(source, root)
    else:
        yield from _pipelines.read(source, root)
