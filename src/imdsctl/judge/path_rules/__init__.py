"""The rules that judge a launch path, one a file; a new file here is a new rule.

Each module has a function `judge(facts: PathFacts) -> Finding | None`. The module's name, with
hyphens, is the rule's name.
"""
