"""What stays the same of a finding while the lines around it move."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from imdsctl.lint.finding import Finding

_LENGTH = 32


def fingerprints(
    findings: Sequence[Finding], rows: Sequence[str], path: str | None = None
) -> list[str]:
    """One a finding, in the same order.

    Made of the rule, the path and the text of the finding's first line without its spaces; the
    second finding of the same rule on the same text is told from the first.

    Args:
        findings: of one file.
        rows: the file's lines.
        path: the file's name; the findings' own if not given.
    """
    seen: Counter[tuple[str, str]] = Counter()
    made = []
    for finding in findings:
        index = finding.place.line - 1
        line = "".join(rows[index].split()) if 0 <= index < len(rows) else ""
        seen[finding.rule, line] += 1
        parts = (finding.rule, path or finding.path, line, str(seen[finding.rule, line]))
        made.append(hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest())
    return [one[:_LENGTH] for one in made]
