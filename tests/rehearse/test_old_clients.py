"""A real old client: boto 2.49, which knows no tokens. Installed for the test, or skipped."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from rehearsals import python, rehearse, why_impossible

pytestmark = pytest.mark.skipif(bool(why_impossible()), reason=why_impossible() or "possible")

BOTO = (
    "boto==2.49.0 --hash=sha256:147758d41ae7240dc989f0039f27da8ca0d53734be0eb869ef16e3adcfa462e8\n"
)
ASKS = """
import sys
sys.path.insert(0, {folder!r})
import boto, boto.utils
print(boto.__version__, boto.utils.get_instance_metadata(timeout=1, num_retries=1))
"""


@pytest.fixture(scope="module")
def boto() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="boto-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "requirements.txt").write_text(BOTO)
        words = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes"]
        words += ["--retries", "0", "--timeout", "15", "--target", str(folder / "packages")]
        words += ["-r", str(folder / "requirements.txt")]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip("boto 2.49.0 cannot be installed: no package index here")
        yield folder / "packages"


def test_boto_2_is_v1_only_though_it_ends_well(boto: Path) -> None:
    said = rehearse(python(), "-W", "ignore", "-c", ASKS.format(folder=str(boto)))
    assert "2.49.0 {}" in said.err, "it says nothing of what it did not get"
    assert (said.code, said.json()["exit_code"]) == (1, 0)
    assert said.json()["finding"]["verdict"] == "v1-only"


def test_in_a_container_boto_2_is_still_v1_only(boto: Path) -> None:
    said = rehearse(
        python(), "-W", "ignore", "-c", ASKS.format(folder=str(boto)), options=("--container",)
    )
    assert said.json()["finding"]["verdict"] == "v1-only"
