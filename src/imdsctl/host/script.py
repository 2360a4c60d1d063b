"""The probe as a script for Run Command: plain shell, nothing to install."""

from __future__ import annotations

from pathlib import Path


def probe_script(*, sts: bool) -> str:
    """`probe.sh` with its options set; it runs as it is under `sh`, as root.

    Args:
        sts: ask AWS who the host is, too.
    """
    text = Path(__file__).with_name("probe.sh").read_text(encoding="utf-8")
    return f"set -- {'--sts' if sts else ''}\n{text}"
