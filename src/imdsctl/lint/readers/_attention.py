"""What a program does about errors that it catches."""

from collections.abc import Iterable

from imdsctl.lint.facts import Known
from imdsctl.lint.readers import _forms as f


def worst(found: Iterable[Known]) -> Known:
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
        elif isinstance(form, f.Try | f.Each):
            inner = form.body
        else:
            continue
        found = attention(inner)
        if found == "yes":
            return "yes"
        returns = returns or found == "unknown"
    return "unknown" if returns else "no"
