"""Ansible playbooks and task files.

Of the modules of amazon.aws and community.aws that launch instances, of `uri` and `get_url` that
make requests, and of those that run commands, by their documentation.
"""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from imdsctl.lint.facts import Edit, Fact, Known, Launch, Request, Setting
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.readers import _edits, _kubernetes, _launch, _tree
from imdsctl.lint.readers._launch import Options
from imdsctl.lint.readers._tree import Lines, Node
from imdsctl.lint.readers._unknown import Unknown
from imdsctl.lint.source import Source
from imdsctl.lint.tokens import LIFETIME, TOKEN

_TASKS: Final = ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")
_PREFIXES: Final = ("ansible.builtin.", "ansible.legacy.", "amazon.aws.", "community.aws.",
                    "ansible.windows.")  # fmt: skip
_HOSTS: Final = re.compile(r"169\.254\.169\.254|\[?fd00:ec2::254\]?", re.IGNORECASE)
_JINJA: Final = re.compile(r"\{\{[^{}]*\}\}")
_IDLE: Final = frozenset({
    "absent", "terminated", "stopped", "restarted", "rebooted", "query",
})  # fmt: skip
_TOKEN: Final = TOKEN.lower()
_LIFETIME: Final = LIFETIME.lower()
_SHELL: Final = ("shell", "command", "raw")


def read(source: Source, root: Node) -> Iterator[Fact | Source]:
    """The facts of a playbook, or of a file of tasks."""
    fetched = False
    for task in _tasks(root):
        for fact in _task(source, task, follows=fetched):
            if isinstance(fact, Request) and fact.method == "PUT" and fact.path.endswith("/token"):
                fetched = True
            yield fact


def _tasks(root: Node, depth: int = 0) -> Iterator[Node]:
    for one in root.items:
        if one.kind != "map":
            continue
        yield one
        for key in _TASKS:
            inner = one.get(key)
            if inner is not None and depth < 20:  # noqa: PLR2004 - blocks of blocks
                yield from _tasks(inner, depth + 1)


def _task(source: Source, task: Node, *, follows: bool) -> Iterator[Fact | Source]:
    environment = task.get("environment")
    for key, value in environment.pairs if environment is not None else ():
        if key.text in _kubernetes.SETTINGS and value.kind == "scalar":
            yield Setting(place=_tree.place(source, value), name=key.text, value=value.text)
    for key, value in task.pairs:
        name = key.text
        for prefix in _PREFIXES:
            name = name.removeprefix(prefix)
        if name in ("uri", "get_url", "win_uri", "win_get_url"):
            yield from _request(source, task, key, value, follows=follows)
        elif name in (*_SHELL, "win_shell"):
            yield from _command(source, task, value, name)
        elif name in ("copy", "template") and value.kind == "map":
            yield from _copied(source, value)
        elif name in _LAUNCHES:
            yield from _launched(source, key, value, name)


def _request(source: Source, task: Node, key: Node, module: Node, *, follows: bool
             ) -> Iterator[Request]:  # fmt: skip
    """One request of `uri` or `get_url`."""
    url = module.get("url")
    if url is None:
        return
    text = _JINJA.sub("*", url.text)
    found = _HOSTS.search(text)
    if found is None:
        return
    parts = urlsplit(text[text.find("http") :] if "http" in text else "http://" + text)
    headers = module.get("headers")
    names = {one.text.lower(): value for one, value in headers.pairs} if headers is not None else {}
    if headers is not None and headers.kind == "scalar":
        # `headers: "a:b,c:d"` of get_url.
        names = {part.split(":", 1)[0].strip().lower(): headers for part in headers.text.split(",")}
    if "metadata-flavor" in names or "metadata" in names:
        return
    token = names.get(_TOKEN)
    unknown = (
        headers is not None and headers.kind == "scalar" and "{{" in headers.text and not token
    )
    ignored = task.get("ignore_errors")
    statuses = module.string("status_code")
    register = task.string("register")
    failing = task.get("failed_when")
    yield Request(
        place=_tree.place(source, key), client=key.text,
        method=(module.string("method") or "GET").upper(), host=found[0].strip("[]"),
        path=parts.path, token="unknown" if unknown else "yes" if token else "no",
        token_from=_variable(token), lifetime="yes" if _LIFETIME in names else "no",
        fails="no" if failing is not None and failing.plain is False else
              "yes" if not statuses or statuses == "200" else "unknown",
        bypasses_proxy="yes" if module.string("use_proxy").lower() in ("no", "false") else "no",
        stored_in=register,
        checked="no" if ignored is not None and ignored.plain is True else "yes",
        follows=follows,
    )  # fmt: skip


