"""Run in a network namespace of its own: an emulator on the service's address, and a sniffer.

Prints the times to live of the packets that carried token responses and metadata.
"""

import json
import socket
import subprocess
import sys
import time

from imdsctl.emulator.background import Background
from imdsctl.emulator.settings import Settings
from imdsctl.imds.options import Options

PUT = (
    b"PUT /latest/api/token HTTP/1.1\r\nHost: x\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n"
)
GET = b"GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = GET.replace(b"Host: x", b"Host: x\r\nConnection: close")
ETH_P_ALL = 3


def hops_of(frame: bytes) -> int:
    """The time to live (IPv6: hop limit) of an Ethernet frame's packet."""
    packet = frame[14:]
    return packet[8] if packet[0] >> 4 == 4 else packet[7]


def main(address: str, limit: int) -> None:
    ipv6 = ":" in address
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    mask = "128" if ipv6 else "32"
    nodad = ["nodad"] if ipv6 else []
    subprocess.run(["ip", "addr", "add", f"{address}/{mask}", "dev", "lo", *nodad], check=True)
    options = Options(http_put_response_hop_limit=limit, http_protocol_ipv6="enabled")
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sniffer.bind(("lo", 0))
    with Background(Settings(host=address, port=80, options=options)):
        for sent in (PUT + GET + PUT + LAST, PUT, GET):
            with socket.create_connection((address, 80), timeout=10) as client:
                client.sendall(sent)
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):
                    pass
    time.sleep(0.1)
    sniffer.settimeout(0)
    seen: dict[str, list[int]] = {"token": [], "metadata": []}
    while True:
        try:
            frame = sniffer.recv(65536)
        except BlockingIOError:
            break
        # The sniffer is told twice of what loopback carries; both have the same time to live.
        if b"HTTP/1.1 200 OK" in frame:
            what = "metadata" if b"i-1234567890abcdef0" in frame else "token"
            seen[what].append(hops_of(frame))
    print(json.dumps(seen))  # noqa: T201 - this is the result


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
