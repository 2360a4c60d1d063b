"""What a run does, told as it happens."""

from collections.abc import Callable

from imdsctl.cli.screen import Part, Screen, count, span
from imdsctl.model.plan import Plan
from imdsctl.model.run import Entry

_MARKS = {
    "applied": ("✓", "green"),
    "skipped": ("·", ""),
    "failed": ("✗", "red"),
    "undone": ("↩", "yellow"),
    "undo-failed": ("✗", "red"),
    "gate-passed": ("✓", "green"),
    "gate-failed": ("✗", "red"),
}


def teller(screen: Screen, plan: Plan) -> Callable[[Entry], None]:
    """A watcher of the journal that prints one line for each thing that matters, on stderr."""
    changes = plan.changes()
    waves = {c.id: w for w in plan.waves for c in w.changes}
    many = {w.number for w in plan.waves if len(w.changes) > 12}  # noqa: PLR2004 - a screenful
    counts: dict[int, int] = {}

    def tell(entry: Entry) -> None:
        mark, style = _MARKS.get(entry.event, ("", ""))
        detail = str(entry.data.get("detail", ""))
        if entry.event == "gate-waiting":
            soak = span(float(entry.data["soak_seconds"]))
            _row(screen, "gate", f"{entry.subject}: soak {soak}")
        elif entry.event == "execution-started":
            data = entry.data
            asked = " ".join(f"{k}={v}" for k, v in sorted(data["parameters"].items()))
            targets = count(len(data["changes"]), "instance")
            where = {changes[c].cell for c in data["changes"] if c in changes}
            place = str(next(iter(where))) if len(where) == 1 else f"{len(where)} places"
            what = f"{data['document']} on {targets} in {place}: {asked}"
            _row(screen, "automation", f"{what}  {data['id']}")
        elif entry.event in ("gate-passed", "gate-failed"):
            _row(screen, "gate", (f"{mark} ", style), f"{entry.subject}: {detail}")
        elif entry.subject in changes and mark:
            change, wave = changes[entry.subject], waves[entry.subject]
            canary = entry.subject in wave.canaries
            uneventful = entry.event in ("applied", "undone") and not detail
            uneventful |= entry.event == "skipped" and detail == "already so"
            quiet = uneventful and not canary and not change.irreversible
            if quiet and wave.number in many and not screen.verbose:
                counts[wave.number] = counts.get(wave.number, 0) + 1
                done, total = counts[wave.number], len(wave.changes) - len(wave.canaries)
                if done % 25 == 0 or done == total:
                    _row(screen, wave.name, f"{done}/{total}")
                return
            label = "canary" if canary else wave.name
            name = f" {change.name}" if change.name not in ("", change.resource) else ""
            resource = change.resource
            if change.kind == "account-defaults":
                resource = f"{change.account}/{change.region}"
            what = f"{change.kind} {resource}{name}"
            _row(screen, label, (f"{mark} ", style), f"{what}  {detail}".rstrip())

    return tell


def _row(screen: Screen, label: str, *parts: Part) -> None:
    screen.note(f"  {label:12} ", *parts, hang=17)
