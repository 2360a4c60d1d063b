"""Posture in, guardrails out: policies that keep a fleet on V2, and what they would deny today.

Pure functions over the shared values; each statement is one file in `statements`, found by being
there. Nothing is attached to anything here.
"""
