"""The AWS provider's resources that launch instances, or set how they are launched."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from imdsctl.lint.facts import Edit, Fact, Known, Launch, Place, Setting
from imdsctl.lint.readers import _edits, _launch, _tree
from imdsctl.lint.readers._hcl import Attribute, Block
from imdsctl.lint.readers._launch import Options
from imdsctl.lint.readers._module import Module, raw
from imdsctl.lint.readers._unknown import Either, Unknown
from imdsctl.lint.source import Source

_HOLDERS: Final = {
    "aws_instance": "metadata_options",
    "aws_spot_instance_request": "metadata_options",
    "aws_launch_template": "metadata_options",
    "aws_launch_configuration": "metadata_options",
    "aws_imagebuilder_infrastructure_configuration": "instance_metadata_options",
}
"""Resources with a block of metadata options, and what it is called."""

_NAMES_TEMPLATE: Final = ("launch_template", "launch_template_config", "launch_configuration",
                          "mixed_instances_policy")  # fmt: skip
USER_DATA: Final = ("user_data", "user_data_base64")


def launches(source: Source, module: Module, block: Block) -> Iterator[Fact]:
    """The facts that one resource gives."""
    if len(block.labels) != 2:  # noqa: PLR2004 - type and name
        return
    kind = block.labels[0]
    if kind in _HOLDERS:
        yield _with_options(source, module, block, _HOLDERS[kind])
    elif handler := _OTHERS.get(kind):
        yield from handler(source, module, block)


def place_of(source: Source, block: Block) -> Place:
    """A block's first line."""
    if block.json is not None:
        return source.place(block.start, block.start + 1)
    end = max(block.brace - 1, block.start + 1)
    return source.place_of_bytes(block.start, end)


def place_of_attribute(source: Source, attribute: Attribute) -> Place:
    """Where an attribute stands."""
    if isinstance(attribute.value, _tree.Node):
        return source.place(attribute.start, attribute.end)
    return source.place_of_bytes(attribute.start, attribute.end)


def sure(
    module: Module, attribute: Attribute, names: dict[str, Any] | None = None
) -> tuple[Any, bool]:
    """An attribute's value, and whether a caller may change it."""
    module.defaulted = False
    values = module.values.bound(names) if names else module.values
    value = values.of(attribute.value)
    return value, module.defaulted


def options(
    source: Source, module: Module, block: Block, name: str
) -> tuple[Options, Block | None]:
    """The options of a resource, and the block that says them, if it is one and no dynamic."""
    found = Options()
    holder: Block | None = None
    for one in block.nested(name):
        holder = one
        _take(found, source, module, one, None)
    for dynamic in block.nested("dynamic"):
        if dynamic.labels == (name,):
            _take_dynamic(found, source, module, dynamic, name)
    return found, holder


def _take(found: Options, source: Source, module: Module, block: Block,
          names: dict[str, Any] | None, *, assumed: bool = False) -> None:  # fmt: skip
    for key, attribute in block.attributes.items():
        if known := _launch.member(key):
            value, defaulted = sure(module, attribute, names)
            place = place_of_attribute(source, attribute)
            found.put(known, value, place, assumed=assumed or defaulted)


def _take_dynamic(
    found: Options, source: Source, module: Module, dynamic: Block, name: str
) -> None:
    """A dynamic block: once for each value, of which the first counts."""
    each = dynamic.attributes.get("for_each")
    value, defaulted = sure(module, each) if each else (Unknown(), False)
    iterator = dynamic.attributes.get("iterator")
    bound = name
    if iterator is not None:
        said = module.values.of(iterator.value)
        bound = said.name if isinstance(said, Unknown) else str(said)
    perhaps = isinstance(value, Unknown | Either) or defaulted
    choices = value.values if isinstance(value, Either) else (value,)
    used = next((one for one in choices if one not in (None, [], {})), None)
    if used is None:
        return
    item: Any = Unknown()
    if isinstance(used, list):
        item = used[0]
    elif isinstance(used, dict):
        item = next(iter(used.values()))
    if len(choices) > 1:
        perhaps = True
    for content in dynamic.nested("content"):
        _take(found, source, module, content, {bound: {"value": item, "key": 0}}, assumed=perhaps)
        if perhaps and isinstance(value, Unknown):
            found.complete = False


