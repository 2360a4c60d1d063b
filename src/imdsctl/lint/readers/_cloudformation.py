"""CloudFormation, SAM and what CDK makes of an app, in YAML and in JSON.

Intrinsic functions are followed as far as the template tells: parameters by their defaults,
conditions over them, `Fn::If` by its condition or by both branches, `Fn::FindInMap` by literal keys
("Intrinsic function reference", CloudFormation User Guide).
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from imdsctl.lint.facts import Edit, Fact, Known, Launch, Place, Setting
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.readers import _edits, _launch, _tree
from imdsctl.lint.readers._hcl import UNKNOWN, Unknown, either
from imdsctl.lint.readers._launch import Options
from imdsctl.lint.readers._tree import Lines, Node
from imdsctl.lint.source import Source

_DEEPEST: Final = 40
_SHORT: Final = frozenset({
    "Ref", "Sub", "GetAtt", "If", "Join", "FindInMap", "Base64", "Equals", "And", "Or", "Not",
    "Condition", "Select", "Split", "ImportValue", "Transform", "GetAZs", "Cidr", "ToJsonString",
    "Length", "ForEach",
})  # fmt: skip
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


def intrinsic(node: Node) -> tuple[str, Node] | None:
    """A function's short name and its argument; None for any other value."""
    if node.tag.startswith("!") and node.tag[1:] in _SHORT:
        return node.tag[1:], node
    if node.kind == "map" and len(node.pairs) == 1:
        key = node.pairs[0][0].text
        if key in ("Ref", "Condition"):
            return key, node.pairs[0][1]
        if key.startswith("Fn::"):
            return key[4:], node.pairs[0][1]
    return None


