"""A program gone through from top to bottom without being run: who asks for what, with which token.

Every arm of a branch is taken and every function is called, at its calls with their values and at
least once; what is not known stays unknown. The work is bounded by steps and by depth, whatever
the text.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from imdsctl.lint.readers import _forms as f
from imdsctl.lint.readers import _known_methods
from imdsctl.lint.readers._attention import attention, worst
from imdsctl.lint.readers._calling import Calling
from imdsctl.lint.readers._language import Language
from imdsctl.lint.readers._seen import Seen, way_back
from imdsctl.lint.readers._uses import Uses, stays_in, uses
from imdsctl.lint.readers._values import (
    NOTHING,
    UNKNOWN,
    Answer,
    Func,
    Kind,
    Obj,
    Ref,
    Scope,
    Seq,
    Str,
    Tab,
    Value,
    alternatives,
    concatenated,
    either,
    text,
)
from imdsctl.lint.source import Source

_DEEPEST: Final = 150
_MOST_STEPS: Final = 1_000_000


class Run(Calling):
    """One text's pass; its results are in `seen`, `settings` and `embedding`."""

    def __init__(self, source: Source, language: Language) -> None:
        super().__init__(source, language)
        self._steps = self._depth = 0
        self._uses: Uses = {}
        self._forms: dict[type[f.Form], Callable[[Any, Scope], Value]] = {
            f.Text: self._text, f.Nil: lambda _form, _scope: NOTHING, f.Name: self._name,
            f.Joined: self._joined, f.Formatted: self._formatted, f.Table: self._table,
            f.Items: self._items, f.Member: self._member, f.Item: self._item, f.Call: self._call,
            f.Function: self._function, f.Class: self._class, f.Choice: self._choice,
            f.Assign: self._assign, f.Import: self._import, f.Return: self._return,
            f.Raise: self._raise, f.Branch: self._branch, f.Try: self._try, f.Each: self._each,
            f.Block: self._block, f.Shell: self._shell, f.Opaque: self._opaque,
        }  # fmt: skip

    def program(self, forms: Sequence[f.Form], mentioned: frozenset[str]) -> None:
        """Go through a text: its own statements, then every function that nothing called."""
        main = Obj("main")
        self._uses = uses(forms)
        self.all(forms, Scope({"self": main, "this": main}))
        for kind in list(self._kinds.values()):
            if not kind.made:
                self._made(kind, None)
        for called_elsewhere in (False, True):
            at = 0
            while at < len(self._functions):
                func = self._functions[at]
                at += 1
                if func.form in self._done or (func.form.name in mentioned) > called_elsewhere:
                    continue
                self.invoke(self._on_made(func), None)

    def _on_made(self, func: Func) -> Func:
        kind = self._kinds.get(id(func.this))
        if kind is None or not kind.made:
            return func
        bound = kind.made[0].fields.get(func.form.name)
        return bound if isinstance(bound, Func) and bound.form is func.form else func

    def evaluate(self, form: f.Form, scope: Scope) -> Value:
        """What a form comes to."""
        self._steps += 1
        if self._depth >= _DEEPEST or self._steps > _MOST_STEPS:
            return UNKNOWN
        self._depth += 1
        try:
            return self._forms[type(form)](form, scope)
        finally:
            self._depth -= 1

    def _text(self, form: f.Text, _scope: Scope) -> Value:
        value = text(form.value, form.at)
        self.embedding.script(value)
        return value

    def _name(self, form: f.Name, scope: Scope) -> Value:
        found = scope.find(form.name)
        if found is None:
            return Ref(form.name)
        if self.language.bare_calls and isinstance(found, Func) and not found.form.inline:
            return self.invoke(found, [])
        return found

    def _joined(self, form: f.Joined, scope: Scope) -> Value:
        values = [self.evaluate(part, scope) for part in form.parts]
        if any(isinstance(one, Seq) for one in values):
            return Seq(
                [v for one in values for v in (one.items if isinstance(one, Seq) else [one])]
            )
        joined = concatenated(values)
        for one in alternatives(joined):
            if isinstance(one, Str):
                self.embedding.script(one)
        return joined

    def _formatted(self, form: f.Formatted, scope: Scope) -> Value:
        template = self.evaluate(form.template, scope)
        filling = [self.evaluate(one, scope) for one in form.filling]
        if isinstance(template, Str):
            return _known_methods.filled(template, filling, {}, braces=form.braces)
        return UNKNOWN

    def _table(self, form: f.Table, scope: Scope) -> Value:
        table = Tab()
        for key, inner in form.entries:
            value = self.evaluate(inner, scope)
            if key is None:
                _known_methods.merge(table, value)
                continue
            named = self.evaluate(key, scope)
            _known_methods.put(table, named, value)
            self.settings.take(key.at[0], form.at[1], inner.at, named, value)
        return table

    def _items(self, form: f.Items, scope: Scope) -> Value:
        return Seq([self.evaluate(one, scope) for one in form.items])

    def _member(self, form: f.Member, scope: Scope) -> Value:
        of = self.evaluate(form.of, scope)
        return either(*(self.member_of(one, form.name) for one in alternatives(of)))

    def member_of(self, of: Value, name: str) -> Value:
        name = self.language.aliases.get(name, name)
        if isinstance(of, Ref):
            return Ref(f"{of.name}.{name}", of.local)
        if isinstance(of, Answer):
            if name in self.language.status:
                for one in of.seen:
                    one.examined()
            return of
        if isinstance(of, Kind):
            of = of.made[0] if of.made and name in of.made[0].fields else of.shared
        if isinstance(of, Obj):
            found = of.fields.get(name)
            if isinstance(found, Func) and (found.form.is_property or self.language.bare_calls):
                return self.invoke(found, [])
            return found if found is not None else Ref(f"{of.kind}.{name}", local=True)
        if isinstance(of, Tab):
            found = of.find(name)
            return found if found is not None else Ref(name, local=True)
        return Ref(name, local=True)

    def _item(self, form: f.Item, scope: Scope) -> Value:
        of, key = self.evaluate(form.of, scope), self.evaluate(form.key, scope)
        constant = key.constant if isinstance(key, Str) else None
        if isinstance(of, Answer):
            return of
        if isinstance(of, Tab) and constant is not None:
            found = of.find(constant)
            return found if found is not None else Ref(constant, local=True)
        if isinstance(of, Seq):
            if constant and constant.isdigit() and int(constant[:6]) < len(of.items):
                return of.items[int(constant[:6])]
            return either(*of.items)
        return Ref(constant or "", local=True)

    def _choice(self, form: f.Choice, scope: Scope) -> Value:
        return either(*(self.evaluate(one, scope) for one in form.options))

    def _import(self, form: f.Import, scope: Scope) -> Value:
        value = Ref(form.whole)
        found = scope.values.get(form.name)
        scope.values[form.name] = either(found, value) if isinstance(found, Ref) else value
        return value

    def _return(self, form: f.Return, scope: Scope) -> Value:
        value = self.evaluate(form.value, scope) if form.value else NOTHING
        scope.returned.append(value)
        return value

    def _raise(self, form: f.Raise, scope: Scope) -> Value:
        if form.value:
            self.evaluate(form.value, scope)
        return UNKNOWN

    def _opaque(self, form: f.Opaque, scope: Scope) -> Value:
        values = [self.evaluate(part, scope) for part in form.parts]
        return next((one for one in values if isinstance(one, Answer)), UNKNOWN)

    def _block(self, form: f.Block, scope: Scope) -> Value:
        self._mocked += form.mocked
        value = self.all(form.body, scope)
        self._mocked -= form.mocked
        return value

    def _branch(self, form: f.Branch, scope: Scope) -> Value:
        self.all(form.tests, scope)
        before = scope.values
        after: list[dict[str, Value]] = [] if form.whole else [before]
        values: list[Value] = []
        asked: list[list[Seen]] = []
        for arm in form.arms:
            scope.values = dict(before)
            start = len(self.seen)
            values.append(self.all(arm, scope))
            asked.append(self.seen[start:])
            after.append(scope.values)
        way_back(asked)
        scope.values = before
        for name in {name for one in after for name in one}:
            had = [one[name] for one in after if name in one]
            if any(one is not had[0] for one in had):
                before[name] = either(*had)
            else:
                before[name] = had[0]
        return either(*values) if values else UNKNOWN

    def _try(self, form: f.Try, scope: Scope) -> Value:
        if form.handlers:
            self._catches.append(worst(attention(one) for one in form.handlers))
        start = len(self.seen)
        value = self.all(form.body, scope)
        asked = self.seen[start:]
        with_token = any(one.is_token_request or one.token == "yes" for one in asked)  # noqa: S105
        if form.handlers:
            self._catches.pop()
            for one in asked:  # a failure leaves the body, and nothing outside it has the value
                if one.checked == "no" and stays_in(one.stored_in, form.body, self._uses):
                    one.checked = "unknown"
        self._fallback += with_token
        before = dict(scope.values)
        for handler in form.handlers:
            self.all(handler, scope)
            scope.values.update(before)
        self._fallback -= with_token
        self.all(form.final, scope)
        return value

    def _shell(self, form: f.Shell, scope: Scope) -> Value:
        self.embedding.command(self.evaluate(form.command, scope), form.at)
        return UNKNOWN
