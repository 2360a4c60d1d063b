"""Run in a user and network namespace of its own: a client one routed hop away from an emulator.

Three namespaces (this one is the client's): client - router - service. Prints what the client saw
and what the emulator counted, as JSON.
"""

import contextlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

SERVICE = "169.254.169.254"
EMULATOR = """
import json, sys, time
from imdsctl.emulator.background import Background
from imdsctl.emulator.settings import Settings
from imdsctl.imds.options import Options
options = Options(http_put_response_hop_limit=int(sys.argv[1]))
with Background(Settings(host="169.254.169.254", port=80, options=options)) as background:
    print("ready", flush=True)
    sys.stdin.readline()
    time.sleep(0.2)
    print(background.emulator.calls.lost, flush=True)
"""


def sh(command: str, inside: "subprocess.Popen[str] | None" = None) -> None:
    enter = [] if inside is None else ["nsenter", "-n", f"--target={inside.pid}"]
    subprocess.run([*enter, "sh", "-ec", command], check=True)


def seen(method: str, path: str, headers: dict[str, str]) -> int | str:
    ask = urllib.request.Request(f"http://{SERVICE}{path}", method=method, headers=headers)
    try:
        with urllib.request.urlopen(ask, timeout=1) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except (TimeoutError, urllib.error.URLError):
        return "no answer"


def main(limit: str) -> None:
    with contextlib.ExitStack() as stack:

        def namespace(*command: str) -> "subprocess.Popen[str]":
            process = stack.enter_context(
                subprocess.Popen(
                    ["unshare", "-n", *command],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return process

        router, service = (
            namespace("cat"),
            namespace("sh", "-c", 'read _; exec "$@"', "sh", sys.executable, "-c", EMULATOR, limit),
        )
        time.sleep(0.3)  # until both are in their own namespace
        sh(f"ip link add c0 type veth peer name c1 netns {router.pid}")
        sh("ip addr add 10.1.0.2/24 dev c0; ip link set c0 up; ip route add default via 10.1.0.1")
        sh(f"ip link add s1 type veth peer name s0 netns {service.pid}", router)
        sh("ip addr add 10.1.0.1/24 dev c1; ip link set c1 up", router)
        sh("ip addr add 10.2.0.1/24 dev s1; ip link set s1 up", router)
        sh(
            f"ip route add {SERVICE}/32 via 10.2.0.2; echo 1 > /proc/sys/net/ipv4/ip_forward",
            router,
        )
        sh("ip link set lo up; ip addr add 10.2.0.2/24 dev s0; ip link set s0 up", service)
        sh(f"ip addr add {SERVICE}/32 dev lo; ip route add default via 10.2.0.1", service)
        assert service.stdin is not None
        assert service.stdout is not None
        service.stdin.write("go\n")
        service.stdin.flush()
        assert service.stdout.readline() == "ready\n"
        put = seen("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        get = seen("GET", "/latest/meta-data/instance-id", {})
        service.stdin.write("done\n")
        service.stdin.flush()
        lost = int(service.stdout.readline())
        print(json.dumps({"put": put, "get": get, "lost": lost}))  # noqa: T201 - the result


if __name__ == "__main__":
    main(sys.argv[1])
