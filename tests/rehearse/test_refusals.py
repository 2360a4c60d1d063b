"""Where a rehearsal is not possible it says so, and what to do."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from rehearsals import SOURCE, environment, python, unprivileged, why_impossible

from imdsctl.rehearse.possible import why_denied

pytestmark = pytest.mark.skipif(bool(why_impossible()), reason=why_impossible() or "possible")


def test_without_user_namespaces_the_switch_and_the_way_out_are_named() -> None:
    inner = (
        "echo 0 > /proc/sys/user/max_user_namespaces && "
        "exec setpriv --bounding-set -all --inh-caps -all "
        f"{python()} -m imdsctl rehearse -- true"
    )
    words = ["unshare", "--user", "--map-root-user", "sh", "-c", inner]
    prefix = list(unprivileged()[:-1])
    done = subprocess.run(
        [*prefix, *words], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 5, done.stderr
    assert "user.max_user_namespaces is 0" in done.stderr
    assert "--by-environment" in done.stderr
    assert "cannot prove an old client" in done.stderr


@pytest.mark.parametrize(
    ("switch", "value", "says"),
    [
        ("kernel/unprivileged_userns_clone", "0", "for root only"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor"),
        ("kernel/apparmor_restrict_unprivileged_userns", "0", "seccomp"),
    ],
)
def test_the_reason_is_read_from_the_machine(
    tmp_path: Path, switch: str, value: str, says: str
) -> None:
    file = tmp_path / switch
    file.parent.mkdir(parents=True)
    file.write_text(value + "\n")
    assert says in why_denied(tmp_path)


def test_without_slirp4netns_the_network_cannot_be_kept(tmp_path: Path) -> None:
    poor = {**environment(), "PATH": str(tmp_path)}
    words = [
        *_absolute(unprivileged()),
        "-m",
        "imdsctl",
        "rehearse",
        "--keep-network",
        "--",
        "true",
    ]
    done = subprocess.run(words, env=poor, capture_output=True, text=True, check=False, cwd=SOURCE)
    assert done.returncode == 5
    assert "slirp4netns" in done.stderr


def _absolute(words: tuple[str, ...]) -> list[str]:
    return [shutil.which(words[0]) or words[0], *words[1:]]


@pytest.mark.skipif(shutil.which("slirp4netns") is None, reason="slirp4netns is not installed")
@pytest.mark.skipif(not os.access("/dev/net/tun", os.R_OK | os.W_OK), reason="no /dev/net/tun")
def test_with_slirp4netns_all_but_imds_is_the_real_network() -> None:
    import http.server  # noqa: PLC0415 - only here
    import socket  # noqa: PLC0415 - only here
    import threading  # noqa: PLC0415 - only here

    from rehearsals import BOTOCORE, rehearse  # noqa: PLC0415 - only here

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: shows this machine's own address
        except OSError:
            pytest.skip("this machine has no network")
        address = probe.getsockname()[0]

    class Quiet(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer((address, 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://{address}:{server.server_port}/"
        ask = f"import urllib.request as u; print(u.urlopen('{url}', timeout=10).status)\n"
        said = rehearse(python(), "-c", ask + BOTOCORE, options=("--keep-network",))
        server.shutdown()
    assert said.code == 0, said.err
    assert "204" in said.err
    assert said.json()["finding"]["verdict"] == "ready"
