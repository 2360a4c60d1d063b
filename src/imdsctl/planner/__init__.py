"""Verdicts in, a plan out: pure functions that order changes into a freeze and waves.

Nothing is planned that the verdicts do not call ready; what is held back is listed with why.
"""
