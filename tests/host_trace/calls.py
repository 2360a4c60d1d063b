"""Calls from inside a network namespace, several at a time, each saying by itself who it is.

    calls.py jobs WORKERS SCRATCH < lines of `client family version`
    calls.py asks NUMBER SEED

The first runs each line as a process of its own; the second is the Python client among them. Every
request's user agent is `program/pid`, by which an access log can be compared with a trace.
"""

import http.client
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

PUT, ITEM = "/latest/api/token", "/latest/meta-data/instance-id"
HOSTS = {"4": "169.254.169.254", "6": "fd00:ec2::254", "mapped": "::ffff:169.254.169.254"}
TTL = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}


def command(client: str, family: str, version: str, compiled: str) -> list[str]:
    path = PUT if version == "token" else ITEM
    if client == "c":
        return [compiled, family, version, path]
    if client == "python":
        return [sys.executable, "-S", "-E", __file__, "asks", family, version]
    words = ["-s", "-o", "/dev/null", "-m", "10", "-g"]
    if version == "token":
        words += ["-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60"]
    elif version == "v2":
        words += ["-H", "X-aws-ec2-metadata-token: unknown"]
    host = HOSTS[family]
    url = f"http://{host}{path}" if ":" not in host else f"http://[{host}]{path}"
    # The shell becomes curl, so that it can tell its own number.
    return ["sh", "-c", 'exec curl -A "curl/$$" "$@"', "sh", *words, url]


def run(words: list[str]) -> int:
    return subprocess.run(words, stdout=subprocess.DEVNULL, check=False).returncode


def jobs(workers: int, compiled: str) -> None:
    every = []
    for line in sys.stdin.read().splitlines():
        client, family, version = line.split()
        every.append(command(client, family, version, compiled))
    with ThreadPoolExecutor(workers) as pool:
        failed = [code for code in pool.map(run, every) if code]
    sys.stdout.write(f"failed {len(failed)} {failed[:5]}\n")


def asks(number: int, seed: int) -> None:
    """Several requests over one connection or over one each, in an order that the seed gives."""
    chance = random.Random(seed)
    agent = {"User-Agent": f"python/{os.getpid()}"}
    connection: http.client.HTTPConnection | None = None
    for _ in range(number):
        if connection is None or chance.random() < 0.3:
            if connection is not None:
                connection.close()
            family = chance.choice(list(HOSTS))
            connection = http.client.HTTPConnection(HOSTS[family], 80, timeout=10)
        version = chance.choice(["v1", "v2", "token"])
        headers = {"v1": {}, "v2": {"X-aws-ec2-metadata-token": "x"}, "token": TTL}[version]
        method, path = ("PUT", PUT) if version == "token" else ("GET", ITEM)
        connection.request(method, path, headers={**agent, **headers})
        connection.getresponse().read()


if __name__ == "__main__":
    if sys.argv[1] == "jobs":
        jobs(int(sys.argv[2]), sys.argv[3])
    else:
        asks(int(sys.argv[2]), int(sys.argv[3]))
