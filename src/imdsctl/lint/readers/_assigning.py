"""Assignments: to variables, members and items, of one value or of several."""

from collections.abc import Sequence
from typing import Final

from imdsctl.lint.readers import _forms as f
from imdsctl.lint.readers import _known_methods
from imdsctl.lint.readers._pass import Pass
from imdsctl.lint.readers._seen import header, name_of
from imdsctl.lint.readers._values import (
    UNKNOWN,
    Answer,
    Hole,
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
    concatenated,
    either,
    text,
)
from imdsctl.lint.tokens import TOKEN

_ENVIRONMENTS: Final = {"os.environ", "process.env", "ENV", "env"}


class Assigning(Pass):
    """Those of a pass."""

    def _assign(self, form: f.Assign, scope: Scope) -> Value:
        value = self.evaluate(form.value, scope)
        if len(form.targets) == 1:
            target = form.targets[0]
            if form.adds:
                value = self._added(target, value, scope)
            self._bind(target, value, scope, declares=form.declares)
            return value
        called = form.value.function if isinstance(form.value, f.Call) else None
        reads = isinstance(called, f.Member | f.Name) and (
            called.name.rpartition(".")[2] in self.language.readers
        )
        self._spread(form.targets, value, scope, declares=form.declares, reads=reads)
        return value

    def _added(self, target: f.Form, value: Value, scope: Scope) -> Value:
        before = self.evaluate(target, scope)
        if isinstance(before, Tab):
            _known_methods.merge(before, value)
            return before
        if isinstance(before, Seq):
            before.items += value.items if isinstance(value, Seq) else [value]
            return before
        if isinstance(value, Answer) and isinstance(before, Nothing | Ref | Answer):
            return value
        return concatenated([before, value])

    def _spread(
        self,
        targets: Sequence[f.Form],
        value: Value,
        scope: Scope,
        *,
        declares: bool,
        reads: bool = False,
    ) -> None:
        items = value.items if isinstance(value, Seq) else []
        if isinstance(value, Answer) and self.language.errors_are_values:
            thrown = isinstance(targets[-1], f.Name) and targets[-1].name == "_" and not reads
            for one in value.seen:
                one.checked = "no" if thrown else "yes" if one.fails == "yes" else one.checked
        for index, target in enumerate(targets):
            given: Value = items[index] if index < len(items) else UNKNOWN
            if (
                not items
                and (index == 0 or isinstance(value, Answer))
                and not (self.language.errors_are_values and index == len(targets) - 1)
            ):
                given = value
            if given == UNKNOWN and isinstance(target, f.Name):
                given = Ref(target.name, local=True)
            self._bind(target, given, scope, declares=declares)

    def _bind(self, target: f.Form, value: Value, scope: Scope, *, declares: bool = False) -> None:
        if isinstance(target, f.Name):
            if value == UNKNOWN:
                value = Ref(target.name, local=True)
            holder = scope if declares or self.language.local else scope.holder(target.name)
            holder.values[target.name] = value
            self._stored(target.name, value)
        elif isinstance(target, f.Items):
            self._spread(target.items, value, scope, declares=declares)
        elif isinstance(target, f.Table):
            self._unpack(target, value, scope, declares=declares)
        elif isinstance(target, f.Member):
            self._stored(target.name, value)
            name = self.language.aliases.get(target.name, target.name)
            self._put(target, self.evaluate(target.of, scope), text(name), value)
        elif isinstance(target, f.Item):
            self._put(
                target, self.evaluate(target.of, scope), self.evaluate(target.key, scope), value
            )
        else:
            self.evaluate(target, scope)

    def _unpack(self, target: f.Table, value: Value, scope: Scope, *, declares: bool) -> None:
        for key, inner in target.entries:
            name = key.name if isinstance(key, f.Name) else ""
            found = self.member_of(value, name) if name else value
            self._bind(inner, found, scope, declares=declares)

    @staticmethod
    def _stored(name: str, value: Value) -> None:
        for one in alternatives(value):
            if isinstance(one, Answer):
                for seen in one.seen:
                    seen.stored_in = name
            elif isinstance(one, Str):  # token += piece
                held = [p.answer for p in one.parts if isinstance(p, Hole) and p.answer]
                for seen in held[0].seen if held and not one.shown("") else ():
                    seen.stored_in = seen.stored_in or name

    def _put(self, target: f.Member | f.Item, of: Value, key: Value, value: Value) -> None:
        self.settings.take(target.at[0], target.at[1], target.at, key, value)
        for one in alternatives(of):
            if isinstance(one, Ref) and one.name in _ENVIRONMENTS:
                self.environment(key, value)
            elif isinstance(one, Tab):
                _known_methods.put(one, key, value)
            elif isinstance(one, Answer):
                found, _ = header(Seq([Seq([key, value])]), TOKEN)
                for seen in one.seen if found == "yes" else ():
                    seen.token, seen.token_from = "yes", name_of(value)
            elif isinstance(one, Kind) and isinstance(key, Str):
                one.shared.fields[key.shown()] = value
            elif isinstance(one, Obj) and isinstance(key, Str):
                name = key.shown()
                headers = one.fields.get("headers")
                if isinstance(target, f.Item) and isinstance(headers, Tab):
                    _known_methods.put(headers, key, value)
                else:
                    one.fields[name] = value

    def _each(self, form: f.Each, scope: Scope) -> Value:
        items = self.evaluate(form.items, scope)
        if form.target is not None:
            of = either(*items.items) if isinstance(items, Seq) else UNKNOWN
            of = items if isinstance(items, Answer) else of
            if of == UNKNOWN and isinstance(form.target, f.Name):
                of = Ref(form.target.name, local=True)
            self._bind(form.target, of, scope, declares=True)
        return self.all(form.body, scope)
