"""The verdict on a launch path: may its next instance be born on V2 only?"""

from imdsctl.judge import path_rules
from imdsctl.judge.facts import PathFacts
from imdsctl.judge.rulebook import modules, weigh
from imdsctl.model.launch_path import JudgedPath


def judge_path(facts: PathFacts) -> JudgedPath:
    """`ready` if nothing that came from the path calls v1; held where its members are held."""
    path = facts.path
    findings = [(name, found) for name, rule in modules(path_rules) if (found := rule(facts))]
    return JudgedPath(
        path=path,
        verdict=weigh(path.id, path.account, path.region, findings, facts.evidence),
        boot_seen=bool(facts.siblings.booted_quiet),
    )
