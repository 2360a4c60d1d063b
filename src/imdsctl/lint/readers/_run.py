"""A program gone through from top to bottom without being run: who asks for what, with which token.

Every arm of a branch is taken and every function is called, at its calls with their values and at
least once; what is not known stays unknown. The work is bounded by steps and by depth, whatever
the text.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from imdsctl.lint.facts import Known
from imdsctl.lint.readers import _forms as f
from imdsctl.lint.readers import _imds_url, _known_methods
from imdsctl.lint.readers._embedding import Embedding
from imdsctl.lint.readers._language import Called, Language
from imdsctl.lint.readers._seen import (
    LIFETIME,
    TOKEN,
    Seen,
    header,
    method_of,
    name_of,
    of_another_cloud,
    proxy_of,
)
from imdsctl.lint.readers._settings import Settings
from imdsctl.lint.readers._values import (
    NOTHING,
    UNKNOWN,
    Answer,
    Func,
    Kind,
    Nothing,
    Obj,
    OneOf,
    Ref,
    Scope,
    Seq,
    Str,
    Tab,
    Value,
    alternatives,
    as_parts,
    concatenated,
    either,
    text,
)
from imdsctl.lint.source import Source

_DEEPEST: Final = 150
_DEEPEST_CALL: Final = 6
_MOST_CALLS: Final = 2_000
_MOST_STEPS: Final = 1_000_000
_UNCAUGHT: Final = frozenset({"catch", "rescue", "fail", "exceptionally", "onerror"})


class Run:
    """One text's pass; its results are in `seen`, `settings` and `embedding`."""

    def __init__(self, source: Source, language: Language) -> None:
        self.source = source
        self.language = language
        self.seen: list[Seen] = []
        self.settings = Settings(source)
        self.embedding = Embedding(source)
        self.everything_mocked = False
        self._token_fetched = False
        self._mocked = 0
        self._catches: list[Known] = []
        self._functions: list[Func] = []
        self._kinds: dict[int, Kind] = {}
        self._done: set[f.Function] = set()
        self._stack: list[f.Function] = []
        self._steps = self._depth = self._calls = 0
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

    # What libraries' handlers use.

    def request(
        self,
        form: f.Form,
        client: str,
        method: str | Value,
        url: Value,
        headers: Value = NOTHING,
        *,
        fails: Known = "no",
        bypasses: Known = "unknown",
        proxy: Value = NOTHING,
        raises: bool = True,
        origin: f.Call | None = None,
    ) -> Value:
        """A request as a library makes it, and what it answers.

        Args:
            form: where it is sent.
            client: what sends it.
            method: the method, or the value of the option that says it.
            url: where to.
            headers: all that it sends, in any of the ways that `header` reads.
            fails: whether a status that tells an error is an error to the program.
            bypasses: whether it ignores the proxies of the environment.
            proxy: the option that names one.
            raises: whether its errors are exceptions.
            origin: the call that a safe edit would change.
        """
        if self._mocked or of_another_cloud(headers):
            return UNKNOWN
        if not isinstance(method, str):
            method = method_of(method, "GET")
        token, value = header(headers, TOKEN)
        lifetime, _ = header(headers, LIFETIME)
        checked: Known = "yes" if fails == "yes" and raises else "unknown"
        if self._catches and raises:
            caught = self._catches[-1]
            checked = caught if caught != "yes" or fails == "yes" else "unknown"
        seen: list[Seen] = []
        for one in alternatives(url):
            place = _imds_url.split(Str(as_parts(one)).shown())
            if place is None:
                continue
            host, path = place
            seen.append(
                Seen(
                    form=form,
                    client=client,
                    method=method,
                    host=host,
                    path=path,
                    token=token,
                    token_from=name_of(value) if token == "yes" else "",
                    lifetime=lifetime,
                    fails=fails,
                    checked=checked,
                    bypasses_proxy=bypasses,
                    proxy=proxy_of(proxy),
                    follows=self._token_fetched,
                    origin=origin,
                )
            )
        self.seen += seen
        self._token_fetched |= any(one.is_token_request for one in seen)
        return Answer(seen) if seen else UNKNOWN

    def invoke(self, func: Func, args: list[Value] | None, named: dict[str, Value] | None = None) -> Value:
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
        self, param: f.Param, index: int, args: list[Value] | None, named: dict[str, Value], scope: Scope
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

    @property
    def catching(self) -> bool:
        """Whether something around takes errors."""
        return bool(self._catches)

    def callbacks(self, called: Called, args: list[Value]) -> Value | None:
        """Run the functions that a call is given; what the last one gives."""
        result: Value | None = None
        for func in called.functions:
            result = self.invoke(func, args if args else None)
        return result

    # Statements and expressions.

    def all(self, forms: Iterable[f.Form], scope: Scope) -> Value:
        """Go through forms in their order; the value of the last."""
        value: Value = NOTHING
        for form in forms:
            value = self.evaluate(form, scope)
        return value

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
            return Seq([v for one in values for v in (one.items if isinstance(one, Seq) else [one])])
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
            named = text(key.name) if isinstance(key, f.Name) else self.evaluate(key, scope)
            _known_methods.put(table, named, value)
            self.settings.take(key.at[0], form.at[1], inner.at, named, value)
        return table

    def _items(self, form: f.Items, scope: Scope) -> Value:
        return Seq([self.evaluate(one, scope) for one in form.items])

    def _member(self, form: f.Member, scope: Scope) -> Value:
        of = self.evaluate(form.of, scope)
        return either(*(self._member_of(one, form.name) for one in alternatives(of)))

    def _member_of(self, of: Value, name: str) -> Value:
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

    def _made(self, kind: Kind, args: list[Value] | None, named: dict[str, Value] | None = None) -> Obj:
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

    def _each(self, form: f.Each, scope: Scope) -> Value:
        items = self.evaluate(form.items, scope)
        if form.target is not None:
            of = either(*items.items) if isinstance(items, Seq) else UNKNOWN
            of = items if isinstance(items, Answer) else of
            if of == UNKNOWN and isinstance(form.target, f.Name):
                of = Ref(form.target.name, local=True)
            self._bind(form.target, of, scope, declares=True)
        return self.all(form.body, scope)

    def _branch(self, form: f.Branch, scope: Scope) -> Value:
        self.all(form.tests, scope)
        before = scope.values
        after: list[dict[str, Value]] = [] if form.whole else [before]
        values: list[Value] = []
        for arm in form.arms:
            scope.values = dict(before)
            values.append(self.all(arm, scope))
            after.append(scope.values)
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
            self._catches.append(_worst(attention(one) for one in form.handlers))
        value = self.all(form.body, scope)
        if form.handlers:
            self._catches.pop()
        before = dict(scope.values)
        for handler in form.handlers:
            self.all(handler, scope)
            scope.values.update(before)
        self.all(form.final, scope)
        return value

    def _shell(self, form: f.Shell, scope: Scope) -> Value:
        self.embedding.command(self.evaluate(form.command, scope), form.at)
        return UNKNOWN

    # Assignments.

    def _assign(self, form: f.Assign, scope: Scope) -> Value:
        value = self.evaluate(form.value, scope)
        if len(form.targets) == 1:
            target = form.targets[0]
            if form.adds:
                value = self._added(target, value, scope)
            self._bind(target, value, scope, declares=form.declares)
            return value
        self._spread(form.targets, value, scope, declares=form.declares)
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
        self, targets: Sequence[f.Form], value: Value, scope: Scope, *, declares: bool
    ) -> None:
        items = value.items if isinstance(value, Seq) else []
        if isinstance(value, Answer) and self.language.errors_are_values:
            thrown = isinstance(targets[-1], f.Name) and targets[-1].name == "_"
            for one in value.seen:
                one.checked = "no" if thrown else "yes" if one.fails == "yes" else one.checked
        for index, target in enumerate(targets):
            given: Value = items[index] if index < len(items) else UNKNOWN
            if not items and (index == 0 or isinstance(value, Answer)) and not (
                self.language.errors_are_values and index == len(targets) - 1
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
            self._put(target, self.evaluate(target.of, scope), self.evaluate(target.key, scope), value)
        else:
            self.evaluate(target, scope)

    def _unpack(self, target: f.Table, value: Value, scope: Scope, *, declares: bool) -> None:
        for key, inner in target.entries:
            name = key.name if isinstance(key, f.Name) else ""
            found = self._member_of(value, name) if name else value
            self._bind(inner, found, scope, declares=declares)

    @staticmethod
    def _stored(name: str, value: Value) -> None:
        for one in alternatives(value):
            if isinstance(one, Answer):
                for seen in one.seen:
                    seen.stored_in = name

    def _put(self, target: f.Member | f.Item, of: Value, key: Value, value: Value) -> None:
        self.settings.take(target.at[0], target.at[1], target.at, key, value)
        for one in alternatives(of):
            if isinstance(one, Tab):
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

    # Calls.

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
                caught = _worst(attention(func.form.body) for func in functions)
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
            (one for v in [called.this, *called.args] for one in alternatives(v) if isinstance(one, Answer)),
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


def _worst(found: Iterable[Known]) -> Known:
    order: tuple[Known, ...] = ("no", "unknown", "yes")
    return min(found, key=order.index, default="unknown")


def attention(handler: Iterable[f.Form]) -> Known:
    """Whether a handler of errors does anything about them: no if it only goes on."""
    returns = False
    for form in handler:
        if isinstance(form, f.Raise | f.Call | f.Shell):
            return "yes"
        if isinstance(form, f.Return):
            returns = True
            inner: tuple[f.Form, ...] = (form.value,) if form.value else ()
        elif isinstance(form, f.Assign):
            inner = (form.value,)
        elif isinstance(form, f.Opaque):
            inner = form.parts
        elif isinstance(form, f.Block):
            inner = form.body
        elif isinstance(form, f.Branch):
            inner = (*form.tests, *(one for arm in form.arms for one in arm))
        elif isinstance(form, f.Try):
            inner = form.body
        elif isinstance(form, f.Each):
            inner = form.body
        else:
            continue
        found = attention(inner)
        if found == "yes":
            return "yes"
        returns = returns or found == "unknown"
    return "unknown" if returns else "no"
