"""Feeds the decoder what atheris makes up: `python tests/imds/fuzz_imds_decoder.py -runs=100000`.

The first byte says how the rest is cut. Whatever it is, nothing may raise, and cut or whole it has
to give the same requests.
"""

import importlib
import sys
from typing import Any

# Not in the locked requirements: it has no wheel for every platform.
atheris: Any = importlib.import_module("atheris")

with atheris.instrument_imports():
    from imdsctl.imds.classify import RequestDecoder, requests_in, status_of


def one_input(data: bytes) -> None:
    step, sent = (data[0] % 16) + 1 if data else 1, data[1:]
    decoder = RequestDecoder()
    seen: list[Any] = []
    for i in range(0, len(sent), step):
        seen += decoder.feed(sent[i : i + step])
    seen += decoder.finish()
    if seen != requests_in(sent):
        raise AssertionError(f"cut by {step} it is another thing: {sent!r}")
    status_of(sent)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
