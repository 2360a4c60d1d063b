"""The builders of Packer's Amazon plugin, in HCL2 and in the older JSON.

A builder launches an instance (its `metadata_options`) and makes an image of it (`imds_support`),
"Amazon EBS", Packer's documentation of the plugin.
"""

from collections.abc import Iterator
from typing import Final

from imdsctl.lint.facts import Edit, Fact, Launch
from imdsctl.lint.readers import _edits, _launch, _resources, _tree
from imdsctl.lint.readers._hcl import Block
from imdsctl.lint.readers._launch import Options
from imdsctl.lint.readers._module import Module
from imdsctl.lint.readers._tree import Lines, Node
from imdsctl.lint.readers._unknown import Unknown
from imdsctl.lint.source import Source

BUILDERS: Final = frozenset({
    "amazon-ebs", "amazon-ebssurrogate", "amazon-ebsvolume", "amazon-instance", "amazon-chroot",
})  # fmt: skip
_NO_IMAGE: Final = frozenset({"amazon-ebsvolume"})
_NO_INSTANCE: Final = frozenset({"amazon-chroot"})


def builder(source: Source, module: Module, block: Block) -> Iterator[Fact]:
    """The instance that a source block launches, and the image that it makes."""
    kind = block.labels[0] if block.labels else ""
    if kind not in BUILDERS:
        return
    name = ".".join(block.labels)
    if kind not in _NO_INSTANCE:
        found, holder = _resources.options(source, module, block, "metadata_options")
        launch = Launch(
            place=_resources.place_of(source, block), what=kind, name=name, options=found.values,
            members=found.members, assumed=frozenset(found.assumed), complete=found.complete,
            options_place=_resources.place_of(source, holder) if holder else None,
            user_data="yes" if {"user_data", "user_data_file"} & block.attributes.keys() else "no",
        )  # fmt: skip
        # Provisioners run on the instance, and what they run is somewhere in the file.
        safe = not _launch.calls_v1(source.text)
        yield (
            _resources.mended(source, block, holder, "metadata_options", launch) if safe else launch
        )
    if kind not in _NO_IMAGE:
        yield _image(source, module, block, kind, name)


def _image(source: Source, module: Module, block: Block, kind: str, name: str) -> Launch:
    said = block.attributes.get("imds_support")
    options: dict[str, str | int | None] = {}
    members = {}
    if said is not None:
        value = module.values.of(said.value)
        if value not in (None, ""):
            options["imds_support"] = value if isinstance(value, str) else None
            members["imds_support"] = _resources.place_of_attribute(source, said)
    return Launch(place=_resources.place_of(source, block), what=kind, name=name, makes="image",
                  options=options, members=members)  # fmt: skip


def read_json(source: Source, root: Node) -> Iterator[Fact | Source]:
    """A template in JSON as Packer had it before 1.7."""
    builders = root.get("builders")
    for one in builders.items if builders is not None else ():
        if one.string("type") in BUILDERS:
            yield from _json_builder(source, root, one)
    provisioners = root.get("provisioners")
    for one in provisioners.items if provisioners is not None else ():
        kind = {"shell": "shell", "shell-local": "shell", "powershell": "powershell"}.get(
            one.string("type")
        )
        inline = one.get("inline")
        if kind is None or inline is None:
            continue
        done = Lines("", (source.row(inline.start),))
        for line in inline.items or (inline,):
            row = source.row(line.start)
            text = line.text + "\n"
            done += Lines(text, (row,) * (text.count("\n") + 1))
        yield done.as_source(source, kind, f"provisioner {one.string('type')}")


def _json_builder(source: Source, root: Node, node: Node) -> Iterator[Fact | Source]:
    kind = node.string("type")
    name = node.string("name") or kind
    place = _tree.place(source, node.get("type") or node)
    found, holder = Options(), node.get("metadata_options")
    edits: tuple[Edit, ...] = ()
    for key, value in holder.pairs if holder is not None else ():
        if member := _launch.member(key.text):
            place_of = _tree.place(source, value)
            found.put(member, _value(root, value), place_of, assumed="{{" in value.text)
            if member == "http_tokens" and value.text == "optional":
                edits = _edits.in_place(source, value, "required")
    if holder is None:
        edits = _edits.first_in(source, node, ("metadata_options",), {"http_tokens": "required"})
    if found.values.get("http_endpoint") == "disabled" or _launch.calls_v1(source.text):
        edits = ()
    if kind not in _NO_INSTANCE:
        yield Launch(place=place, what=kind, name=name, options=found.values, members=found.members,
                     assumed=frozenset(found.assumed), edits=edits,
                     user_data="yes" if node.get("user_data") else "no",
                     options_place=_tree.place(source, holder) if holder else None)  # fmt: skip
    said = node.get("imds_support")
    options: dict[str, str | int | None] = {"imds_support": said.text} if said is not None else {}
    if kind not in _NO_IMAGE:
        yield Launch(place=place, what=kind, name=name, makes="image", options=options,
                     members={"imds_support": _tree.place(source, said)} if said else {},
                     )  # fmt: skip
    data = node.get("user_data")
    if data is not None and data.kind == "scalar":
        carrier = _tree.lines_of(source, data).as_source(source)
        yield from _launch.user_data(carrier, f"user_data of {name}")


def _value(root: Node, node: Node) -> object:
    """A value, or that of the user variable that it names."""
    if "{{" not in node.text:
        return node.plain
    words = node.text.strip("{} ").split()
    if len(words) == 2 and words[0] == "user":  # noqa: PLR2004 - the function and its argument
        default = root.at("variables", words[1].strip("`'\""))
        if default is not None and default.text:
            return default.plain
    return Unknown()
