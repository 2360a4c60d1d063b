"""One instance's findings, weighed into its verdict."""

from imdsctl.judge import rules
from imdsctl.judge.facts import InstanceFacts
from imdsctl.judge.rulebook import modules, weigh
from imdsctl.model.verdict import Verdict


def judge_instance(facts: InstanceFacts) -> Verdict:
    """The verdict on one instance: `ready` only if no rule says otherwise."""
    findings = [(name, found) for name, rule in modules(rules) if (found := rule(facts))]
    return weigh(
        facts.instance.id, facts.instance.account, facts.instance.region, findings, facts.evidence
    )
