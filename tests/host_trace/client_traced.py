"""Runs one client of the shelf in one world, from inside whatever cgroup this was started in."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "real_clients"))

from client_runs import observe
from client_shelf import named

if __name__ == "__main__":
    json.dump(asdict(observe(named(sys.argv[1], sys.argv[2]), sys.argv[3])), sys.stdout)
