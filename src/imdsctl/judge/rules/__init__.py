"""The rules that judge an instance, one a file; a new file here is a new rule.

Each module has a function `judge(facts: InstanceFacts) -> Finding | None`. The module's name,
with hyphens, is the rule's name.
"""
