"""The decoder under a coverage-guided fuzzer, where one is installed."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
def test_a_fuzzer_finds_no_bytes_that_break_the_decoder(tmp_path: Path) -> None:
    (tmp_path / "request").write_bytes(
        b"\x03PUT /latest/api/token HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
        b"\r\nGET / HTTP/1.1\r\nX-aws-ec2-metadata-token: a\r\nContent-Length: 2\r\n\r\nab"
    )
    ran = subprocess.run(
        [sys.executable, str(HERE / "fuzz_imds_decoder.py"), "-runs=30000", "-max_len=600",
         "-seed=1", f"-artifact_prefix={tmp_path}/", str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