class Template:
    """A template's parameters, conditions and maps; `defaulted` is raised by a default taken."""

    def __init__(self, root: Node) -> None:
        self.root = root
        self.defaulted = False
        self._container_templates: set[str] | None = None

    def resources(self) -> Iterator[tuple[Node, Node]]:
        """The resources, by the nodes of their names."""
        found = self.root.get("Resources")
        for key, value in found.pairs if found is not None else ():
            if value.kind == "map":
                yield key, value
            elif key.text.startswith("Fn::ForEach::") and len(value.items) == 3:  # noqa: PLR2004
                # A loop: its name, its values, and the resources once for each of them.
                yield from (pair for pair in value.items[2].pairs if pair[1].kind == "map")

    def value(self, node: Node, depth: int = 0) -> Any:
        """A value, as far as the template tells; None for AWS::NoValue."""
        if depth > _DEEPEST:
            return UNKNOWN
        if found := intrinsic(node):
            return self._function(*found, depth + 1)
        if node.kind == "scalar":
            return node.plain
        if node.kind == "list":
            return [self.value(one, depth + 1) for one in node.items]
        return {key.text: self.value(one, depth + 1) for key, one in node.pairs}

    def branches(self, node: Node | None, depth: int = 0) -> list[Node | None]:
        """The nodes that a value may be, by the conditions in front of it."""
        if node is None or depth > _DEEPEST:
            return [None]
        found = intrinsic(node)
        if found is None:
            return [node]
        name, argument = found
        if name == "If" and len(argument.items) == 3:  # noqa: PLR2004 - condition, two branches
            condition = self.condition(argument.items[0].text)
            chosen = (
                argument.items[1:] if condition is None else [argument.items[1 if condition else 2]]
            )
            return [one for branch in chosen for one in self.branches(branch, depth + 1)]
        if name == "Ref" and argument.text == "AWS::NoValue":
            return [None]
        return [node]

    def _function(self, name: str, argument: Node, depth: int) -> Any:
        if name == "Ref":
            return self._reference(argument.text)
        if name == "If" and len(argument.items) == 3:  # noqa: PLR2004 - condition, two branches
            condition = self.condition(argument.items[0].text)
            both = [self.value(one, depth) for one in argument.items[1:]]
            return either(*both) if condition is None else both[0 if condition else 1]
        if name == "Sub" and argument.kind == "scalar":
            return self.substituted(argument.text, strict=True)
        if name == "FindInMap":
            return self._mapped([self.value(one, depth) for one in argument.items])
        if name == "Base64":
            return self.value(argument, depth) if argument.tag in ("", "!Sub", "!Join") else UNKNOWN
        if name == "Join" and len(argument.items) == 2:  # noqa: PLR2004 - delimiter and values
            parts = [self.value(one, depth) for one in argument.items[1].items]
            known = all(isinstance(one, str | int) for one in parts)
            return argument.items[0].text.join(str(one) for one in parts) if known else UNKNOWN
        return UNKNOWN

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return None
        parameter = self.root.at("Parameters", name)
        if parameter is None:
            return Unknown(name)
        self.defaulted = True
        default = parameter.get("Default")
        return default.plain if default is not None else Unknown(name)

    def _mapped(self, keys: list[Any]) -> Any:
        if len(keys) < 3:  # noqa: PLR2004 - a map's name and two keys
            return UNKNOWN
        here = self.root.at("Mappings", str(keys[0]))
        for key in keys[1:3]:
            if here is None:
                return UNKNOWN
            if not isinstance(key, str | int) or here.get(str(key)) is None:
                found = [self.value(one) for one in _leaves(here)] if key is keys[1] else []
                return either(*found) if 0 < len(set(map(str, found))) <= 2 else UNKNOWN  # noqa: PLR2004
            here = here.get(str(key))
        return self.value(here) if here is not None else UNKNOWN

    def substituted(self, text: str, *, strict: bool = False) -> Any:
        """A text of Fn::Sub; what is not known is a word, or makes all unknown if `strict`."""
        unknown = False

        def one(found: re.Match[str]) -> str:
            nonlocal unknown
            name = found[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            value = self._reference(name)
            if isinstance(value, str | int) and not isinstance(value, bool):
                return str(value).replace("\n", " ")
            unknown = True
            return re.sub(r"\W", "_", name)

        done = re.sub(r"\$\{([^{}\n]{1,300})\}", one, text)
        return UNKNOWN if strict and unknown else done

    def condition(self, name: str, depth: int = 0) -> bool | None:
        """Whether a condition holds by the parameters' defaults.

        A condition over parameters may come out otherwise for whoever gives others: None.
        """
        node = self.root.at("Conditions", name)
        return self._holds(node, depth + 1) if node is not None else None

    def _holds(self, node: Node, depth: int) -> bool | None:
        found = intrinsic(node)
        if found is None or depth > _DEEPEST:
            return None
        name, argument = found
        if name == "Condition":
            return self.condition(argument.text, depth + 1)
        if name == "Equals" and len(argument.items) == 2:  # noqa: PLR2004 - two sides
            before, self.defaulted = self.defaulted, False
            one, other = (self.value(side, depth) for side in argument.items)
            free, self.defaulted = self.defaulted, before
            known = isinstance(one, str | int) and isinstance(other, str | int)
            return str(one) == str(other) if known and not free else None
        parts = [self._holds(one, depth + 1) for one in argument.items]
        if name == "Not" and parts:
            return None if parts[0] is None else not parts[0]
        if name in ("And", "Or") and parts:
            decisive = name == "Or"
            if decisive in parts:
                return decisive
            return None if None in parts else not decisive
        return None

    def texts(self, node: Node | None, source: Source, depth: int = 0) -> Iterator[Lines]:
        """A text with its lines, once for each branch of a condition."""
        if node is None or depth > _DEEPEST:
            return
        found = intrinsic(node)
        if found is None:
            if node.kind == "scalar":
                yield _tree.lines_of(source, node)
            return
        name, argument = found
        if name == "Base64" and argument is not node:
            yield from self.texts(argument, source, depth + 1)
        elif name == "Base64":
            yield _tree.lines_of(source, node)
        elif name == "Sub":
            text = argument.items[0] if argument.kind == "list" and argument.items else argument
            lines = _tree.lines_of(source, text)
            yield Lines(str(self.substituted(lines.text)), lines.lines, lines.indent)
        elif name == "Join" and len(argument.items) == 2:  # noqa: PLR2004 - delimiter and values
            yield self._joined(argument, source, depth)
        elif name == "If":
            for branch in argument.items[1:]:
                yield from self.texts(branch, source, depth + 1)

    def _joined(self, argument: Node, source: Source, depth: int) -> Lines:
        sign = argument.items[0].text
        done = Lines("", (source.row(argument.start),))
        for index, one in enumerate(argument.items[1].items):
            row = source.row(one.start)
            if index and sign:
                done += Lines(sign, (row,) * (sign.count("\n") + 1))
            part = next(self.texts(one, source, depth + 1), None)
            if part is None:
                inner = intrinsic(one)
                value = self.value(one)
                known = isinstance(value, str | int) and not isinstance(value, bool)
                word = re.sub(r"\W", "_", inner[1].text) if inner else "x"
                part = Lines(str(value).replace("\n", " ") if known else word or "x", (row,))
            done += part
        return done

    def names(self, node: Node | None) -> set[str]:
        """The resources that a value refers to."""
        if node is None:
            return set()
        found: set[str] = set()
        for one in _tree.walk(node):
            call = intrinsic(one)
            if call and call[0] in ("Ref", "GetAtt"):
                argument = call[1]
                text = argument.items[0].text if argument.items else argument.text
                found.add(text.split(".", 1)[0])
            elif call and call[0] == "Sub":
                found.update(re.findall(r"\$\{(\w+)", call[1].text))
        return found

    def container_templates(self) -> set[str]:
        """Launch templates that node groups, capacity providers and compute environments name."""
        if self._container_templates is None:
            found, groups = set[str](), set[str]()
            for _, resource in self.resources():
                kind = resource.string("Type")
                if kind in ("AWS::EKS::Nodegroup", "AWS::Batch::ComputeEnvironment"):
                    found |= self.names(resource)
                elif kind == "AWS::ECS::CapacityProvider":
                    groups |= self.names(resource)
            for name, resource in self.resources():
                if name.text in groups:
                    found |= self.names(resource)
            self._container_templates = found
        return self._container_templates


def _leaves(node: Node) -> Iterator[Node]:
    for one in _tree.walk(node):
        if one.kind == "scalar":
            yield one


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
    return resource.launch(
        options=found.values, members=found.members, assumed=frozenset(found.assumed),
        options_place=_place(source, holder, property_),
        complete=found.complete, containers=containers, user_data=has_data, template=named,
        inherited=_launch.image_inherits(words), edits=() if named else tokens, hop_edits=hop,
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
    if holder.get(property_) is None:
        return _edits.first_in(source, holder, (property_, "HttpTokens"), "required"), ()
    if node is None:
        return (), ()
    hop: tuple[Edit, ...] = ()
    if wants:
        limit = node.get("HttpPutResponseHopLimit")
        hop = (
            _edits.in_place(source, limit, 2)
            if limit is not None and limit.kind == "scalar"
            else _edits.first_in(source, node, ("HttpPutResponseHopLimit",), 2)
        )
    tokens = node.get("HttpTokens")
    edits: tuple[Edit, ...] = ()
    if tokens is None:
        edits = _edits.first_in(source, node, ("HttpTokens",), "required")
    elif tokens.kind == "scalar" and tokens.text == "optional":
        edits = _edits.in_place(source, tokens, "required")
    if edits and hop and edits[0].start == hop[0].start:
        return edits, hop
    return (tuple(sorted((*edits, *hop), key=lambda one: one.start)) if edits else ()), hop


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
                            ("InstanceMetadataServiceConfiguration", name), "2")  # fmt: skip
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
