"""The simulated AWS's own endpoint: its clock, its truth, and the levers of its faults."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from imdsctl.simulator.calls import Reply, json_reply
from imdsctl.simulator.faults import BadRequestError, parse_faults

if TYPE_CHECKING:
    from imdsctl.simulator.server import SimulatedAws

PREFIX = "/_imdsctl/"
_EVENTS = ("failover", "reboot", "stop", "start")
_FAR = 20 * 366 * 86400
_REAL_SECONDS = 10.0


def answer(aws: "SimulatedAws", method: str, path: str, body: bytes) -> Reply:
    """Answer one call to the control endpoint; what makes no sense gets 400 and a JSON error."""
    name, _, rest = path.removeprefix(PREFIX).partition("/")
    handlers: Mapping[tuple[str, str], Callable[[], Reply]] = {
        ("GET", "clock"): lambda: _clock(aws),
        ("POST", "clock"): lambda: _advance(aws, body),
        ("GET", "truth"): lambda: _truth(aws),
        ("GET", "trace"): lambda: _trace(aws, rest),
        ("POST", "trigger"): lambda: _trigger(aws, body),
        ("POST", "scale"): lambda: _scale(body),
        ("POST", "faults"): lambda: _faults(aws, body),
        ("GET", "calls"): lambda: json_reply({"calls": aws.calls.view()}),
        ("POST", "budgets"): lambda: _budgets(aws, body),
    }
    handler = handlers.get((method, name))
    if handler is None or (rest and name != "trace"):
        known = ", ".join(f"{verb} {PREFIX}{word}" for verb, word in handlers)
        status = 405 if any(word == name for _, word in handlers) and not rest else 404
        return json_reply({"error": f"no {method} {path} here; there is {known}"}, status)
    if (method, name) == ("POST", "clock"):
        # What takes real time, a script on a host, is given some before time jumps.
        aws.world.errands.settle(_REAL_SECONDS)
    try:
        with aws.world.lock:
            aws.world.catch_up()
            return handler()
    except BadRequestError as problem:
        return json_reply({"error": str(problem)}, 400)


def _read(body: bytes, required: Mapping[str, type], optional: Mapping[str, type]) -> Any:
    """The JSON object in `body`, with exactly the members that are known, each of its type."""
    try:
        value = json.loads(body)
    except ValueError as problem:
        raise BadRequestError(f"the body is no JSON: {problem}") from problem
    if not isinstance(value, dict):
        raise BadRequestError(f"expected a JSON object, got {type(value).__name__}")
    known = {**required, **optional}
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise BadRequestError(f"unknown key {unknown[0]!r}; the keys are {', '.join(known)}")
    missing = [key for key in required if key not in value]
    if missing:
        raise BadRequestError(f"key {missing[0]!r} is missing")
    for key, item in value.items():
        # JSON's true is an int to Python, and 1 is a fair value for a float.
        fits = isinstance(item, bool) == (known[key] is bool) and isinstance(
            item, int | float if known[key] is float else known[key]
        )
        if not fits:
            raise BadRequestError(f"{key} must be a {known[key].__name__}, not {item!r}")
    return value


def _clock(aws: "SimulatedAws") -> Reply:
    return json_reply({"now": aws.world.now.isoformat().replace("+00:00", "Z")})


def _advance(aws: "SimulatedAws", body: bytes) -> Reply:
    seconds = _read(body, {"advance_seconds": float}, {})["advance_seconds"]
    if not 0 <= seconds <= _FAR:
        raise BadRequestError(f"advance_seconds must be from 0 to {_FAR}, not {seconds}")
    aws.world.advance(seconds)
    return _clock(aws)


def _truth(aws: "SimulatedAws") -> Reply:
    from imdsctl.simulator.truth import truth  # noqa: PLC0415 - only asked for in rehearsals

    return json_reply(truth(aws.world))


def _life_exists(aws: "SimulatedAws", instance: str) -> None:
    if instance not in aws.world.lives:
        raise BadRequestError(f"there is no instance {instance!r}")


def _trace(aws: "SimulatedAws", instance: str) -> Reply:
    from imdsctl.simulator.truth import trace  # noqa: PLC0415 - only asked for in rehearsals

    _life_exists(aws, instance)
    if not aws.world.lives[instance].traced:
        raise BadRequestError(f"instance {instance} is not traced in its fleet file")
    lines = "".join(json.dumps(line) + "\n" for line in trace(aws.world, instance))
    return Reply(200, (("Content-Type", "application/x-ndjson"),), lines.encode())


def _trigger(aws: "SimulatedAws", body: bytes) -> Reply:
    from imdsctl.simulator.truth import trigger  # noqa: PLC0415 - only asked for in rehearsals

    wanted = _read(body, {"instance": str, "event": str}, {})
    if wanted["event"] not in _EVENTS:
        raise BadRequestError(f"event must be one of {', '.join(_EVENTS)}, not {wanted['event']!r}")
    _life_exists(aws, wanted["instance"])
    trigger(aws.world, wanted["instance"], wanted["event"])
    return json_reply(wanted)


def _scale(body: bytes) -> Reply:
    from imdsctl.simulator.autoscaling import scale  # noqa: PLC0415 - moto is slow to import

    wanted = _read(body, {"asg": str, "account": str, "region": str}, {"by": int})
    by = wanted.get("by", 1)
    if by == 0:
        raise BadRequestError("by must be a whole number other than 0")
    try:
        launched = scale(wanted["account"], wanted["region"], wanted["asg"], by)
    except LookupError as problem:
        raise BadRequestError(str(problem)) from problem
    return json_reply({"asg": wanted["asg"], "instances": launched})


def _faults(aws: "SimulatedAws", body: bytes) -> Reply:
    try:
        value = json.loads(body)
    except ValueError as problem:
        raise BadRequestError(f"the body is no JSON: {problem}") from problem
    faults = parse_faults(value)
    aws.faults.replace(faults)
    return json_reply({"faults": len(faults)})


def _budgets(aws: "SimulatedAws", body: bytes) -> Reply:
    enforce = _read(body, {"enforce": bool}, {})["enforce"]
    aws.budgets.enforce(enforced=enforce)
    return json_reply({"enforce": enforce})
