"""One guardrail a file, found by being there; a module defines `GUARDRAIL`, and that is all."""