def _with_options(source: Source, module: Module, block: Block, name: str) -> Launch:
    """A resource with a block of metadata options."""
    kind, label = block.labels
    found, holder = options(source, module, block, name)
    evidence = _evidence(module, block)
    template = _template(module, block)
    address = f"{kind}.{label}"
    containers = _launch.containers_in(evidence)
    if address in module.container_templates:
        containers = "yes"
    launch = Launch(
        place=place_of(source, block),
        what=kind,
        name=address,
        options=found.values,
        options_place=place_of(source, holder)
        if holder
        else next(iter(found.members.values()), None),
        complete=found.complete,
        containers=containers,
        user_data=_user_data(module, block),
        members=found.members,
        assumed=frozenset(found.assumed),
        inherited=_inherited(module, block, evidence),
        template=template,
    )
    if _launch.calls_v1("\n".join((evidence, _written(source, block)))):
        return launch
    return mended(source, block, holder, name, launch)


def _written(source: Source, block: Block) -> str:
    """A resource as it is written, its provisioners among it."""
    if block.json is not None:
        return source.text[block.start : block.end]
    return source.data[block.start : block.end].decode("utf-8", "replace")


def mended(source: Source, block: Block, holder: Block | None, name: str, launch: Launch) -> Launch:
    """The launch with the edits that its text allows."""
    dynamic = any(one.labels == (name,) for one in block.nested("dynamic"))
    if dynamic or len(list(block.nested(name))) > 1:
        return launch
    tokens: tuple[Edit, ...] = ()
    hop: tuple[Edit, ...] = ()
    values = launch.options
    wants_hop = launch.containers == "yes" and values.get("http_put_response_hop_limit", 1) == 1
    disabled = values.get("http_endpoint") == "disabled"
    if disabled or launch.template:
        return launch
    if holder is None:
        members: dict[str, str | int] = {"http_tokens": "required"}
        if wants_hop:
            members = {"http_put_response_hop_limit": 2, **members}
        tokens = _new(source, block, name, members)
        return replace(launch, edits=tokens)
    if values.get("http_tokens", "optional") == "optional":
        tokens = _member(source, holder, "http_tokens", "required")
    if wants_hop:
        hop = _member(source, holder, "http_put_response_hop_limit", 2)
    if tokens and hop and tokens[0].start == hop[0].start:
        # Both are new at the same spot: one edit.
        tokens = (
            (replace(tokens[0], text=tokens[0].text + hop[0].text),) if holder.attributes else ()
        )
    elif tokens:
        tokens = tuple(sorted((*tokens, *hop), key=lambda edit: edit.start))
    return replace(launch, edits=tokens, hop_edits=hop)


def _new(
    source: Source, block: Block, name: str, members: dict[str, str | int]
) -> tuple[Edit, ...]:
    if block.json is None:
        return _edits.hcl_block(source, block, name, members)
    return _edits.first_in(source, block.json, (name,), members)


def _member(source: Source, holder: Block, name: str, value: str | int) -> tuple[Edit, ...]:
    attribute = holder.attributes.get(name)
    if holder.json is not None:
        if attribute is None:
            return _edits.first_in(source, holder.json, (), {name: value})
        assert isinstance(attribute.value, _tree.Node)
        if "${" in attribute.value.text:
            return ()
        return _edits.in_place(source, attribute.value, value)
    if attribute is None:
        return _edits.hcl_attribute(source, holder, name, value)
    assert not isinstance(attribute.value, _tree.Node)
    return _edits.hcl_value(source, attribute.value.start_byte, attribute.value.end_byte, value)


def _user_data(module: Module, block: Block) -> Known:
    for name in USER_DATA:
        if attribute := block.attributes.get(name):
            value = module.values.of(attribute.value)
            if value is None or value == "":
                continue
            # Another resource's attribute is some; a variable may be null.
            doubt = isinstance(value, Unknown) and value.name.startswith("var.")
            return "unknown" if doubt or isinstance(value, Either) else "yes"
    return "no"


_REFERENCE: Final = re.compile(
    r"\b(?:(data)\.)?(aws_\w+|template_\w+|cloudinit_config|local)\.(\w+)"
)


