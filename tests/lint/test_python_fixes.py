"""Every fix of a Python program, run: it gets over IMDSv2 what the original got over IMDSv1."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from imdsctl.lint.engine import look
from imdsctl.lint.facts import Edit, Request
from imdsctl.lint.readers.python import read
from imdsctl.lint.source import Source
from imdsctl.testing import Imds

ROOT = Path(__file__).parent / "corpus" / "python-fixes"
NAMES = sorted(path.name for path in ROOT.iterdir())
ROUNDS = 20
SITE = """
import os, socket

class Redirected(socket.socket):
    def connect(self, address):
        if address[0] == "169.254.169.254":
            address = ("127.0.0.1", int(os.environ["IMDS_PORT"]))
        elif address[0] == "fd00:ec2::254":
            address = ("::1", int(os.environ["IMDS_PORT6"]))
        return super().connect(address)

socket.socket = Redirected
"""


def read_text(name: str) -> str:
    return (ROOT / name).read_bytes().decode()


def v1_requests(text: str) -> list[Request]:
    facts = read(Source("program.py", "python", text))
    return [f for f in facts if isinstance(f, Request) and f.token == "no" and f.method != "PUT"]


def applied(text: str, edits: set[Edit]) -> str:
    for edit in sorted(edits, key=lambda e: (e.start, e.end), reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def at_once(text: str) -> str:
    return applied(text, {edit for one in v1_requests(text) for edit in one.edits})


def one_by_one(text: str) -> str:
    for _ in range(ROUNDS):
        waiting = [one for one in v1_requests(text) if one.edits]
        if not waiting:
            return text
        text = applied(text, set(waiting[0].edits))
    raise AssertionError("fixes have no end")


WAYS: dict[str, Callable[[str], str]] = {"at once": at_once, "one by one": one_by_one}


def ran(text: str, folder: Path, imds: Imds) -> tuple[int, str]:
    (folder / "sitecustomize.py").write_text(SITE)
    program = folder / "program.py"
    program.write_bytes(text.encode())
    six = imds.ipv6_url
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]),
        "PYTHONUTF8": "1",
        "IMDS_PORT": str(imds.port),
        "IMDS_PORT6": six.rpartition(":")[2] if six else "0",
    }
    done = subprocess.run(
        [sys.executable, str(program)], env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + ("" if done.returncode == 0 else done.stderr)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", WAYS)
def test_a_fixed_program_gets_over_v2_what_it_got_over_v1(
    name: str, way: str, tmp_path: Path
) -> None:
    if "httpx" in name and importlib.util.find_spec("httpx") is None:
        pytest.skip("httpx is not installed")
    text = read_text(name)
    with Imds(ipv6=True) as imds:
        before = ran(text, tmp_path, imds)
        assert imds.v1_calls > 0
        imds.set_options(http_tokens="required")
        refused = ran(text, tmp_path, imds)
        imds.reset()
        after = ran(WAYS[way](text), tmp_path, imds)

    assert before[0] == 0
    assert refused != before, "the program as it was has to fail where tokens are required"
    assert after == before
    assert (imds.v1_calls, imds.v2_calls > 0) == (0, True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", WAYS)
def test_a_fixed_program_parses_and_has_no_v1_request_and_no_finding(name: str, way: str) -> None:
    text = read_text(name)
    fixed = WAYS[way](text)

    compile(fixed, name, "exec")
    assert v1_requests(text)
    assert v1_requests(fixed) == []
    assert list(look(Source("program.py", "python", fixed))) == []


@pytest.mark.parametrize("name", NAMES)
def test_each_fix_can_be_made_alone(name: str) -> None:
    text = read_text(name)
    for one in v1_requests(text):
        fixed = applied(text, set(one.edits))

        compile(fixed, name, "exec")
        assert len(v1_requests(fixed)) < len(v1_requests(text))


def test_what_a_fix_adds_ends_its_lines_as_the_program_does() -> None:
    fixed = at_once(read_text("windows_lines.py"))

    assert fixed.count("\n") == fixed.count("\r\n") > 5


UNCLEAR = {
    "headers in a variable": "import requests\nh = {}\nrequests.get('URL', headers=h)\n",
    "arguments spread": "import requests\nk = {'timeout': 1}\nrequests.get('URL', **k)\n",
    "proxies": "import requests\nrequests.get('URL', proxies={'http': 'http://p:1'})\n",
    "no proxies": "import requests\nrequests.get('URL', proxies={'http': None})\n",
    "an import inside": "def f():\n    import requests\n    return requests.get('URL')\n",
    "another name": "import requests as r\nr.get('URL')\n",
    "a name from it": "from requests import get\nget('URL')\n",
    "more on the import's line": "import requests; print(requests.get('URL').text)\n",
    "a URL of anybody": (
        "import requests\ndef get(url):\n    return requests.get(url)\n"
        "get('URL')\nget('https://example.com/')\n"
    ),
    "a token of its own": (
        "import requests\nu = 'http://169.254.169.254/latest/api/token'\n"
        "t = requests.put(u, headers={'X-aws-ec2-metadata-token-ttl-seconds': '60'})\n"
        "requests.get('URL')\n"
    ),
    "a name that is taken": "import requests\n_imds_token = 1\nrequests.get('URL')\n",
    "Python 2": "import urllib2\nprint urllib2.urlopen('URL').read()\n",
    "either Python": (
        "try:\n    from urllib.request import urlopen\nexcept ImportError:\n"
        "    from urllib2 import urlopen\nurlopen('URL')\n"
    ),
}


@pytest.mark.parametrize("why", UNCLEAR)
def test_where_it_is_not_plain_what_to_write_there_is_no_fix(why: str) -> None:
    url = "http://169.254.169.254/latest/meta-data/instance-id"
    requests = v1_requests(UNCLEAR[why].replace("URL", url))

    assert requests
    assert all(one.edits == () for one in requests)
