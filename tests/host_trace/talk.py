"""A client that asks as it is told, each step a word: talk.py [STEP…]

v1, v2, token: one request over a connection of its own. `forwarded`: a token request that is
refused. `patient:N`: waits N seconds for answers from now on, instead of 5. `keep`: opens a
connection that the steps after it use. `line`: waits for a line on stdin, having said `ready`.
`split`, `pipelined`: requests cut in three, and three at once, over a connection each. `half`: a
request whose sender ends its side at once. `fastopen`: sent with the connect. `pieces`: sent in one
call from two places in memory. Prints what came of each.
"""

import http.client
import os
import socket
import sys
import time

IMDS = "169.254.169.254"
PUT, ITEM = "/latest/api/token", "/latest/meta-data/instance-id"
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


class Talk:
    def __init__(self) -> None:
        self.timeout = 5.0
        self.kept: http.client.HTTPConnection | None = None
        self.token = "unknown"

    def step(self, word: str) -> object:
        name, _, value = word.partition(":")
        if name == "patient":
            self.timeout = float(value)
            return "ok"
        if name == "keep":
            self.kept = http.client.HTTPConnection(IMDS, timeout=self.timeout)
            self.kept.connect()
            return "ok"
        if name == "line":
            say("ready", os.getpid())
            return sys.stdin.readline().strip()
        if name in ("split", "pipelined", "half", "fastopen", "pieces"):
            return getattr(self, name)()
        return self.ask(name)

    def ask(self, name: str) -> object:
        headers = {"User-Agent": f"talk/{os.getpid()}"}
        if name == "v2":
            headers[TOKEN] = self.token
        elif name != "v1":
            headers[TTL] = "60"
        if name == "forwarded":
            headers["X-Forwarded-For"] = "203.0.113.7"
        method, path = ("GET", ITEM) if name in ("v1", "v2") else ("PUT", PUT)
        connection = self.kept or http.client.HTTPConnection(IMDS, timeout=self.timeout)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            body = answer.read().decode()
        except OSError as error:
            return type(error).__name__
        finally:
            if self.kept is None:
                connection.close()
        if name == "token" and answer.status == 200:
            self.token = body
        return answer.status

    def split(self) -> str:
        with socket.create_connection((IMDS, 80), timeout=self.timeout) as one:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            text = f"GET {ITEM} HTTP/1.1\r\nHost: imds\r\nUser-Agent: split\r\n{TOKEN}: x\r\n\r\n"
            for start, end in ((0, 9), (9, 70), (70, None)):
                one.sendall(text[start:end].encode())
                time.sleep(0.05)
            return one.recv(4096).decode().split()[1]

    def pipelined(self) -> str:
        with socket.create_connection((IMDS, 80), timeout=self.timeout) as one:
            requests = [f"GET {ITEM} HTTP/1.1\r\nHost: a\r\nUser-Agent: pipelined\r\n"] * 3
            heads = ["\r\n", f"{TOKEN}: x\r\n\r\n", "Connection: close\r\n\r\n"]
            one.sendall("".join(map("".join, zip(requests, heads, strict=True))).encode())
            answer = b""
            while piece := one.recv(4096):
                answer += piece
            return ",".join(str(answer.count(f"HTTP/1.1 {n}".encode())) for n in (200, 401))

    def half(self) -> str:
        with socket.create_connection((IMDS, 80), timeout=self.timeout) as one:
            one.sendall(f"GET {ITEM} HTTP/1.1\r\nHost: a\r\nUser-Agent: half\r\n\r\n".encode())
            one.shutdown(socket.SHUT_WR)
            return one.recv(4096).decode().split()[1]

    def fastopen(self) -> str:
        with socket.socket() as one:
            text = f"GET {ITEM} HTTP/1.1\r\nHost: a\r\nUser-Agent: fastopen\r\n\r\n"
            one.sendto(text.encode(), socket.MSG_FASTOPEN, (IMDS, 80))
            return one.recv(4096).decode().split()[1]

    def pieces(self) -> str:
        with socket.create_connection((IMDS, 80), timeout=self.timeout) as one:
            text = f"GET {ITEM} HTTP/1.1\r\nHost: a\r\nUser-Agent: pieces\r\n{TOKEN}: x\r\n\r\n"
            one.sendmsg([text[:50].encode(), text[50:].encode()])
            return one.recv(4096).decode().split()[1]


talk = Talk()
for word in sys.argv[1:]:
    say(word, talk.step(word))
