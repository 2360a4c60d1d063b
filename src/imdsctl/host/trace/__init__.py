"""Who calls the metadata service on this host: events of connections come in, lines go out.

`kernel` and `packets` are the methods, the best first; `flows` makes requests of what they see,
`processes` and `places` say who asked, `run` leads it all. Nothing here needs more than the
standard library.
"""

from __future__ import annotations


def main(arguments: list[str] | None = None) -> int:
    """The command line where there is nothing but Python; an exit code comes out."""
    from imdsctl.host.trace.command import main as run  # noqa: PLC0415 - `host` is imported alone

    return run(arguments)
