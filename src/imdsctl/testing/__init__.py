"""For the tests of other people's software: an IMDS that counts who still speaks IMDSv1.

    with Imds(http_tokens="required") as imds:
        subprocess.run(["my-program"], env={**os.environ, **imds.environment()}, check=True)
    assert imds.v1_calls == 0

Nothing is imported before it is asked for, because pytest loads this room in every run.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imdsctl.testing.imds import Imds

__all__ = ["Imds"]


def __getattr__(name: str) -> Any:
    if name == "Imds":
        from imdsctl.testing.imds import Imds  # noqa: PLC0415 - see above

        return Imds
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
