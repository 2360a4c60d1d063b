"""Draws the tables and diagrams of docs/imds.md: `python tests/imds/draw_imds.py` writes them.

What stands between `<!-- drawn: NAME -->` and `<!-- end -->` is made from the tables that the code
runs on; a test fails when it is out of date.
"""

import re
from pathlib import Path

from imdsctl.imds.classify import NEXT
from imdsctl.imds.decide import ANY, ROWS, VOCABULARY, Row
from imdsctl.imds.defaults import DEFAULTS
from imdsctl.imds.versions import LISTED

MANUAL = Path(__file__).parents[2] / "docs" / "imds.md"

_DRAWN = re.compile(r"(<!-- drawn: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_ASKS = {
    ("endpoint", "disabled"): "the endpoint is disabled",
    ("endpoint", "enabled"): "",
    ("method", "PUT"): "PUT",
    ("method", "GET"): "GET or HEAD",
    ("method", "other"): "another method",
    ("path", "token"): "/latest/api/token",
    ("path", "token-slash"): "/latest/api/token/",
    ("path", "token-versioned"): "/VERSION/api/token",
    ("path", "metadata"): "another path",
    ("forwarded", "yes"): "X-Forwarded-For",
    ("ttl", "absent"): "no lifetime",
    ("ttl", "bad"): "a lifetime not in 1–21600",
    ("presented", "absent"): "no token header",
    ("presented", "valid"): "a valid token",
    ("presented", "invalid"): "an invalid token",
    ("mode", "required"): "tokens required",
    ("mode", "optional"): "tokens optional",
}


def _condition(row: Row) -> str:
    asks = [_ASKS[name, getattr(row, name)] for name in VOCABULARY if getattr(row, name) != ANY]
    return ", ".join(ask for ask in asks if ask)


def _outcome(row: Row) -> str:
    if row.action == "serve":
        return "200, 301 or 404"
    body = {"issue": "the token", "error": "XHTML page", "empty": "no body"}[row.action]
    allow = f", Allow: {row.allow}" if row.allow else ""
    return f"{row.status}, {body}{allow}"


def decision_table() -> str:
    """The rows of the decision, as a table."""
    lines = [
        "| rule | asks for | answer | spoke | counted in | hop-limited | source |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{row.name}` | {_condition(row)} | {_outcome(row)} "
        f"| {'as it does' if row.kind == ANY else row.kind} | {row.counted or '–'} "
        f"| {'yes' if row.hop_limited else '–'} | {row.source} |"
        for row in ROWS
    ]
    return "\n".join(lines)


def decision_diagram() -> str:
    """The same rows, as a way from the top down."""
    lines = ["```mermaid", "flowchart TD", "  request([a request]) --> r0"]
    for i, row in enumerate(ROWS):
        last = i + 1 == len(ROWS)
        lines.append(f'  r{i}{{"{_condition(row)}?"}} -- yes --> a{i}["{_outcome(row)}"]')
        if not last:
            lines.append(f"  r{i} -- no --> r{i + 1}")
    return "\n".join([*lines, "```"])


def decoder_diagram() -> str:
    """The states of the request decoder."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, event), after in NEXT.items():
        arrows.setdefault((state, after), []).append(event)
    lines = ["```mermaid", "stateDiagram-v2", "  [*] --> start"]
    lines += [
        f"  {state.replace(' ', '_')} --> {after.replace(' ', '_')}: {' / '.join(events)}"
        for (state, after), events in arrows.items()
    ]
    return "\n".join([*lines, "```"])


def values_table() -> str:
    """Every value that a file may give, with what it is otherwise."""

    def shown(value: object) -> str:
        return "worked out, or none" if value is None else f"`{value!r}`".replace("'", '"')

    return "\n".join(
        ["| value | where nobody gives one |", "|---|---|"]
        + [f"| `{name}` | {shown(value)} |" for name, value in DEFAULTS.items()]
    )


def version_list() -> str:
    """The versions that `GET /` lists."""
    return ", ".join(LISTED)


DRAWINGS = {
    "decision-table": decision_table,
    "decision-diagram": decision_diagram,
    "decoder-diagram": decoder_diagram,
    "values-table": values_table,
    "version-list": version_list,
}


def redrawn(manual: str) -> str:
    """The manual with every drawing made anew.

    Raises:
        KeyError: it asks for a drawing that there is not.
    """
    return _DRAWN.sub(lambda old: f"{old[1]}{DRAWINGS[old[2]]()}\n{old[3]}", manual)


if __name__ == "__main__":
    MANUAL.write_text(redrawn(MANUAL.read_text("utf-8")), "utf-8")
