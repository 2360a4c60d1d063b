"""Rehearsing IMDSv2 only: a command comes in, what it asked of IMDS and a verdict go out.

The command runs in a network of its own in which an emulated metadata service answers; nothing of
the machine or the instance is changed, and nothing is left behind.
"""
