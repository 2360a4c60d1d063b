"""Why a machine does not allow a rehearsal's namespaces, as far as it says so."""

import os
from pathlib import Path
from typing import Final

BY_ENVIRONMENT: Final = (
    "run it as root, or allow user namespaces; --by-environment works without, but only for "
    "clients that honour AWS_EC2_METADATA_SERVICE_ENDPOINT: it cannot prove an old client"
)

_SWITCHES: Final = (
    ("user/max_user_namespaces", "0", "user namespaces are switched off"),
    ("kernel/unprivileged_userns_clone", "0", "user namespaces are for root only"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor lets nobody but root use what a user namespace gives (Ubuntu 23.10 and newer)",
    ),
)
_ELSE: Final = (
    "the seccomp profile is the usual reason: docker run --security-opt "
    "seccomp=unconfined, or --privileged, lets namespaces be made"
)


def why_denied(root: Path = Path("/proc/sys")) -> str:
    """The switch that forbids user namespaces, by its sysctl name, or the usual suspect."""
    for path, forbidding, what in _SWITCHES:
        try:
            value = (root / path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if value == forbidding:
            return f"{what}: sysctl {path.replace('/', '.')} is {value}"
    if os.geteuid() == 0:
        return f"this root lacks CAP_SYS_ADMIN and CAP_SETFCAP; in a container, {_ELSE}"
    return f"in a container, {_ELSE}"
