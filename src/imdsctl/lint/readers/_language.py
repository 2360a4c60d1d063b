"""What the readers know of a language: its libraries' calls, and how its names are found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from imdsctl.lint.readers._forms import Call
from imdsctl.lint.readers._values import NOTHING, UNKNOWN, Func, Nothing, Seq, Tab, Value

if TYPE_CHECKING:
    from imdsctl.lint.readers._pass import Pass


@dataclass(eq=False, slots=True)
class Called:
    """A call with its values.

    Attributes:
        form: the call in the text.
        name: the dotted name of a function, or the method's name.
        this: the object of a method.
        args: by position.
        named: by name.
        open: whether there may be more named ones than are known.
    """

    form: Call
    name: str
    this: Value
    args: list[Value]
    named: dict[str, Value]
    open: bool = False

    def get(self, index: int | None, *names: str) -> Value:
        """An argument by its position or one of its names, NOTHING if it is not given."""
        for name in names:
            if name in self.named:
                return self.named[name]
        if index is not None and index < len(self.args):
            return self.args[index]
        return UNKNOWN if self.open and names else NOTHING

    @property
    def functions(self) -> list[Func]:
        """The functions among its arguments: callbacks, blocks."""
        given = [*self.args, *self.named.values()]
        inner = [v for one in given if isinstance(one, Tab) for v in one.entries.values()]
        return [one for one in (*given, *inner) if isinstance(one, Func)]

    def options(self, index: int) -> Tab:
        """The table at a position, an empty one if there is none."""
        given = self.args[index] if index < len(self.args) else NOTHING
        if isinstance(given, Tab):
            return given
        return Tab(open=not isinstance(given, Nothing | Func | Seq))


Handler = Callable[["Pass", Called], Value | None]


@dataclass(frozen=True, kw_only=True)
class Language:
    """A language's libraries and habits.

    Attributes:
        calls: by the dotted name of a function or class, what calling it does.
        methods: the same by `kind.method`, for objects that `calls` made.
        guess: for a method of something unknown.
        status: members of a response by which a program looks at its status.
        aliases: a library's name for a member that is kept under another.
        mocks: calls after which a text's requests are answered by a test's library.
        constructors: names of a class's constructor; `*` for the class's own name.
        local: an assignment makes a variable of the innermost function.
        bare_members: members are seen without their object's name.
        bare_calls: a function's name alone calls it.
        errors_are_values: a call gives its error as its last value, `_` throws it away.
        readers: functions that read an answer's body: their error is not the request's.
        any_case: names are the same in any case.
    """

    calls: Mapping[str, Handler]
    methods: Mapping[str, Handler] = field(default_factory=dict)
    guess: Handler | None = None
    status: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)
    mocks: frozenset[str] = frozenset()
    constructors: frozenset[str] = frozenset()
    local: bool = False
    bare_members: bool = False
    bare_calls: bool = False
    errors_are_values: bool = False
    readers: frozenset[str] = frozenset()
    any_case: bool = False
