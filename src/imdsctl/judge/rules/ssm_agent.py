"""A Systems Manager agent that does not speak IMDSv2: the instance is lost to Systems Manager."""

from imdsctl.judge.facts import Finding, InstanceFacts
from imdsctl.judge.installed import cited, cut_off


def judge(facts: InstanceFacts) -> Finding | None:
    """A caution that says what no longer works once tokens are required, and what still does.

    The agent has its credentials and its region from the metadata service (Systems Manager User
    Guide, "Working with SSM Agent").
    """
    lost = next((old for old in cut_off(facts) if old.is_agent), None)
    if lost is None:
        return None
    return Finding(
        confidence="low",
        summary=f"{lost.named} {lost.does}: once tokens are required, Systems Manager loses the "
        "instance, and with it Run Command, Automation and `imdsctl verify --host`. A rollback by "
        "the EC2 API still works.",
        fix=f"{lost.fix} Do so before tokens are required, by Run Command while it still answers.",
        evidence=cited(facts),
    )
