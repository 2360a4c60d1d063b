"""The early end of a run."""


class Stopped(Exception):  # noqa: N818 - it is no error: the run ended early, as it should
    """The run stopped at a gate or after too many failures; the journal says why."""
