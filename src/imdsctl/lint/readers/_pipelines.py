"""YAML that runs commands: GitHub Actions, GitLab CI, CodeBuild, Compose, Elastic Beanstalk.

A pipeline's own runner is often an EC2 instance, and what it builds often runs on one.
"""

from collections.abc import Iterator

from imdsctl.lint.facts import Edit, Fact, Launch, Setting
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.readers import _edits, _kubernetes, _launch, _tree
from imdsctl.lint.readers._launch import Options
from imdsctl.lint.readers._tree import Lines, Node
from imdsctl.lint.source import Source

_VALUES = ("metadataoptions", "instancemetadataoptions", "instancemetadata")
_LISTS = ("script", "before_script", "after_script", "commands")


def read(source: Source, root: Node) -> Iterator[Fact | Source]:
    """The scripts and settings of a pipeline, whatever it is a pipeline of."""
    for node in _tree.walk(root):
        if node.kind != "map":
            continue
        run = node.get("run")
        shell = node.string("shell")
        if run is not None and run.kind == "scalar":
            kind = "powershell" if shell in ("pwsh", "powershell") else "shell"
            if shell in ("", "bash", "sh") or kind == "powershell":
                yield _tree.lines_of(source, run).as_source(source, kind, "run")
        for key in _LISTS:
            found = node.get(key)
            if found is not None and found.kind != "map":
                yield from _lines(source, found, key)
        for key in ("env", "environment", "variables"):
            yield from _environment(source, node.get(key))
        yield from _options(source, node)
        if node.get("image") is not None and node.get("command") is not None:
            yield from _kubernetes.command(source, node, "command")


def _options(source: Source, node: Node) -> Iterator[Fact]:
    """Metadata options in values that something else is made from, a Helm chart's say."""
    for key, options in node.pairs:
        name = key.text.lower().replace("_", "")
        if name not in _VALUES or options.kind != "map":
            continue
        found = Options()
        edits: tuple[Edit, ...] = ()
        for one, value in options.pairs:
            member = _launch.member(one.text)
            if member and value.kind == "scalar" and "{{" not in value.text:
                found.put(member, value.plain, _tree.place(source, value))
                if member == "http_tokens" and value.text == "optional":
                    edits = _edits.in_place(source, value, "required")
        if "http_tokens" in found.values:
            yield Launch(place=_tree.place(source, key), what=key.text, name="", edits=edits,
                         options=found.values, members=found.members, complete=False)  # fmt: skip


def _lines(source: Source, node: Node, inside: str) -> Iterator[Source]:
    done = Lines("", (source.row(node.start),))
    for one in node.items or (node,):
        if one.kind == "scalar":
            done += _tree.lines_of(source, one)
            if not done.text.endswith("\n"):
                done += Lines("\n", (source.row(one.start),) * 2)
    if done.text:
        yield done.as_source(source, "shell", inside)


def _environment(source: Source, node: Node | None) -> Iterator[Fact]:
    if node is None:
        return
    for key, value in node.pairs:
        if key.text in _kubernetes.SETTINGS and value.kind == "scalar":
            yield Setting(place=_tree.place(source, value), name=key.text, value=value.text)
    for one in node.items:
        name, sign, value_text = one.text.partition("=")
        if sign and name in _kubernetes.SETTINGS:
            yield Setting(place=_tree.place(source, one), name=name, value=value_text)


def read_ebextensions(source: Source, root: Node) -> Iterator[Fact | Source]:
    """A configuration file of Elastic Beanstalk: its settings, commands and files."""
    settings = root.get("option_settings")
    if settings is not None:
        for _, values in settings.pairs:
            yield from _beanstalk(source, values.get("DisableIMDSv1"))
        for one in settings.items:
            if one.string("option_name") == "DisableIMDSv1":
                yield from _beanstalk(source, one.get("value"))
    for key in ("commands", "container_commands"):
        commands = root.get(key)
        for name, command in commands.pairs if commands is not None else ():
            if (text := command.get("command")) is not None and text.kind == "scalar":
                inside = f"{key} {name.text}"
                yield _tree.lines_of(source, text).as_source(source, "shell", inside)
    files = root.get("files")
    for name, file in files.pairs if files is not None else ():
        content = file.get("content")
        if content is not None and (kind := kind_of(name.text, content.text)):
            inside = f"file {name.text}"
            yield _tree.lines_of(source, content).as_source(source, kind, inside)


def _beanstalk(source: Source, value: Node | None) -> Iterator[Fact]:
    if value is None:
        return
    place = _tree.place(source, value)
    text = value.text.lower()
    yield Setting(place=place, name="DisableIMDSv1", value=text)
    found = Options()
    found.put("http_tokens", {"true": "required", "false": "optional"}.get(text), place)
    edits: tuple[Edit, ...] = _edits.in_place(source, value, "true") if text == "false" else ()
    if found.values:
        yield Launch(place=place, what="aws:autoscaling:launchconfiguration", name="DisableIMDSv1",
                     options=found.values, members=found.members, edits=edits)  # fmt: skip
