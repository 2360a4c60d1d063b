"""The first two commands of the README, as somebody types them."""

import signal
import subprocess
import sys
from pathlib import Path

from cli.conftest import FLEET, process


def test_the_two_lines_that_simulate_prints_are_all_it_takes(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET)
    with process("simulate", "--port", "0", "--fleet", "fleet.toml", cwd=tmp_path) as server:
        try:
            assert server.stdout is not None
            exports = [server.stdout.readline(), server.stdout.readline()]
            assert exports[0].startswith("export AWS_ENDPOINT_URL=http://127.0.0.1:")
            assert exports[1] == "export IMDSCTL_CLOCK=simulated\n"
            story = "".join(exports) + (
                "export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_DEFAULT_REGION=eu-west-1\n"
                "set -e\n"
                'imdsctl() { python -m imdsctl "$@"; }\n'
                "imdsctl scan --regions eu-west-1\n"
                "imdsctl plan -f plan.json\n"
                "imdsctl apply plan.json --yes\n"
            )
            environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
            told = subprocess.run(
                ["bash", "-c", story],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert told.returncode == 0, told.stderr
            assert "finished: " in told.stdout
            assert "called v1 in the last 14 days" in told.stdout
        finally:
            server.send_signal(signal.SIGINT)
            out, err = server.communicate(timeout=30)
    assert server.returncode == 0, err
    assert out == "", "stdout held the two lines and nothing else"
    assert "Traceback" not in err