def _evidence(module: Module, block: Block) -> str:
    """The words that tell what an instance is for: its user data, its image, what they refer to."""
    words: list[str] = []
    for name in (*USER_DATA, "ami", "image_id"):
        attribute = block.attributes.get(name)
        if attribute is None:
            continue
        before = len(module.reads)
        value = module.values.of(attribute.value)
        text = raw(attribute)
        words += [text, value if isinstance(value, str) else ""]
        words += [read.text for read in module.reads[before:]]
        words += list(_referred(module, text))
    return "\n".join(words)


def _referred(module: Module, text: str, depth: int = 0) -> Iterator[str]:
    """What the blocks say that an expression refers to."""
    for data, kind, name in set(_REFERENCE.findall(text)):
        found: Iterator[Block] | tuple[()] = ()
        if kind == "local":
            for block in module.blocks("locals"):
                if attribute := block.attributes.get(name):
                    yield raw(attribute)
        elif data:
            found = module.blocks("data", kind, name)
        for block in found:
            words = module.words(block)
            yield words
            if depth < 1:
                yield from _referred(module, words, depth + 1)


def _template(module: Module, block: Block) -> str:
    """The launch template or configuration that a resource names, empty where it names none."""
    for name in _NAMES_TEMPLATE:
        attribute = block.attributes.get(name)
        if attribute is not None and block.json is None:
            value = module.values.of(attribute.value)
            if value not in (None, ""):
                return _address(raw(attribute))
        for one in block.nested(name):
            words = module.words(one)
            return _address(words)
    for dynamic in block.nested("dynamic"):
        if dynamic.labels and dynamic.labels[0] in _NAMES_TEMPLATE:
            return _address(module.words(dynamic))
    return ""


def _address(words: str) -> str:
    found = re.search(r"\baws_launch_(?:template|configuration)\.\w+", words)
    return found[0] if found else "another file's"


def _inherited(module: Module, block: Block, evidence: str) -> str:
    """Why an instance without options of its own is V2 only, empty where nothing tells."""
    del block
    for one in module.blocks("resource", "aws_ec2_instance_metadata_defaults"):
        tokens = one.attributes.get("http_tokens")
        value = module.values.of(tokens.value) if tokens else None
        if value == "required":
            return f"the account default ({'.'.join(one.labels)}) requires tokens"
        if value == "optional":
            return ""
    return _launch.image_inherits(evidence)


def _defaults(source: Source, module: Module, block: Block) -> Iterator[Fact]:
    found = Options()
    _take(found, source, module, block, None)
    yield Launch(place=place_of(source, block), what=block.labels[0], name=".".join(block.labels),
                 options=found.values, members=found.members, assumed=frozenset(found.assumed),
                 makes="default")  # fmt: skip


def _image(source: Source, module: Module, block: Block) -> Iterator[Fact]:
    said = block.attributes.get("imds_support")
    values: dict[str, str | int | None] = {}
    members: dict[str, Place] = {}
    if said is not None:
        value = module.values.of(said.value)
        if value is not None:
            values["imds_support"] = value if isinstance(value, str) else None
            members["imds_support"] = place_of_attribute(source, said)
    yield Launch(place=place_of(source, block), what=block.labels[0], name=".".join(block.labels),
                 options=values, members=members, makes="image",
                 has_options=block.labels[0] == "aws_ami")  # fmt: skip


def _notebook(source: Source, module: Module, block: Block) -> Iterator[Fact]:
    found = Options()
    edits: tuple[Edit, ...] = ()
    holder: Block | None = None
    name = "minimum_instance_metadata_service_version"
    for one in block.nested("instance_metadata_service_configuration"):
        holder = one
        if said := one.attributes.get(name):
            value, defaulted = sure(module, said)
            tokens = {"1": "optional", "2": "required"}.get(str(value))
            found.put(
                "http_tokens", tokens or value, place_of_attribute(source, said), assumed=defaulted
            )
            edits = _member(source, one, name, "2")
    if holder is None and block.json is None:
        edits = _edits.hcl_block(
            source, block, "instance_metadata_service_configuration", {name: "2"}
        )
    yield Launch(place=place_of(source, block), what=block.labels[0], name=".".join(block.labels),
                 options=found.values, options_place=place_of(source, holder) if holder else None,
                 members=found.members, assumed=frozenset(found.assumed), edits=edits)  # fmt: skip


