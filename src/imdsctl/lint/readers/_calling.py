"""Calls: of the text's own functions, of libraries, of what is not known."""

from typing import Final

from imdsctl.lint.readers import _forms as f
from imdsctl.lint.readers import _known_methods
from imdsctl.lint.readers._attention import attention, worst
from imdsctl.lint.readers._functions import Functions
from imdsctl.lint.readers._language import Called
from imdsctl.lint.readers._seen import header, name_of
from imdsctl.lint.readers._values import (
    NOTHING,
    UNKNOWN,
    Answer,
    Func,
    Kind,
    Nothing,
    Obj,
    Ref,
    Scope,
    Seq,
    Str,
    Tab,
    Value,
    alternatives,
    either,
)
from imdsctl.lint.tokens import TOKEN

_SETTERS: Final = frozenset({"setenv", "putenv", "setdefault", "setenvironmentvariable"})
_UNCAUGHT: Final = frozenset({"catch", "rescue", "fail", "exceptionally", "onerror"})


class Calling(Functions):
    """Those of a pass."""

    def _call(self, form: f.Call, scope: Scope) -> Value:
        this: Value = NOTHING
        if isinstance(form.function, f.Member):
            this = self.evaluate(form.function.of, scope)
            name, function = form.function.name, UNKNOWN
        elif isinstance(form.function, f.Name):
            name = form.function.name
            found = scope.find(name)
            function = found if found is not None else Ref(name)  # type: ignore[assignment]
        else:
            name, function = "", self.evaluate(form.function, scope)  # type: ignore[assignment]
        args = [self.evaluate(one, scope) for one in form.args]
        named: dict[str, Value] = {}
        is_open = False
        for key, inner in form.named:
            value = self.evaluate(inner, scope)
            if key:
                named[key] = value
                continue
            spread = Tab()
            _known_methods.merge(spread, value)
            for name_of_it, one in spread.entries.items():
                named[name_of_it.lower() if self.language.any_case else name_of_it] = one
            is_open = is_open or spread.open
        called = Called(form, name, this, args, named, is_open)
        self.settings.call(called)
        if name.lower() in _SETTERS and len(args) > 1:
            self.environment(args[0], args[1])
        if isinstance(form.function, f.Member):
            results = [self._method(one, called) for one in alternatives(this)]
        else:
            results = [self._apply(one, called) for one in alternatives(function)]
        return either(*results)

    def _apply(self, function: Value, called: Called) -> Value:
        """Call a function by its name."""
        if isinstance(function, Func):
            return self.invoke(function, called.args, called.named)
        if isinstance(function, Kind):
            return self._made(function, called.args, called.named)
        if isinstance(function, Ref) and not function.local:
            return self._known(function.name, called)
        return self._unknown(called)

    def _known(self, name: str, called: Called) -> Value:
        called = Called(called.form, name, called.this, called.args, called.named, called.open)
        wanted = name.lower() if self.language.any_case else name
        if wanted in self.language.mocks:
            self.everything_mocked = True
        handler = self.language.calls.get(wanted)
        result = handler(self, called) if handler else None
        if result is None:
            return self._unknown(called)
        given = self.callbacks(called, [result])
        # A block that a request is made for may be what gives its answer.
        return either(result, given) if isinstance(given, Answer) else result

    def _method(self, this: Value, called: Called) -> Value:
        """Call a method of a value."""
        called = Called(called.form, called.name, this, called.args, called.named, called.open)
        if isinstance(this, Kind):
            if called.name in {"new", "New"} and called.name not in this.shared.fields:
                return self._made(this, called.args, called.named)
            this = this.made[0] if this.made and called.name in this.made[0].fields else this.shared
        if isinstance(this, Ref) and not this.local:
            return self._known(f"{this.name}.{called.name}", called)
        if isinstance(this, Obj):
            own = this.fields.get(called.name)
            if isinstance(own, Func | Kind):
                return self._apply(own, called)
            if own is not None and self.language.bare_calls and not called.args:
                return own
            handler = self.language.methods.get(f"{this.kind}.{called.name}")
            result = handler(self, called) if handler else None
            if result is not None:
                given = self.callbacks(called, [result])
                return either(result, given) if isinstance(given, Answer) else result
        if isinstance(this, Answer):
            return self._on_answer(this, called)
        plain = self._on_plain(this, called)
        return plain if plain is not None else self._unknown(called)

    def _on_plain(self, this: Value, called: Called) -> Value | None:
        if isinstance(this, Str):
            return _known_methods.on_string(this, called)
        if isinstance(this, Tab):
            own = this.find(called.name)
            if isinstance(own, Func):
                return self.invoke(own, called.args, called.named)
            return _known_methods.on_table(this, called)
        if isinstance(this, Seq):
            if called.functions:
                return self.callbacks(called, [either(*this.items)])
            return _known_methods.on_list(this, called)
        return None

    def _on_answer(self, this: Answer, called: Called) -> Value:
        self._header_after(this, called)
        if called.name in self.language.status:
            for one in this.seen:
                one.examined()
        functions = called.functions
        if called.name.lower() in _UNCAUGHT or _names_an_error(called):
            for one in this.seen:
                caught = worst(attention(func.form.body) for func in functions)
                one.checked = caught if functions else one.checked
            self.callbacks(called, [UNKNOWN])
            return this
        given = self.callbacks(called, [this])
        return this if given is None or isinstance(given, Nothing) else given

    @staticmethod
    def _header_after(this: Answer, called: Called) -> None:
        """A header that a request gets once it is made: `req.setHeader`, superagent's `set`."""
        key = called.get(0)
        if isinstance(key, Tab):
            name, value = header(key, TOKEN)
        elif len(called.args) > 1:
            name, value = header(Seq([Seq(called.args[:2])]), TOKEN)
        else:
            return
        for one in this.seen if name == "yes" else ():
            one.token, one.token_from = "yes", name_of(value)

    def _unknown(self, called: Called) -> Value:
        """A call of something that nothing is known of."""
        guess = self.language.guess(self, called) if self.language.guess else None
        answer = next(
            (
                one
                for v in [called.this, *called.args]
                for one in alternatives(v)
                if isinstance(one, Answer)
            ),
            None,
        )
        result = guess if guess is not None else answer
        given = self.callbacks(called, [result] if result is not None else [])
        if result is not None:
            return result
        return given if isinstance(given, Answer) else UNKNOWN


def _names_an_error(called: Called) -> bool:
    first = called.args[0] if called.args else NOTHING
    return called.name in {"on", "once"} and isinstance(first, Str) and first.constant == "error"
