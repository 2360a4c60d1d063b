"""Kubernetes manifests: what launches nodes (Karpenter, eksctl, Cluster API, kOps), and the pods.

Defaults are those of each tool's own API documentation; where a version matters it is the
`apiVersion` that tells.
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from imdsctl.lint.facts import Edit, Fact, Launch, Setting
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.readers import _edits, _launch, _tree
from imdsctl.lint.readers._launch import Options
from imdsctl.lint.readers._tree import Lines, Node
from imdsctl.lint.source import Source

SETTINGS: Final = frozenset({
    "AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_V1_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_METADATA_SERVICE_TIMEOUT",
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "ECS_AWSVPC_BLOCK_IMDS", "HTTP_PROXY", "http_proxy",
})  # fmt: skip
"""Variables of the SDKs and the ECS agent that have to do with the metadata service."""
SHELLS: Final = {
    "sh": "shell", "bash": "shell", "ash": "shell", "dash": "shell", "zsh": "shell",
    "python": "python", "python3": "python", "pwsh": "powershell", "powershell": "powershell",
}  # fmt: skip
_CAPA: Final = {
    "AWSMachineTemplate": (("spec", "template", "spec"), "instanceMetadataOptions"),
    "AWSMachine": (("spec",), "instanceMetadataOptions"),
    "AWSMachinePool": (("spec", "awsLaunchTemplate"), "instanceMetadataOptions"),
    "AWSManagedMachinePool": (("spec", "awsLaunchTemplate"), "instanceMetadataOptions"),
}


def read(source: Source, root: Node) -> Iterator[Fact | Source]:
    """The facts of one manifest."""
    kind, group = root.string("kind"), root.string("apiVersion").partition("/")[0]
    if kind == "List":
        items = root.get("items")
        for one in items.items if items is not None else ():
            yield from read(source, one)
    elif kind in ("EC2NodeClass", "AWSNodeTemplate"):
        yield from _karpenter(source, root, ("spec",))
    elif kind == "Provisioner" and "karpenter" in group:
        yield from _karpenter(source, root, ("spec", "provider"))
    elif group == "eksctl.io":
        yield from _eksctl(source, root)
    elif kind == "InstanceGroup" and group == "kops.k8s.io":
        inherited = "kOps requires tokens by default for clusters of Kubernetes 1.27 and later"
        yield from _options(source, root, ("spec",), "instanceMetadata", inherited)
    elif kind in _CAPA:
        path, name = _CAPA[kind]
        yield from _options(source, root, path, name, "")
    elif kind in ("ConfigMap", "Secret"):
        yield from _config(source, root)
    else:
        yield from pods(source, root)
        yield from _commands(source, root)


def _name(root: Node) -> str:
    return f"{root.string('kind')} {root.string('metadata', 'name')}".strip()


def _options(source: Source, root: Node, path: tuple[str, ...], name: str, inherited: str
             ) -> Iterator[Fact | Source]:  # fmt: skip
    """A kind whose map of metadata options stands at the end of a path."""
    holder = root.at(*path)
    if holder is None or holder.kind != "map":
        return
    found, node = Options(), holder.get(name)
    edits: tuple[Edit, ...] = ()
    hop: tuple[Edit, ...] = ()
    for key, value in node.pairs if node is not None else ():
        if member := _launch.member(key.text):
            found.put(member, value.plain, _tree.place(source, value))
            if member == "http_tokens" and value.text == "optional":
                edits = _edits.in_place(source, value, "required")
            if member == "http_put_response_hop_limit" and value.text == "1":
                hop = _edits.in_place(source, value, 2)
    kind = next((value for key, value in root.pairs if key.text == "kind"), root)
    script = holder.string("userData")
    if found.values.get("http_endpoint") == "disabled" or _launch.calls_v1(script):
        edits = hop = ()
    # That pods cannot reach the metadata service is wanted by whoever writes hop limit 1 here.
    yield Launch(place=_tree.place(source, kind), what=root.string("kind"), name=_name(root),
                 options=found.values, members=found.members, containers="yes", inherited=inherited,
                 options_place=_tree.place(source, node) if node is not None else None,
                 edits=edits, hop_edits=hop)  # fmt: skip
    data = holder.get("userData")
    if data is not None and data.kind == "scalar":
        carrier = _tree.lines_of(source, data).as_source(source)
        yield from _launch.user_data(carrier, f"userData of {_name(root)}")


def _karpenter(source: Source, root: Node, path: tuple[str, ...]) -> Iterator[Fact | Source]:
    """A node class with Karpenter's defaults: tokens required, and since v1 a hop limit of 1."""
    hops = 1 if root.string("apiVersion").endswith("/v1") else 2
    for fact in _options(source, root, path, "metadataOptions", ""):
        if isinstance(fact, Launch):
            options: dict[str, str | int | None] = {
                "http_tokens": "required",
                "http_put_response_hop_limit": hops,
            }
            yield replace(fact, options=options | fact.options)
        else:
            yield fact


def _eksctl(source: Source, root: Node) -> Iterator[Fact | Source]:
    for key in ("nodeGroups", "managedNodeGroups"):
        groups = root.get(key)
        for group in groups.items if groups is not None else ():
            yield from _eksctl_group(source, group)


