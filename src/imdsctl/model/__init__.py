"""The values that all rooms share: frozen, serialisable, and importing nothing of ours."""
