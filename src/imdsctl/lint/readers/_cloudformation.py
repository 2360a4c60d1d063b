"""CloudFormation, SAM and what CDK makes of an app, in YAML and in JSON."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from imdsctl.lint.facts import Edit, Fact, Known, Launch, Place, Setting
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.readers import _edits, _launch, _tree
from imdsctl.lint.readers._cfn_template import Template, intrinsic
from imdsctl.lint.readers._launch import Options
from imdsctl.lint.readers._tree import Lines, Node
from imdsctl.lint.readers._unknown import Unknown, either
from imdsctl.lint.source import Source

_TYPE: Final = re.compile(r"(?:AWS|Alexa|Custom)::")


def is_template(root: Node) -> bool:
    """Whether a document is a template."""
    if root.get("AWSTemplateFormatVersion") is not None:
        return True
    resources = root.get("Resources")
    return resources is not None and any(
        _TYPE.match(value.string("Type")) for _, value in Template(root).resources()
    )


def read(source: Source, root: Node) -> Iterator[Fact | Source]:
    """The launches, settings and scripts of a template."""
    template = Template(root)
    for name, resource in template.resources():
        if handler := _HANDLERS.get(resource.string("Type")):
            properties = resource.get("Properties") or Node("map", resource.start, resource.end)
            yield from handler(_Resource(source, template, name.text, resource, properties, name))
        yield from _init(source, template, name.text, resource)


class _Resource:
    """One resource as its handler wants it."""

    def __init__(self, source: Source, template: Template, name: str, node: Node, properties: Node,
                 key: Node) -> None:  # fmt: skip
        self.source, self.template, self.name, self.node = source, template, name, node
        self.properties, self.key = properties, key
        self.kind = node.string("Type")

    def launch(self, **given: Any) -> Launch:
        """A fact about it."""
        return Launch(place=self.source.place(self.key.start, self.key.end), what=self.kind,
                      name=self.name, **given)  # fmt: skip

    def options(self, holder: Node, name: str) -> tuple[Options, Node | None]:
        """The options of a property, and the map that says them where it is one and no function."""
        found = Options()
        template = self.template
        node = holder.get(name)
        maps = template.branches(node)
        written = [
            one for one in maps if one is not None and one.kind == "map" and not intrinsic(one)
        ]
        if any(one is not None and one not in written for one in maps):
            found.complete = False
        if holder.get("Fn::Transform") is not None or holder.get("Fn::ForEach") is not None:
            found.complete = False
        names = {key.text for one in written for key, _ in one.pairs}
        for key in sorted(names):
            if member := _launch.member(key):
                values, place, defaulted = [], None, False
                for one in maps:
                    value = one.get(key) if one is not None else None
                    template.defaulted = False
                    values.append(template.value(value) if value is not None else None)
                    defaulted = defaulted or template.defaulted
                    if value is not None and place is None:
                        place = _tree.place(self.source, value)
                found.put(member, either(*values), place, assumed=defaulted or len(maps) > 1)
        return found, (node if len(maps) == 1 and written else None)


def _plain(property_: str, *path: str) -> Callable[[_Resource], Iterator[Fact | Source]]:
    """A resource whose property, below a path, is a map of metadata options."""

    def read(resource: _Resource) -> Iterator[Fact | Source]:
        holder = resource.properties.at(*path) if path else resource.properties
        if holder is None or holder.kind != "map" or intrinsic(holder):
            if holder is not None or not path:
                yield resource.launch(complete=False)
            return
        yield _launched(resource, holder, property_)
        yield from _user_data(resource, holder)

    return read


def _launched(resource: _Resource, holder: Node, property_: str) -> Launch:
    template, source = resource.template, resource.source
    found, node = resource.options(holder, property_)
    user_data = holder.get("UserData")
    words = _words(resource, holder)
    containers: Known = _launch.containers_in(words)
    if resource.name in template.container_templates():
        containers = "yes"
    has_data: Known = "no" if user_data is None else "yes"
    if user_data is not None and None in template.branches(user_data):
        has_data = "unknown"
    named = ""
    if holder.get("LaunchTemplate") is not None:
        named = next(iter(sorted(template.names(holder.get("LaunchTemplate")))), "another's")
    tokens, hop = _mended(source, holder, property_, node, found, containers)
    everything = "\n".join(one.text for one in _tree.walk(resource.node) if one.kind == "scalar")
    if named or _launch.calls_v1(everything):
        tokens = hop = ()
    return resource.launch(
        options=found.values, members=found.members, assumed=frozenset(found.assumed),
        options_place=_place(source, holder, property_),
        complete=found.complete, containers=containers, user_data=has_data, template=named,
        inherited=_launch.image_inherits(words), edits=tokens, hop_edits=hop,
    )  # fmt: skip


def _place(source: Source, holder: Node, name: str) -> Place | None:
    key = next((key for key, _ in holder.pairs if key.text == name), None)
    return _tree.place(source, key) if key is not None else None


def _mended(source: Source, holder: Node, property_: str, node: Node | None, found: Options,
            containers: Known) -> tuple[tuple[Edit, ...], tuple[Edit, ...]]:  # fmt: skip
    """The edits that make it V2 only, and those of the hop limit alone."""
    values = found.values
    if values.get("http_endpoint") == "disabled" or not found.complete:
        return (), ()
    wants = containers == "yes" and values.get("http_put_response_hop_limit", 1) == 1
    members: dict[str, str | int] = {"HttpTokens": "required"}
    if wants:
        members["HttpPutResponseHopLimit"] = 2
    if holder.get(property_) is None:
        return _edits.first_in(source, holder, (property_,), members), ()
    if node is None:
        return (), ()
    there = {name: value for name in members if (value := node.get(name)) is not None}
    new = {name: value for name, value in members.items() if name not in there}
    hop: tuple[Edit, ...] = ()
    if wants:
        limit = there.get("HttpPutResponseHopLimit")
        hop = (
            _edits.in_place(source, limit, 2)
            if limit is not None
            else _edits.first_in(source, node, (), {"HttpPutResponseHopLimit": 2})
        )
    tokens = there.get("HttpTokens")
    if tokens is None:
        edits = _edits.first_in(source, node, (), new)
        return (*edits, *(hop if "HttpPutResponseHopLimit" in there else ())), hop
    if tokens.kind == "scalar" and tokens.text == "optional":
        edits = (*_edits.in_place(source, tokens, "required"), *hop)
        return tuple(sorted(edits, key=lambda one: one.start)), hop
    return (), hop


def _words(resource: _Resource, holder: Node) -> str:
    """The words that tell what an instance is for."""
    found = []
    for name in ("UserData", "ImageId"):
        node = holder.get(name)
        for one in _tree.walk(node) if node is not None else ():
            if one.kind == "scalar":
                found.append(one.text)
                parameter = resource.template.root.at("Parameters", one.text, "Default")
                found.append(parameter.text if parameter is not None else "")
    return "\n".join(found)


def _user_data(resource: _Resource, holder: Node) -> Iterator[Source]:
    source = resource.source
    for lines in resource.template.texts(holder.get("UserData"), source):
        yield from _launch.user_data(lines.as_source(source), f"UserData of {resource.name}")


def _init(source: Source, template: Template, name: str, resource: Node) -> Iterator[Source]:
    """The commands and files of AWS::CloudFormation::Init."""
    metadata = resource.at("Metadata", "AWS::CloudFormation::Init")
    for _, config in metadata.pairs if metadata is not None else ():
        commands = config.get("commands")
        for key, command in commands.pairs if commands is not None else ():
            for lines in template.texts(command.get("command"), source):
                yield lines.as_source(source, "shell", f"command {key.text} of {name}")
        files = config.get("files")
        for key, file in files.pairs if files is not None else ():
            for lines in template.texts(file.get("content"), source):
                if kind := kind_of(key.text, lines.text):
                    yield lines.as_source(source, kind, f"file {key.text} of {name}")


def _notebook(resource: _Resource) -> Iterator[Fact | Source]:
    source, found = resource.source, Options()
    name = "MinimumInstanceMetadataServiceVersion"
    node = resource.properties.at("InstanceMetadataServiceConfiguration", name)
    edits = _edits.first_in(source, resource.properties,
                            ("InstanceMetadataServiceConfiguration",), {name: "2"})  # fmt: skip
    if node is not None:
        resource.template.defaulted = False
        value = resource.template.value(node)
        tokens = {"1": "optional", "2": "required"}.get(str(value))
        found.put("http_tokens", tokens or Unknown(), _tree.place(source, node),
                  assumed=resource.template.defaulted)  # fmt: skip
        edits = _edits.in_place(source, node, "2") if node.kind == "scalar" else ()
    yield resource.launch(options=found.values, members=found.members, edits=edits,
                          assumed=frozenset(found.assumed))  # fmt: skip


def _beanstalk(resource: _Resource) -> Iterator[Fact | Source]:
    source, template, found = resource.source, resource.template, Options()
    edits: tuple[Edit, ...] = ()
    settings = resource.properties.get("OptionSettings")
    for one in settings.items if settings is not None else ():
        value = one.get("Value")
        if one.string("OptionName") != "DisableIMDSv1" or value is None:
            continue
        template.defaulted = False
        text = str(template.value(value)).lower()
        tokens = {"true": "required", "false": "optional"}.get(text)
        place = _tree.place(source, value)
        found.put("http_tokens", tokens or Unknown(), place, assumed=template.defaulted)
        yield Setting(place=place, name="DisableIMDSv1", value=text)
        edits = _edits.in_place(source, value, "true") if value.kind == "scalar" else ()
    stack = str(
        template.value(resource.properties.get("SolutionStackName") or Node("scalar", 0, 0))
    )
    inherited = ""
    if "Amazon Linux 2023" in stack:
        inherited = "Elastic Beanstalk disables IMDSv1 on platforms of Amazon Linux 2023"
    whole = not any(resource.properties.get(key) for key in ("TemplateName", "SourceConfiguration"))
    yield resource.launch(options=found.values, members=found.members, complete=whole, edits=edits,
                          assumed=frozenset(found.assumed), inherited=inherited)  # fmt: skip


def _fleet(*path: str) -> Callable[[_Resource], Iterator[Fact | Source]]:
    def read(resource: _Resource) -> Iterator[Fact | Source]:
        data = resource.properties.at(*path) if path else resource.properties
        specifications = data.get("LaunchSpecifications") if data is not None else None
        configs = data.get("LaunchTemplateConfigs") if data is not None else None
        if specifications is not None:
            yield resource.launch(has_options=False)
            for one in specifications.items:
                yield from _user_data(resource, one)
        elif configs is not None:
            yield resource.launch(has_options=False, template=_named(resource, configs))

    return read


def _named(resource: _Resource, node: Node | None) -> str:
    return (
        next(iter(sorted(resource.template.names(node))), "another's") if node is not None else ""
    )


def _node_group(resource: _Resource) -> Iterator[Fact | Source]:
    yield resource.launch(
        has_options=False, containers="yes",
        template=_named(resource, resource.properties.get("LaunchTemplate")),
        inherited="EKS makes a launch template of its own, on recent images with tokens required "
        "and a hop limit of 2",
    )  # fmt: skip


def _batch(resource: _Resource) -> Iterator[Fact | Source]:
    compute = resource.properties.get("ComputeResources")
    if compute is not None and compute.string("Type").upper() in ("EC2", "SPOT"):
        template = _named(resource, compute.get("LaunchTemplate"))
        yield resource.launch(has_options=False, containers="yes", template=template)


def _group(resource: _Resource) -> Iterator[Fact | Source]:
    for name in ("LaunchTemplate", "MixedInstancesPolicy", "LaunchConfigurationName"):
        if (node := resource.properties.get(name)) is not None:
            yield resource.launch(has_options=False, template=_named(resource, node))
            return


def _document(resource: _Resource) -> Iterator[Fact | Source]:
    """The scripts of an SSM document."""
    content = resource.properties.get("Content")
    if content is not None:
        yield from ssm_document(resource.source, content, resource.name, resource.template)


def ssm_document(source: Source, root: Node, name: str, template: Template) -> Iterator[Source]:
    """The scripts of the steps of an SSM document (aws:runShellScript, aws:runPowerShellScript)."""
    for step in _tree.walk(root):
        lines = step.at("inputs", "runCommand") or step.at("properties", "runCommand")
        if lines is None or step.kind != "map":
            continue
        kind = "powershell" if "PowerShell" in step.string("action") else "shell"
        inside = f"runCommand of {name}" if name else "runCommand"
        done = Lines("", (source.row(lines.start),))
        for one in lines.items:
            for text in template.texts(one, source):
                done += text
                if not done.text.endswith("\n"):
                    done += Lines("\n", (source.row(one.start),) * 2)
        if done.text:
            yield done.as_source(source, kind, inside)


_HANDLERS: Final[dict[str, Callable[[_Resource], Iterator[Fact | Source]]]] = {
    "AWS::EC2::Instance": _plain("MetadataOptions"),
    "AWS::EC2::LaunchTemplate": _plain("MetadataOptions", "LaunchTemplateData"),
    "AWS::AutoScaling::LaunchConfiguration": _plain("MetadataOptions"),
    "AWS::ImageBuilder::InfrastructureConfiguration": _plain("InstanceMetadataOptions"),
    "AWS::SageMaker::NotebookInstance": _notebook,
    "AWS::ElasticBeanstalk::Environment": _beanstalk,
    "AWS::ElasticBeanstalk::ConfigurationTemplate": _beanstalk,
    "AWS::EC2::SpotFleet": _fleet("SpotFleetRequestConfigData"),
    "AWS::EC2::EC2Fleet": _fleet(),
    "AWS::EKS::Nodegroup": _node_group,
    "AWS::Batch::ComputeEnvironment": _batch,
    "AWS::AutoScaling::AutoScalingGroup": _group,
    "AWS::SSM::Document": _document,
}
