"""What an expression comes to, as far as the text alone tells."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from imdsctl.lint.readers._forms import Call, Class, Form, Function, Span

if TYPE_CHECKING:
    from imdsctl.lint.readers._seen import Seen

_LONGEST = 4_000
"""Stretches of a string; what comes after is nowhere looked for."""
_MOST = 6
"""Alternatives of a value that are kept; what comes after is not looked at."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """None, null, nil, or an argument that is not given."""


@dataclass(frozen=True, slots=True)
class Ref:
    """Something known by its name alone; `local` if the name is the text's own."""

    name: str = ""
    local: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A known stretch of a string and the bytes of the text that it comes from."""

    text: str
    at: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Hole:
    """An unknown stretch: the variable that it comes from, and the response whose text it is."""

    name: str = ""
    answer: "Answer | None" = None


@dataclass(frozen=True, slots=True)
class Str:
    """A string, number or truth value in known and unknown stretches."""

    parts: tuple[Piece | Hole, ...]

    def shown(self, hole: str = "*") -> str:
        """The text with `hole` for what is not known."""
        return "".join(p.text if isinstance(p, Piece) else hole for p in self.parts)

    @property
    def constant(self) -> str | None:
        """The text if all of it is known."""
        if any(isinstance(p, Hole) for p in self.parts):
            return None
        return self.shown()


@dataclass(eq=False, slots=True)
class Tab:
    """A mutable table; `open` if it may hold more than is known."""

    entries: dict[str, "Value"] = field(default_factory=dict)
    open: bool = False

    def find(self, name: str) -> "Value | None":
        """The value of a key, whatever its case: names of headers have none."""
        wanted = name.lower()
        for key, value in self.entries.items():
            if key.lower() == wanted:
                return value
        return None


@dataclass(eq=False, slots=True)
class Seq:
    """A mutable list."""

    items: list["Value"] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Obj:
    """An object: of a library's kind, or of a class of the text."""

    kind: str
    fields: dict[str, "Value"] = field(default_factory=dict)
    made_by: Call | None = None


@dataclass(eq=False, slots=True)
class Func:
    """A function of the text with what it sees around it."""

    form: Function
    scope: "Scope"
    this: Obj | None = None


@dataclass(eq=False, slots=True)
class Kind:
    """A class of the text; `shared` has what is static, and stands for any object of it."""

    form: Class
    scope: "Scope"
    shared: Obj
    bases: tuple["Value", ...] = ()
    made: list[Obj] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Answer:
    """The response to requests, or anything made from it."""

    seen: list["Seen"] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The variable that took it."""
        return next((one.stored_in for one in self.seen if one.stored_in), "")


@dataclass(frozen=True, slots=True)
class OneOf:
    """Any of some values."""

    values: tuple["Value", ...]


Value = Nothing | Ref | Str | Tab | Seq | Obj | Func | Kind | Answer | OneOf
NOTHING: Final = Nothing()
UNKNOWN: Final = Ref()


@dataclass(eq=False, slots=True)
class Scope:
    """The variables of a function, and those around it."""

    values: dict[str, Value] = field(default_factory=dict)
    parent: "Scope | None" = None
    returned: list[Value] = field(default_factory=list)

    def find(self, name: str) -> Value | None:
        """The value of the nearest variable of that name."""
        scope: Scope | None = self
        while scope is not None:
            if (found := scope.values.get(name)) is not None:
                return found
            scope = scope.parent
        return None

    def holder(self, name: str) -> "Scope":
        """The scope that has the variable; this one if none has."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.values:
                return scope
            scope = scope.parent
        return self


def text(value: str, at: Span | None = None) -> Str:
    """A known string."""
    return Str((Piece(value, at),))


def alternatives(value: Value) -> tuple[Value, ...]:
    """What a value may be."""
    return value.values if isinstance(value, OneOf) else (value,)


def either(*values: Value) -> Value:
    """One of these, without what is there twice."""
    kept: list[Value] = []
    for value in values:
        for one in alternatives(value):
            if len(kept) < _MOST and all(one is not k and one != k for k in kept):
                kept.append(one)
    if not kept:
        return UNKNOWN
    return kept[0] if len(kept) == 1 else OneOf(tuple(kept))


def as_parts(value: Value, form: Form | None = None) -> tuple[Piece | Hole, ...]:
    """A value as part of a string."""
    if isinstance(value, Str):
        return value.parts
    if isinstance(value, Answer):
        return (Hole(value.name, value),)
    if isinstance(value, Ref):
        return (Hole(value.name),)
    if isinstance(value, Obj) and "url" in value.fields:
        return as_parts(value.fields["url"], form)
    return (Hole(),)


def concatenated(values: list[Value]) -> Value:
    """Strings behind one another, with each alternative as long as they are few."""
    heads: list[list[Piece | Hole]] = [[]]
    for value in values:
        tails = [as_parts(one) for one in alternatives(value)]
        if len(heads) * len(tails) > _MOST:
            tails = [(Hole(),)]
        if len(tails) == 1:
            for head in heads:
                head.extend(tails[0])
        else:
            heads = [[*head, *tail] for head in heads for tail in tails]
    return either(*(Str(tuple(head[:_LONGEST])) for head in heads))
