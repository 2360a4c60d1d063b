"""The room goes onto instances: it runs on the oldest Python that they have."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
ROOM = SOURCE / "imdsctl" / "imds"

EXERCISE = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import imdsctl.imds
for module in pkgutil.iter_modules(imdsctl.imds.__path__):
    importlib.import_module("imdsctl.imds." + module.name)
from imdsctl.imds.classify import requests_in
from imdsctl.imds.message import Request
from imdsctl.imds.options import Options
from imdsctl.imds.service import Service
values = {"tags": {"Name": "web"}, "spot": {"action": "stop", "time": "+10s"}, "user_data": "hi"}
options = Options(http_tokens="required", instance_metadata_tags="enabled")
service = Service(values, options, "i-1", b"secret", started=1.7e9)
put = Request.of("PUT", "/latest/api/token", ("X-aws-ec2-metadata-token-ttl-seconds", "60"))
token = service.answer(put, 1.7e9, b"12345678").response.body.decode()
found = ["%d.%d" % sys.version_info[:2]]
for path in ("instance-id", "tags/instance/Name", "spot/instance-action", "iam/info", "nothing"):
    get = Request.of("GET", "/latest/meta-data/" + path, ("X-aws-ec2-metadata-token", token))
    found.append(str(service.answer(get, 1.7e9 + 1, b"12345678").response.status))
found.append(str(service.answer(Request.of("GET", "/"), 1.7e9, b"").counted))
found.append(requests_in(b"GET / HTTP/1.1\\r\\n\\r\\n")[0].version)
beyond = {name.split(".")[0] for name in sys.modules} & {"msgspec", "botocore", "lxml", "socket"}
print(*found, *sorted(beyond))
"""


def interpreter(version: str) -> str | None:
    """A Python of this version, if the machine has one."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    kept = sorted(root.glob(f"versions/{version}.*/bin/python"))
    return str(kept[-1]) if kept else shutil.which(f"python{version}")


@pytest.mark.parametrize("version", ["3.9", "3.10", f"{sys.version_info[0]}.{sys.version_info[1]}"])
def test_the_room_runs_on_this_python_with_nothing_installed(version: str) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    ran = subprocess.run(
        [python, "-I", "-S", "-B", "-W", "error", "-c", EXERCISE, str(SOURCE)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ran.stderr == ""
    assert ran.stdout.split() == [
        version, "200", "200", "200", "200", "404", "MetadataNoTokenRejected", "v1",
    ]  # fmt: skip


def test_the_room_reads_no_clock_and_does_no_io() -> None:
    forbidden = {
        "asyncio", "http", "os", "pathlib", "random", "secrets", "socket", "subprocess",
        "tempfile", "threading", "time", "urllib",
    }  # fmt: skip
    for module in ROOM.glob("*.py"):
        for line in module.read_text("utf-8").splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]):
                assert words[1].split(".")[0] not in forbidden, f"{module.name}: {line}"
