"""Which software speaks IMDSv2, and from which version: names and versions come in, matches go out.

`known-software.toml` is the source; `table.py` is written from it by `make known-software`, so that
nothing is read at run time. Pure, standard library only, and on Python 3.9: the room goes onto
instances.
"""

from imdsctl.software.query import Match, UnknownVersionError, known, software, verdict_on
from imdsctl.software.shape import Behaviour, Confidence, Range, Severity, Software

__all__ = [
    "Behaviour",
    "Confidence",
    "Match",
    "Range",
    "Severity",
    "Software",
    "UnknownVersionError",
    "known",
    "software",
    "verdict_on",
]
