"""What tests of kernel programs share with those of the trace."""

from host_kernel import _kernel, container, slow, unit, world

__all__ = ["_kernel", "container", "slow", "unit", "world"]
