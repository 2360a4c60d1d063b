"""The few forms that a program's text is reduced to, the same for every language.

What a language writes otherwise is lowered to these by its `_<language>_forms` module; what has no
meaning for a request is an `Opaque`, whose parts are still looked at. `at` is a span of bytes of
the text, as tree-sitter gives it.
"""

from dataclasses import dataclass, field

Span = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """Anything; a form is what it is by its identity."""

    at: Span


@dataclass(frozen=True, slots=True, eq=False)
class Text(Form):
    """A constant: a string's value, or a number's or a truth value's spelling."""

    value: str


@dataclass(frozen=True, slots=True, eq=False)
class Nil(Form):
    """None, null, nil."""


@dataclass(frozen=True, slots=True, eq=False)
class Name(Form):
    """A variable, function, class or module; dots are part of a name of a package."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Joined(Form):
    """Strings (or lists) put behind one another: +, interpolation."""

    parts: tuple[Form, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Formatted(Form):
    """A template with `%s` or `{0}` and what fills it."""

    template: Form
    filling: tuple[Form, ...]
    braces: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Table(Form):
    """A dict, hash, object or map; a key of None spreads its value."""

    entries: tuple[tuple[Form | None, Form], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Items(Form):
    """A list, array or tuple."""

    items: tuple[Form, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Member(Form):
    """`of.name`."""

    of: Form
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Item(Form):
    """`of[key]`."""

    of: Form
    key: Form


@dataclass(frozen=True, slots=True, eq=False)
class Call(Form):
    """A call; a named argument without a name is a spread of named ones."""

    function: Form
    args: tuple[Form, ...] = ()
    named: tuple[tuple[str, Form], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Param(Form):
    """A parameter; `parts` are the names that a destructured one binds (key, name)."""

    name: str
    default: Form | None = None
    parts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Function(Form):
    """A function, method, closure or block.

    Attributes:
        receiver: the name under which its object is known in it.
        inline: a block that shares the variables around it.
        mocked: its requests are answered by a test's library.
        is_property: it is called by being named.
        yields: its last form is its value.
    """

    name: str
    params: tuple[Param, ...]
    body: tuple[Form, ...]
    receiver: str = "this"
    inline: bool = False
    mocked: bool = False
    is_property: bool = False
    yields: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Class(Form):
    """A class with its fields (assignments) and methods."""

    name: str
    bases: tuple[Form, ...]
    body: tuple[Form, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Choice(Form):
    """One of several values: a ternary, `a or b`."""

    options: tuple[Form, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Assign(Form):
    """An assignment; `adds` for +=, `declares` for a new variable of the innermost function."""

    targets: tuple[Form, ...]
    value: Form
    adds: bool = False
    declares: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Import(Form):
    """A local name for something from elsewhere, by its full dotted name."""

    name: str
    whole: str


@dataclass(frozen=True, slots=True, eq=False)
class Return(Form):
    """`return`."""

    value: Form | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Raise(Form):
    """`raise`, `throw`, the end of the program."""

    value: Form | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Branch(Form):
    """Arms of which one is taken; not `whole` where it may be none of them."""

    tests: tuple[Form, ...]
    arms: tuple[tuple[Form, ...], ...]
    whole: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Try(Form):
    """A body whose errors its handlers take."""

    body: tuple[Form, ...]
    handlers: tuple[tuple[Form, ...], ...]
    final: tuple[Form, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Each(Form):
    """A loop over the items of a list."""

    target: Form | None
    items: Form
    body: tuple[Form, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Block(Form):
    """Forms after one another; its value is the last one's."""

    body: tuple[Form, ...]
    mocked: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Shell(Form):
    """A command line for a shell: backticks, `%x()`."""

    command: Form


@dataclass(frozen=True, slots=True, eq=False)
class Opaque(Form):
    """Something whose value is not known; its parts are looked at."""

    parts: tuple[Form, ...] = field(default=())
