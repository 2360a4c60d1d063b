"""Many clients at once never get a wrong answer (bench/emulator.py asks for far more)."""

import asyncio
import random

from emulator_client import (
    TOKEN,
    TOKEN_HEADER,
    TTL,
    StartEmulator,
    emulator_fixture,  # noqa: F401 - pytest finds the fixture here
)

PUTS, GETS, KEPT = 1_000, 5_000, 50
EXPECTED = {
    "instance-id": b"i-1234567890abcdef0",
    "ami-id": b"ami-0abcdef1234567890",
    "mac": b"0e:49:61:0f:c3:11",
    "instance-type": b"m5.large",
    "placement/region": b"us-east-1",
}


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.rstrip().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, await reader.readexactly(int(headers["Content-Length"]))


async def put(port: int, ttl: int) -> tuple[str, int]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"PUT {TOKEN} HTTP/1.1\r\nHost: x\r\n{TTL}: {ttl}\r\n\r\n".encode())
    status, headers, body = await answer(reader)
    writer.close()
    await writer.wait_closed()
    assert status == 200
    assert headers["X-Aws-Ec2-Metadata-Token-Ttl-Seconds"] == str(ttl)
    return body.decode(), ttl


async def get_many(port: int, tokens: list[tuple[str, int]], count: int, seed: int) -> None:
    """Valid tokens, bogus tokens, no token, no such item, in any order on one connection."""
    draw = random.Random(seed)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        path = draw.choice([*EXPECTED, "no-such-item"])
        token, ttl = draw.choice([*draw.sample(tokens, 3), ("bogus", 0), ("", 0)])
        field = f"{TOKEN_HEADER}: {token}\r\n" if token else ""
        writer.write(f"GET /latest/meta-data/{path} HTTP/1.1\r\nHost: x\r\n{field}\r\n".encode())
        status, headers, body = await answer(reader)
        if token == "bogus":
            assert status == 401
        elif path not in EXPECTED:
            assert status == 404
        else:
            assert (status, body) == (200, EXPECTED[path])
            left = headers.get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds")
            assert left is None if not token else 0 <= ttl - int(left or -1) <= 60
    writer.close()
    await writer.wait_closed()


def test_many_clients_at_once_get_their_own_answers(emulator: StartEmulator) -> None:
    client = emulator(remember=10)

    async def load() -> list[tuple[str, int]]:
        tokens = await asyncio.gather(*(put(client.port, 100 + n) for n in range(PUTS)))
        await asyncio.gather(
            *(get_many(client.port, tokens, GETS // KEPT, seed) for seed in range(KEPT))
        )
        return tokens

    tokens = asyncio.run(load())
    assert len({token for token, _ in tokens}) == PUTS
    calls = client.emulator.calls
    assert calls.count("token") == PUTS
    assert calls.count("v1") + calls.count("v2") == GETS
