"""Values of Terraform variables (`.tfvars`): the metadata options among them.

Which resource a value reaches is not known here; that somebody gives `optional` to a variable of
such a name is.
"""

from collections.abc import Iterator

from imdsctl.lint.facts import Edit, Fact, Launch
from imdsctl.lint.readers import _calls, _edits, _hcl, _launch, _resources, _scripts, _tree
from imdsctl.lint.readers._hcl import Attribute
from imdsctl.lint.readers._hcl_values import Values
from imdsctl.lint.readers._unknown import UNKNOWN
from imdsctl.lint.source import Source

KINDS = ("terraform-variables",)


def read(source: Source) -> Iterator[Fact | Source]:
    """A launch for each variable that gives metadata options."""
    tree = _hcl.parse(source.data)
    yield from _scripts.unparsed(source, tree.root_node)
    values = Values(lambda _name, _steps: UNKNOWN)
    for name, attribute in _hcl.body(tree.root_node).attributes.items():
        value = values.of(attribute.value)
        found = _launch.Options()
        place = _resources.place_of_attribute(source, attribute)
        if isinstance(value, str | int | None) and (known := _named(name)):
            found.put(known, value, place, assumed=False)
        elif isinstance(value, dict):
            found.take(value, place, assumed=False)
            found.members |= _calls.spots(source, attribute)
        if found.values:
            yield Launch(
                place=place, what="variable", name=f"var.{name}", options=found.values,
                members=found.members, complete=False, edits=_edit(source, name, attribute),
            )  # fmt: skip


def _named(name: str) -> str:
    """The member that a variable of such a name most probably is."""
    for ending in ("http_tokens", "http_endpoint", "http_put_response_hop_limit"):
        if name == ending or name.endswith(f"_{ending}"):
            return ending
    return ""


def _edit(source: Source, name: str, attribute: Attribute) -> tuple[Edit, ...]:
    if _named(name) == "http_tokens":
        value = attribute.value
        assert not isinstance(value, _tree.Node)
        return _edits.hcl_value(source, value.start_byte, value.end_byte, "required")
    return _calls.literal(source, attribute, "http_tokens")
