"""Independent judges of policies, each installed in an environment of its own.

    python3 -m venv .judges
    .judges/bin/pip install parliament==1.6.4 'setuptools<81'
    npm install --prefix .judges @cloud-copilot/iam-simulate@0.1.173

`IMDSCTL_JUDGES` names another folder.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(os.environ.get("IMDSCTL_JUDGES", Path(__file__).parents[2] / ".judges")).absolute()
PYTHON = FOLDER / "bin" / "python"
SIMULATOR = FOLDER / "node_modules" / "@cloud-copilot" / "iam-simulate"

needs_linter = pytest.mark.skipif(
    not list(FOLDER.glob("lib/python*/site-packages/parliament")),
    reason=f"parliament is not in {FOLDER}",
)
needs_evaluator = pytest.mark.skipif(
    not SIMULATOR.exists() or shutil.which("node") is None,
    reason=f"node or @cloud-copilot/iam-simulate is not in {FOLDER}",
)

_LINT = """
import json, sys, parliament
print(json.dumps([
    [[f.issue, f.detail] for f in parliament.analyze_policy_string(json.dumps(policy)).findings]
    for policy in json.load(sys.stdin)
], default=str))
"""
_EVALUATE = """
import { runSimulation } from '@cloud-copilot/iam-simulate'
let text = ''
for await (const part of process.stdin) text += part
const said = []
for (const simulation of JSON.parse(text)) {
  const found = await runSimulation(simulation, {})
  said.push(found.resultType === 'error' ? JSON.stringify(found) : found.overallResult)
}
console.log(JSON.stringify(said))
"""


def findings(policies: list[dict[str, Any]]) -> list[list[Any]]:
    """What parliament finds wrong with each policy."""
    answer = subprocess.run(
        [PYTHON, "-W", "ignore", "-c", _LINT],
        input=json.dumps(policies),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: list[list[Any]] = json.loads(answer.stdout)
    return found


def results(simulations: list[dict[str, Any]]) -> list[str]:
    """`Allowed`, `ImplicitlyDenied` or `ExplicitlyDenied` for each request."""
    answer = subprocess.run(
        ["node", "--input-type=module", "-e", _EVALUATE],
        input=json.dumps(simulations),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=FOLDER,
    )
    found: list[str] = json.loads(answer.stdout)
    return found


def simulation(
    action: str,
    resource: str,
    context: dict[str, str],
    principal: str,
    *,
    identity: list[dict[str, Any]],
    service_control: list[dict[str, Any]],
) -> dict[str, Any]:
    """One request under these policies, as the evaluator takes it."""
    return {
        "request": {
            "action": action,
            "principal": principal,
            "resource": {"accountId": "111111111111", "resource": resource},
            "contextVariables": {"aws:PrincipalArn": principal, **context},
        },
        "identityPolicies": [{"name": str(n), "policy": p} for n, p in enumerate(identity)],
        "serviceControlPolicies": [
            {
                "orgIdentifier": "r-root",
                "policies": [{"name": str(n), "policy": p} for n, p in enumerate(service_control)],
            }
        ],
        "resourceControlPolicies": [],
    }


ALLOW_ALL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
