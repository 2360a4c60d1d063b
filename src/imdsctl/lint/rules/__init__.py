"""The rules, one a file; the module's name with hyphens is the rule's name.

A module here defines `RULE`, with good and bad examples that are both its tests and its page in the
manual.
"""
