"""How the emulator holds up under load, and whether any answer is wrong, beside moto's endpoint.

    python bench/emulator.py [--puts 10000] [--gets 100000] [--connections 100]

Each server is a process of its own, and so is the load. First all token requests at once, each on a
connection that is open before the first is sent; then the GETs, mixed: valid tokens, bogus tokens,
none, and items that are not there. Every status and body is checked. moto's metadata endpoint knows
neither tokens nor modes and closes every connection, so it is asked for less and checked for less;
`imdsctl, closing` closes every connection, too.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import socket
import statistics
import subprocess
import sys
import time
from typing import Any, NamedTuple

TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"
OURS = {
    "instance-id": b"i-1234567890abcdef0",
    "ami-id": b"ami-0abcdef1234567890",
    "mac": b"0e:49:61:0f:c3:11",
    "placement/region": b"us-east-1",
}
MOTO = {
    "instance-id": b"i-fake",
    "ami-id": b"ami-moto-virtual",
    "mac": b"00:de:ad:be:ef:00",
    "placement/region": b"us-east-1",
}


class Asked(NamedTuple):
    request: bytes
    status: int
    body: bytes | None


class Load:
    """Asks one server, and checks and times every answer."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.latencies: list[float] = []
        self.wrong = self.server_errors = self.failed = 0

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    def line(self, method: str, path: str, field: str = "") -> bytes:
        return f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n{field}\r\n".encode()

    async def ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: Asked
    ) -> tuple[bytes, bool]:
        """The body, and whether the connection stays open."""
        began = time.perf_counter()
        writer.write(asked.request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        body = await reader.readexactly(length)
        self.latencies.append(time.perf_counter() - began)
        status = int(head[9:12])
        self.server_errors += status >= 500
        right = status == asked.status and asked.body in (None, body)
        self.wrong += not right
        return body, "connection: close" not in head and not head.startswith("http/1.0")

    async def puts(self, count: int) -> list[str]:
        """All at once; the tokens."""
        gate = asyncio.Event()
        opened = 0

        async def one() -> str:
            nonlocal opened
            try:
                reader, writer = await self.connect()
                opened += 1
                if opened == count:
                    gate.set()
                await gate.wait()
                request = self.line("PUT", "/latest/api/token", f"{TTL}: 21600\r\n")
                body, _ = await self.ask(reader, writer, Asked(request, 200, None))
                writer.close()
            except (OSError, asyncio.IncompleteReadError, IndexError):
                self.failed += 1
                gate.set()
                return ""
            return body.decode()

        return await asyncio.gather(*(one() for _ in range(count)))

    def mixed(self, draw: random.Random, tokens: list[str]) -> Asked:
        path = draw.choice([*OURS, "no-such-item"])
        what = draw.random()
        field, status = "", 200
        if what < 0.6:
            field = f"{TOKEN}: {draw.choice(tokens)}\r\n"
        elif what < 0.7:
            field, status = f"{TOKEN}: bogus\r\n", 401
        if status == 200 and path not in OURS:
            status = 404
        body = OURS[path] if status == 200 else None
        return Asked(self.line("GET", f"/latest/meta-data/{path}", field), status, body)

    def plain(self, draw: random.Random, _: list[str]) -> Asked:
        path = draw.choice(list(MOTO))
        return Asked(self.line("GET", f"/latest/meta-data/{path}"), 200, MOTO[path])

    async def gets(self, count: int, connections: int, tokens: list[str], *, moto: bool) -> None:
        make = self.plain if moto else self.mixed

        async def one(seed: int) -> None:
            draw = random.Random(seed)
            stream = None
            for _ in range(count // connections):
                try:
                    stream = stream or await self.connect()
                    _, stays = await self.ask(*stream, make(draw, tokens))
                    if not stays:
                        stream[1].close()
                        stream = None
                except (OSError, asyncio.IncompleteReadError, IndexError):
                    self.failed += 1
                    stream = None
            if stream is not None:
                stream[1].close()

        await asyncio.gather(*(one(seed) for seed in range(connections)))


def run_load(port: int, puts: int, gets: int, connections: int, *, moto: bool) -> dict[str, Any]:
    """Both phases; what is printed of them."""
    host = "169.254.169.254" if moto else "127.0.0.1"
    result: dict[str, Any] = {}

    async def phases() -> None:
        tokens: list[str] = []
        for name in ("put", "get"):
            load = Load(host, port)
            began = time.perf_counter()
            if name == "put":
                tokens = await load.puts(puts)
                if not moto:
                    load.wrong += len(tokens) - len(set(tokens))
            else:
                await load.gets(gets, connections, tokens, moto=moto)
            seconds = time.perf_counter() - began
            marks = statistics.quantiles(load.latencies, n=100)
            result[name] = {
                "count": len(load.latencies),
                "per_second": len(load.latencies) / seconds,
                "p50_ms": marks[49] * 1000,
                "p99_ms": marks[98] * 1000,
                "wrong": load.wrong,
                "5xx": load.server_errors,
                "failed": load.failed,
            }

    asyncio.run(phases())
    return result


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def start(command: list[str], port: int) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return process
    process.kill()
    raise SystemExit(f"{command} did not start")


def measure(name: str, command: list[str], port: int, arguments: list[str]) -> dict[str, Any]:
    server = start(command, port)
    try:
        ran = subprocess.run(
            [sys.executable, __file__, "--load", str(port), *arguments],
            stdout=subprocess.PIPE,
            check=True,
        )
    finally:
        server.terminate()
        server.wait(timeout=30)
    result: dict[str, Any] = json.loads(ran.stdout)
    for phase, what in result.items():
        print(
            f"{name:18}{phase.upper():5}{what['count']:9,}{what['per_second']:10,.0f}"
            f"{what['p50_ms']:10.1f}{what['p99_ms']:10.1f}{what['wrong']:7}{what['5xx']:6}"
            f"{what['failed']:8}",
            flush=True,
        )
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--puts", type=int, default=10_000)
    parser.add_argument("--gets", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--load", type=int, metavar="PORT", help=argparse.SUPPRESS)
    parser.add_argument("--moto", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if given.load:
        sizes = (given.puts, given.gets, given.connections)
        json.dump(run_load(given.load, *sizes, moto=given.moto), sys.stdout)
        return
    python = sys.executable
    full = ["--puts", str(given.puts), "--gets", str(given.gets)]
    tenth = ["--puts", str(given.puts // 10), "--gets", str(given.gets // 10)]
    connections = ["--connections", str(given.connections)]
    print(
        f"{'':18}{'':5}{'requests':>9}{'a second':>10}{'p50 ms':>10}{'p99 ms':>10}"
        f"{'wrong':>7}{'5xx':>6}{'failed':>8}"
    )
    emulate = [python, "-m", "imdsctl", "emulate", "--port"]
    port = free_port()
    ours = measure("imdsctl", [*emulate, str(port)], port, full + connections)
    port = free_port()
    closing = [*emulate, str(port), "--close-connections"]
    measure("imdsctl, closing", closing, port, tenth + connections)
    port = free_port()
    moto = [python, "-m", "moto.server", "-p", str(port)]
    theirs = measure("moto 5.2.5", moto, port, [*tenth, *connections, "--moto"])
    for phase in ("put", "get"):
        ratio = ours[phase]["per_second"] / theirs[phase]["per_second"]
        print(f"{phase.upper()}: {ratio:.1f} times moto's throughput")
    bad = sum(ours[phase][what] for phase in ours for what in ("wrong", "5xx", "failed"))
    if bad:
        raise SystemExit(f"{bad} answers of the emulator were wrong or missing")


if __name__ == "__main__":
    os.environ.pop("IMDSCTL_PORT", None)
    main()