def _beanstalk(source: Source, module: Module, block: Block) -> Iterator[Fact]:
    found = Options()
    edits: tuple[Edit, ...] = ()
    for one in block.nested("setting"):
        name, value = (one.attributes.get(key) for key in ("name", "value"))
        if name is None or value is None or module.values.of(name.value) != "DisableIMDSv1":
            continue
        place = place_of_attribute(source, value)
        said, defaulted = sure(module, value)
        text = str(said).lower() if isinstance(said, str | bool) else ""
        tokens = {"true": "required", "false": "optional"}.get(text)
        found.put("http_tokens", tokens or Unknown(), place, assumed=defaulted)
        yield Setting(place=place, name="DisableIMDSv1", value=text)
        edits = _member(source, one, "value", "true")
    stack = block.attributes.get("solution_stack_name")
    stack_name = module.values.of(stack.value) if stack else ""
    inherited = ""
    if "Amazon Linux 2023" in str(stack_name):
        inherited = "Elastic Beanstalk disables IMDSv1 on platforms of Amazon Linux 2023"
    # A template of another resource, or a version that was saved, brings its own settings.
    whole = "template_name" not in block.attributes and not list(block.nested("dynamic"))
    yield Launch(place=place_of(source, block), what=block.labels[0], name=".".join(block.labels),
                 options=found.values, members=found.members, complete=whole, inherited=inherited,
                 assumed=frozenset(found.assumed), edits=edits)  # fmt: skip


def _group(source: Source, module: Module, block: Block) -> Iterator[Fact]:
    """A group, which has no options but those of what it names."""
    template = _template(module, block)
    if template:
        yield Launch(place=place_of(source, block), what=block.labels[0],
                     name=".".join(block.labels), has_options=False, template=template)  # fmt: skip


def _node_group(source: Source, module: Module, block: Block) -> Iterator[Fact]:
    yield Launch(place=place_of(source, block), what=block.labels[0], name=".".join(block.labels),
                 has_options=False, containers="yes", template=_template(module, block),
                 inherited="EKS makes a launch template of its own, on recent images with tokens "
                 "required and a hop limit of 2")  # fmt: skip


def _specified(key: str) -> Callable[[Source, Module, Block], Iterator[Fact]]:
    """A fleet, or its like: launch specifications cannot say metadata options, templates can."""

    def read(source: Source, module: Module, block: Block) -> Iterator[Fact]:
        found = list(block.nested(key))
        where = place_of(source, found[0]) if found else place_of(source, block)
        template = _template(module, block) or any(
            list(inner.nested("launch_template")) for inner in found
        )
        if found or template:
            yield Launch(place=where, what=block.labels[0], name=".".join(block.labels),
                         has_options=False, containers="unknown",
                         template=_address(module.words(block)) if template else "",
                         )  # fmt: skip

    return read


def _batch(source: Source, module: Module, block: Block) -> Iterator[Fact]:
    for one in block.nested("compute_resources"):
        kind = one.attributes.get("type")
        if kind and str(module.values.of(kind.value)).upper() in ("EC2", "SPOT"):
            yield Launch(place=place_of(source, block), what=block.labels[0], containers="yes",
                         name=".".join(block.labels), has_options=False,
                         template=_template(module, one))  # fmt: skip


Handler = Callable[[Source, Module, Block], Iterator[Fact]]
_OTHERS: Final[dict[str, Handler]] = {
    "aws_ec2_instance_metadata_defaults": _defaults,
    "aws_ami": _image,
    "aws_ami_from_instance": _image,
    "aws_ami_copy": _image,
    "aws_sagemaker_notebook_instance": _notebook,
    "aws_elastic_beanstalk_environment": _beanstalk,
    "aws_elastic_beanstalk_configuration_template": _beanstalk,
    "aws_autoscaling_group": _group,
    "aws_eks_node_group": _node_group,
    "aws_spot_fleet_request": _specified("launch_specification"),
    "aws_ec2_fleet": _specified("launch_specification"),
    "aws_batch_compute_environment": _batch,
}
