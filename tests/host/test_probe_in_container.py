"""Whether a token reaches a container, asked from the instance, with real namespaces."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from imdsctl.host import probe as probe_module

HERE = Path(probe_module.__file__)
NEEDED = ("ip", "unshare", "nsenter", "curl")

# A container by hand, on the instance of a rehearsal: a cable, an address, one hop.
CONTAINER = """
set -e
unshare -n sleep 60 </dev/null >/dev/null 2>&1 & pid=$!
while [ "$(readlink /proc/$pid/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link add cable0 type veth peer name eth0 netns $pid
ip address add 172.31.17.1/24 dev cable0
ip link set cable0 up
nsenter -t $pid -n ip link set lo up
nsenter -t $pid -n ip address add 172.31.17.2/24 dev eth0
nsenter -t $pid -n ip link set eth0 up
nsenter -t $pid -n ip route add default via 172.31.17.1
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv4/conf/eth0/proxy_arp
"$@" --container-pid $pid --timeout 1 >&2 || true
kill $pid
"""

WAYS = {
    "python": [sys.executable, str(HERE)],
    "curl": ["sh", str(HERE.with_name("probe.sh")), "--client", "curl"],
    "bash": ["sh", str(HERE.with_name("probe.sh")), "--client", "bash"],
}


@pytest.mark.skipif(os.geteuid() != 0, reason="entering a container takes root")
@pytest.mark.skipif(
    not all(shutil.which(one) for one in NEEDED), reason=f"needs {', '.join(NEEDED)}"
)
@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize(("hops", "reaches"), [("1", False), ("2", True)])
def test_the_hop_limit_decides_whether_a_token_reaches_a_container(
    way: str, hops: str, *, reaches: bool
) -> None:
    answer = _probed(WAYS[way], hops)
    assert answer["hop_limit_reaches"] is reaches
    assert answer["hop_limit_why"] is None
    assert answer["verdict"] == "v2-only", "the host itself is one hop away"
    assert answer["ipv6"] == {"status": 200}


def _probed(way: list[str], hops: str) -> dict[str, Any]:
    words = [sys.executable, "-m", "imdsctl", "rehearse", "-o", "json", "--hop-limit", hops]
    words += ["--", "sh", "-c", CONTAINER, "probe", *way]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode == 5:
        pytest.skip(done.stderr.splitlines()[0])
    assert done.stderr.startswith("{"), done.stderr
    answer, _ = json.JSONDecoder().raw_decode(done.stderr)
    assert isinstance(answer, dict)
    return answer
