"""Functions and classes of the text itself."""

from typing import Final

from imdsctl.lint.readers import _forms as f
from imdsctl.lint.readers._assigning import Assigning
from imdsctl.lint.readers._language import Called, Language
from imdsctl.lint.readers._values import (
    NOTHING,
    UNKNOWN,
    Answer,
    Func,
    Kind,
    Obj,
    Ref,
    Scope,
    Tab,
    Value,
    either,
)
from imdsctl.lint.source import Source

_DEEPEST_CALL: Final = 6
_MOST_CALLS: Final = 2_000


class Functions(Assigning):
    """Those of a pass: each is gone through at its calls, and at least once."""

    def __init__(self, source: Source, language: Language) -> None:
        super().__init__(source, language)
        self._functions: list[Func] = []
        self._kinds: dict[int, Kind] = {}
        self._done: set[f.Function] = set()
        self._stack: list[f.Function] = []
        self._calls = 0

    def invoke(
        self, func: Func, args: list[Value] | None, named: dict[str, Value] | None = None
    ) -> Value:
        """Call a function of the text; `args` of None are unknown ones."""
        form = func.form
        if (
            form in self._stack
            or len(self._stack) >= _DEEPEST_CALL
            or (self._calls >= _MOST_CALLS and args is not None)
        ):
            return UNKNOWN
        self._calls += 1
        self._done.add(form)
        self._stack.append(form)
        self._mocked += form.mocked
        try:
            return self._body(func, args, named or {})
        finally:
            self._stack.pop()
            self._mocked -= form.mocked

    def _body(self, func: Func, args: list[Value] | None, named: dict[str, Value]) -> Value:
        form = func.form
        scope = func.scope if form.inline else self._scope_of(func)
        returned = scope.returned
        for index, param in enumerate(form.params):
            self._bind_param(param, index, args, named, scope)
        last = self.all(form.body, scope)
        if form.inline:
            return last
        if form.yields:
            returned = [*returned, last]
        return either(*returned) if returned else NOTHING

    def _scope_of(self, func: Func) -> Scope:
        around = func.scope
        if func.this is None:
            return Scope(parent=around)
        if self.language.bare_members:
            around = Scope(func.this.fields, around)
        return Scope({func.form.receiver: func.this}, around)

    def _bind_param(
        self,
        param: f.Param,
        index: int,
        args: list[Value] | None,
        named: dict[str, Value],
        scope: Scope,
    ) -> None:
        value: Value
        if param.name in named:
            value = named[param.name]
        elif args is not None and index < len(args):
            value = args[index]
        elif param.default is not None:
            value = self.evaluate(param.default, scope)
            if args is None:
                value = either(value, Ref(param.name, local=True))
        else:
            value = Ref(param.name, local=True)
        if param.name:
            scope.values[param.name] = value
        for key, name in param.parts:
            inner = value.find(key) if isinstance(value, Tab) else None
            fallback = value if isinstance(value, Answer) else Ref(name, local=True)
            scope.values[name] = inner if inner is not None else fallback

    def callbacks(self, called: Called, args: list[Value]) -> Value | None:
        """Run the functions that a call is given; what the last one gives."""
        result: Value | None = None
        for func in called.functions:
            result = self.invoke(func, args or None)
        return result

    def _function(self, form: f.Function, scope: Scope) -> Value:
        func = Func(form, scope)
        self._functions.append(func)
        if form.name:
            scope.values[form.name] = func
        return func

    def _class(self, form: f.Class, scope: Scope) -> Value:
        shared = Obj(form.name)
        bases = tuple(self.evaluate(base, scope) for base in form.bases)
        for base in bases:
            if isinstance(base, Kind):
                shared.fields.update(self._bound(base.shared.fields, shared))
            elif isinstance(base, Ref) and (handler := self.language.calls.get(base.name)):
                made = handler(self, Called(f.Call(form.at, form), base.name, NOTHING, [], {}))
                if isinstance(made, Obj):
                    shared.kind, shared.fields = made.kind, made.fields
        kind = Kind(form, scope, shared, bases)
        if form.name:
            scope.values[form.name] = kind
        self._kinds[id(shared)] = kind
        inside = Scope(shared.fields, scope)
        for inner in form.body:
            value = self.evaluate(inner, inside)
            if isinstance(value, Func) and value.form is inner:
                value.this, value.scope = shared, scope
        return kind

    @staticmethod
    def _bound(fields: dict[str, Value], this: Obj) -> dict[str, Value]:
        return {
            name: Func(one.form, one.scope, this) if isinstance(one, Func) and one.this else one
            for name, one in fields.items()
        }

    def _made(
        self, kind: Kind, args: list[Value] | None, named: dict[str, Value] | None = None
    ) -> Obj:
        made = Obj(kind.shared.kind)
        made.fields = self._bound(kind.shared.fields, made)
        kind.made.append(made)
        for name in self.language.constructors:
            maker = made.fields.get(kind.form.name if name == "*" else name)
            if isinstance(maker, Func):
                self.invoke(maker, args, named)
                return made
        made.fields.update(named or {})
        return made