def _variable(token: Node | None) -> str:
    found = re.search(r"\{\{\s*(\w+)", token.text) if token is not None else None
    return found[1] if found else ""


def _command(source: Source, task: Node, module: Node, name: str) -> Iterator[Source]:
    """The script of a task that runs one."""
    text = module if module.kind == "scalar" else module.get("cmd") or module.get("_raw_params")
    inside = f"{name} of {task.string('name')!r}" if task.string("name") else name
    if text is None or text.kind != "scalar":
        argv = module.get("argv")
        if argv is not None:
            yield from _kubernetes.of_words(source, argv.items, inside)
        return
    lines = _tree.lines_of(source, text)
    script = _JINJA.sub(lambda one: re.sub(r"\W", "_", one[0]), lines.text)
    kind = "powershell" if name.startswith("win_") else "shell"
    program = task.string("args", "executable").rsplit("/", 1)[-1]
    kind = _kubernetes.SHELLS.get(program, kind)
    yield Lines(script, lines.lines, lines.indent).as_source(source, kind, inside)


def _copied(source: Source, module: Node) -> Iterator[Source]:
    content = module.get("content")
    if content is None or content.kind != "scalar":
        return
    if kind := kind_of(module.string("dest"), content.text):
        lines = _tree.lines_of(source, content)
        yield lines.as_source(source, kind, f"file {module.string('dest')}")


_LAUNCHES: Final = {
    "ec2_instance": "metadata_options",
    "ec2_launch_template": "metadata_options",
    "ec2_spot_instance": "",
    "ec2": "",
    "autoscaling_launch_config": "",
    "ec2_lc": "",
    "ec2_ami": "",
}
"""Modules that launch, or make what is launched from, and the argument of their options."""


def _launched(source: Source, key: Node, module: Node, name: str) -> Iterator[Fact | Source]:
    if module.kind != "map" or module.string("state") in _IDLE or name == "ec2_ami":
        return
    image = module.get("image_id") or module.get("image")
    if image is None and name != "ec2_launch_template" and module.get("launch_template") is None:
        return
    option = _LAUNCHES[name]
    found, node = Options(), module.get(option) if option else None
    edits: tuple[Edit, ...] = ()
    complete = not (node is not None and node.kind == "scalar")
    for one, value in node.pairs if node is not None else ():
        if member := _launch.member(one.text):
            unknown = value.kind != "scalar" or "{{" in value.text
            found.put(member, Unknown() if unknown else value.plain, _tree.place(source, value))
            if member == "http_tokens" and value.text == "optional":
                edits = _edits.in_place(source, value, "required")
    if found.values.get("http_endpoint") == "disabled":
        edits = ()
    elif option and node is None:
        edits = _edits.first_in(source, module, (option,), {"http_tokens": "required"})
    data = module.get("user_data")
    has_data: Known = "no" if data is None else "yes"
    words = "\n".join(one.text for one in _tree.walk(module) if one.kind == "scalar")
    if _launch.calls_v1(words):
        edits = ()
    template = module.get("launch_template")
    yield Launch(place=_tree.place(source, key), what=key.text, name=module.string("name"),
                 options=found.values, members=found.members, complete=complete,
                 has_options=bool(option), user_data=has_data, edits=edits,
                 options_place=_tree.place(source, node) if node is not None else None,
                 containers=_launch.containers_in(words), inherited=_launch.image_inherits(words),
                 template=template.string("name") or "another's" if template is not None else "",
                 )  # fmt: skip
    if data is not None and data.kind == "scalar":
        carrier = _tree.lines_of(source, data)
        text = _JINJA.sub(lambda one: re.sub(r"\W", "_", one[0]), carrier.text)
        lines = Lines(text, carrier.lines, carrier.indent).as_source(source)
        yield from _launch.user_data(lines, f"user_data of {module.string('name') or key.text}")
