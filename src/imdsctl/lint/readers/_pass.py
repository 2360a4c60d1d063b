"""What a pass over a program keeps, and how it takes note of a request."""

from collections.abc import Iterable

from imdsctl.lint.facts import Known
from imdsctl.lint.readers import _forms as f
from imdsctl.lint.readers import _metadata_url
from imdsctl.lint.readers._embedding import Embedding
from imdsctl.lint.readers._language import Called, Language
from imdsctl.lint.readers._program_settings import Settings
from imdsctl.lint.readers._seen import Seen, header, method_of, name_of, of_another_cloud, proxy_of
from imdsctl.lint.readers._values import (
    NOTHING,
    UNKNOWN,
    Answer,
    Func,
    Scope,
    Str,
    Value,
    alternatives,
    as_parts,
)
from imdsctl.lint.source import Source
from imdsctl.lint.tokens import LIFETIME, TOKEN


class Pass:
    """The state of a pass; what goes through forms is added by the classes on top of it."""

    def __init__(self, source: Source, language: Language) -> None:
        self.source = source
        self.language = language
        self.seen: list[Seen] = []
        self.settings = Settings(source)
        self.embedding = Embedding(source)
        self.elsewhere: set[f.Form] = set()
        self.everything_mocked = False
        self.proxy: Value = NOTHING
        self._direct = False
        self._token_fetched = False
        self._mocked = 0
        self._fallback = 0
        self._catches: list[Known] = []

    def all(self, forms: Iterable[f.Form], scope: Scope) -> Value:
        """Go through forms in their order; the value of the last."""
        value: Value = NOTHING
        for form in forms:
            value = self.evaluate(form, scope)
        return value

    def evaluate(self, form: f.Form, scope: Scope) -> Value:
        """What a form comes to."""
        raise NotImplementedError

    def environment(self, key: Value, value: Value) -> None:
        """A variable of the program's own environment: proxies are heeded by most clients."""
        name = key.shown().lower() if isinstance(key, Str) else ""
        if name in {"http_proxy", "all_proxy"} and not self._direct:
            self.proxy = value
        elif name == "no_proxy" and isinstance(value, Str):
            shown = value.shown()
            if "169.254" in shown or "fd00:ec2" in shown or "*" in shown:
                self._direct, self.proxy = True, NOTHING

    def invoke(
        self, func: Func, args: list[Value] | None, named: dict[str, Value] | None = None
    ) -> Value:
        """Call a function of the text; `args` of None are unknown ones."""
        raise NotImplementedError

    def callbacks(self, called: Called, args: list[Value]) -> Value | None:
        """Run the functions that a call is given; what the last one gives."""
        raise NotImplementedError

    def member_of(self, of: Value, name: str) -> Value:
        """A member of a value."""
        raise NotImplementedError

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
        named = proxy_of(proxy)
        if not named and bypasses == "no":
            named = proxy_of(self.proxy)
        if named:
            bypasses = "no"
        seen: list[Seen] = []
        for one in alternatives(url):
            place = _metadata_url.target(Str(as_parts(one)).shown())
            if place is None:
                self.elsewhere.add(form)
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
                    token_from=name_of(value),
                    lifetime=lifetime,
                    fails=fails,
                    checked=checked,
                    bypasses_proxy=bypasses,
                    proxy=named,
                    follows=self._token_fetched,
                    fallback=self._fallback > 0,
                    origin=origin,
                )
            )
        self.seen += seen
        self._token_fetched |= any(one.is_token_request for one in seen)
        return Answer(seen) if seen else UNKNOWN

    @property
    def catching(self) -> bool:
        """Whether something around takes errors."""
        return bool(self._catches)
