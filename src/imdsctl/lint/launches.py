"""What the rules about launches share: which launches, where an option stands, its name."""

from collections.abc import Iterable, Iterator
from typing import Literal

from imdsctl.lint.facts import Fact, Launch, Place
from imdsctl.model.verdict import Confidence

PRECEDENCE = (
    "EC2 User Guide, “Configure the instance metadata options”: launch parameters or the launch "
    "template, then the account's default in the Region, then the image, then IMDSv1 allowed"
)


def launches(
    facts: Iterable[Fact], makes: Literal["instance", "image", "default"] = "instance"
) -> Iterator[Launch]:
    """The facts that are launches, of instances or of what else is asked for."""
    yield from (fact for fact in facts if isinstance(fact, Launch) and fact.makes == makes)


def place_of(launch: Launch, option: str = "") -> Place:
    """Where a person has to look: at the option, the options, or the launch."""
    return launch.members.get(option) or (launch.options_place if option else None) or launch.place


def called(launch: Launch) -> str:
    """A launch by the name that its file gives it."""
    if not launch.name:
        return launch.what
    if launch.name.startswith(launch.what) or launch.name == launch.what:
        return launch.name
    return f"{launch.what} {launch.name}"


def certainty(launch: Launch, *options: str) -> Confidence:
    """High where the options are written out, medium where they are defaults of something."""
    return "medium" if launch.assumed & set(options) else "high"


def changeable(launch: Launch, option: str) -> str:
    """Words for a value that whoever uses the file may change."""
    return ", by default or in one branch of a condition," if option in launch.assumed else ""
