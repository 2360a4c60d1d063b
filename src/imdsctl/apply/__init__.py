"""Carrying a plan out: make, wait, look, take back; every step in the journal first.

Plans and ports come in, journal entries go out. Nothing here knows botocore or SQL.
"""
