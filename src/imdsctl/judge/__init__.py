"""Evidence in, verdicts out: pure functions of what was read, the policy and the time."""