def _eksctl_group(source: Source, group: Node) -> Iterator[Fact | Source]:
    found = Options()
    edits: tuple[Edit, ...] = ()
    name = group.string("name")
    if (said := group.get("disableIMDSv1")) is not None:
        place = _tree.place(source, said)
        tokens = {True: "required", False: "optional"}.get(said.plain is True)
        found.put("http_tokens", tokens, place)
        yield Setting(place=place, name="disableIMDSv1", value=str(said.plain).lower())
        if said.plain is False:
            edits = _edits.in_place(source, said, "true")
    if (pods_said := group.get("disablePodIMDS")) is not None:
        yield Setting(place=_tree.place(source, pods_said), name="disablePodIMDS",
                      value=str(pods_said.plain).lower())  # fmt: skip
        if pods_said.plain is True:
            found.values["http_put_response_hop_limit"] = 1
    template = group.string("launchTemplate", "id")
    yield Launch(place=_tree.place(source, group.get("name") or group), what="nodeGroup", name=name,
                 options=found.values, members=found.members, containers="yes", edits=edits,
                 inherited="recent versions of eksctl disable IMDSv1 by default",
                 template=template)  # fmt: skip
    for key in ("preBootstrapCommands", "overrideBootstrapCommand"):
        node = group.get(key)
        if node is not None:
            yield from _shell_lines(source, node, f"{key} of {name}")


def _shell_lines(source: Source, node: Node, inside: str) -> Iterator[Source]:
    """A script, or a list of its lines."""
    done = Lines("", (source.row(node.start),))
    for one in node.items or (node,):
        if one.kind == "scalar":
            done += _tree.lines_of(source, one)
            if not done.text.endswith("\n"):
                done += Lines("\n", (source.row(one.start),) * 2)
    if done.text:
        yield done.as_source(source, "shell", inside)


def _commands(source: Source, root: Node) -> Iterator[Source]:
    """Cluster API's bootstrap: commands before and after kubeadm, and the files it writes."""
    for node in _tree.walk(root):
        if node.kind != "map":
            continue
        for key in ("preKubeadmCommands", "postKubeadmCommands", "preBootstrapCommands"):
            if (commands := node.get(key)) is not None:
                yield from _shell_lines(source, commands, f"{key} of {_name(root)}")
        path, content = node.string("path"), node.get("content")
        if not path or content is None or content.kind != "scalar":
            continue
        if kind := kind_of(path, content.text):
            lines = _tree.lines_of(source, content)
            yield lines.as_source(source, kind, f"file {path} of {_name(root)}")


def _config(source: Source, root: Node) -> Iterator[Fact | Source]:
    """The scripts and settings in a ConfigMap, and in a Secret."""
    for part in ("data", "stringData", "binaryData"):
        data = root.get(part)
        for key, value in data.pairs if data is not None else ():
            if value.kind != "scalar":
                continue
            if key.text in SETTINGS:
                yield Setting(place=_tree.place(source, value), name=key.text, value=value.text)
            lines = _tree.lines_of(source, value)
            if part == "binaryData" or (part == "data" and root.string("kind") == "Secret"):
                lines = _decoded(lines)
            kind = kind_of(key.text, lines.text)
            inside = f"{key.text} of {_name(root)}"
            if kind == "user-data":
                yield from _launch.user_data(lines.as_source(source), inside)
            elif kind is not None:
                yield lines.as_source(source, kind, inside)


def _decoded(lines: Lines) -> Lines:
    """What base64 holds, all of it where it begins."""
    try:
        text = base64.b64decode(lines.text, validate=False).decode()
    except (binascii.Error, ValueError):
        return Lines("", lines.lines[:1])
    return Lines(text, lines.lines[:1] * (text.count("\n") + 1))


def pods(source: Source, root: Node) -> Iterator[Fact | Source]:
    """The environment and the commands of every container in a manifest, of whatever kind."""
    for node in _tree.walk(root):
        if node.kind != "map":
            continue
        for key in ("containers", "initContainers", "ephemeralContainers"):
            found = node.get(key)
            for container in found.items if found is not None else ():
                yield from _container(source, container)


def _container(source: Source, container: Node) -> Iterator[Fact | Source]:
    name = container.string("name")
    env = container.get("env")
    for one in env.items if env is not None else ():
        value = one.get("value")
        if value is not None and one.string("name") in SETTINGS:
            yield Setting(
                place=_tree.place(source, value), name=one.string("name"), value=value.text
            )
    yield from command(source, container, f"container {name}")
    for node in _tree.walk(container):
        run = node.get("exec") if node.kind == "map" else None
        if run is not None:
            yield from command(source, run, f"container {name}")


def command(source: Source, holder: Node, inside: str) -> Iterator[Source]:
    """The script of `command` and `args` together: `sh -c "…"`, or a program with arguments."""
    words: list[Node] = []
    for key in ("command", "args"):
        found = holder.get(key)
        if found is not None:
            words += found.items or ([found] if found.kind == "scalar" and found.text else [])
    yield from of_words(source, words, inside)


def of_words(source: Source, words: list[Node], inside: str) -> Iterator[Source]:
    """The script in a list of words."""
    if not words or any(word.kind != "scalar" for word in words):
        return
    program = words[0].text.rsplit("/", 1)[-1]
    for index, word in enumerate(words[1:], 1):
        flags = word.text
        if program in SHELLS and flags.startswith("-") and flags.rstrip("eux").endswith("c"):
            if index + 1 < len(words):
                lines = _tree.lines_of(source, words[index + 1])
                yield lines.as_source(source, SHELLS[program], inside)
            return
    if program in ("curl", "wget"):
        quoted = " ".join("'" + word.text.replace("'", "'\\''") + "'" for word in words[1:])
        text = f"{program} {quoted}\n"
        rows = (source.row(words[0].start),) * (text.count("\n") + 1)
        yield Lines(text, rows).as_source(source, "shell", inside)
