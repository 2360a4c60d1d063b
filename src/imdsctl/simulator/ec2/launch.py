"""Births and deaths of instances: one path for the API, for Auto Scaling and for the seeder."""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

from moto.core.types import Base64EncodedString

from imdsctl.simulator.ec2 import clones, templates
from imdsctl.simulator.ec2 import options as levels
from imdsctl.simulator.ec2.errors import Refused
from imdsctl.simulator.ec2.images import imds_support, resolved_image
from imdsctl.simulator.ec2.region import (
    TERMINATED_VISIBLE,
    InstanceOptions,
    RegionState,
    backend_of,
    naive,
    state_of,
)
from imdsctl.simulator.life import Caller, Life, Options
from imdsctl.simulator.world import current

pending_seconds: float = 2.0
"""Simulated seconds for which changed metadata options stay `pending`; a fault may raise it."""

LARGE_LAUNCH = 1000
"""From how many instances on the garbage collector waits until a launch is done."""

RESTART = timedelta(minutes=2)
"""How long an instance was down before a boot in its seeded history."""


def launch(
    account: str,
    region: str,
    *,
    image_id: str | None = None,
    options: Mapping[str, object] | None = None,
    template: tuple[str, int | str] | None = None,
    count: int = 1,
    tags: Mapping[str, str] | None = None,
    callers: Sequence[Caller] = (),
    launched_at: datetime | None = None,
    booted_at: datetime | None = None,
    stopped_at: datetime | None = None,
    terminated_at: datetime | None = None,
    state: str = "running",
    instance_type: str | None = None,
    spot: bool = False,
    platform: str = "linux",
    metrics: bool = True,
    traced: bool = False,
    software: Sequence[str] = (),
    ssm: bool = True,
    role: str = "instance-role",
    credentials: Literal["working", "broken"] = "working",
    operator: str = "",
    asg: str | None = None,
    name: str | Sequence[str] | None = None,
    user_data: str | None = None,
    iam_instance_profile: str | None = None,
    history_options: Sequence[tuple[datetime, Options]] = (),
    recorded_from: datetime | None = None,
) -> list[str]:
    """Launch `count` instances, now or in the past, and give their ids.

    Metadata options are resolved as AWS resolves them, each separately: `options`, then the
    template's, the account's default, the image. A launch now (no `launched_at`) is refused
    when the account enforces tokens and they would be optional; one in the past was before that.

    Args:
        account: the account's id.
        region: the region's name.
        image_id: the AMI; None takes the template's.
        options: options given with the launch, under AWS's names in snake_case. A launch
            configuration's options go here, too.
        template: a launch template's id or name and a version: a number, $Default or $Latest.
        count: how many.
        tags: the instances' tags; those of the template and AWS's own are added.
        callers: the programs that live on each of them.
        launched_at: when they were first launched; None for now.
        booted_at: their last start, if later; it becomes LaunchTime, as after a stop and start.
        stopped_at: when they were stopped, with `state` "stopped".
        terminated_at: when they were terminated. More than an hour ago, only their lives (and so
            their metrics) remain.
        state: "running" or "stopped".
        instance_type: None takes the template's, else m5.large.
        spot: whether they are Spot Instances.
        platform: "linux" or "windows".
        metrics: False if CloudWatch has no data points of them at all.
        traced: whether a host trace of them exists.
        software: "name version" of the packages that SSM inventory shows.
        ssm: whether Systems Manager manages them.
        role: the IAM role whose credentials their metadata service has, unless they have an
            instance profile; "" for none.
        credentials: "broken" where that role's credentials do not resolve.
        operator: the principal of the AWS service that manages them, or "".
        asg: the Auto Scaling group they belong to.
        name: their Name tag, or one for each.
        user_data: their user data as plain text; None takes the template's.
        iam_instance_profile: the name of their instance profile; None takes the template's.
        history_options: the options they have had since launch, oldest first; the last are those
            they have now. Empty: always those they were born with.
        recorded_from: when their metrics begin; None for their launch.

    Raises:
        Refused: as RunInstances would be.
    """
    backend = backend_of(account, region)
    known = state_of(backend)
    version = templates.find_version(backend, template[0], template[1]) if template else None
    data: dict[str, Any] = version.data if version else {}
    image = resolved_image(image_id or data.get("ImageId"))
    if not image:
        raise Refused("MissingParameter", "The request must contain the parameter ImageId")
    resolved = levels.resolve_options(
        options,
        levels.from_wire(data.get("MetadataOptions")),
        known.defaults,
        imds_support(backend, image),
    )
    if launched_at is None:
        enforce(known, resolved)
    born = launched_at or current().now
    past = list(history_options) or [(born, resolved)]
    all_tags = {**(templates.instance_tags(version) if version else {}), **(tags or {})}
    if asg:
        all_tags["aws:autoscaling:groupName"] = asg
    if past[-1][1].instance_metadata_tags == "enabled":
        levels.check_tag_keys(all_tags)

    end = terminated_at or (stopped_at or born if state == "stopped" else None)
    runs, boots = _runs(born, booted_at, end)
    common = Life(
        instance_id="",
        account=account,
        region=region,
        name="",
        asg=asg,
        launched_at=born,
        callers=tuple(callers),
        metrics=metrics,
        traced=traced,
        software=tuple(software),
        ssm=ssm,
        role=role,
        credentials=credentials,
        platform=platform,
        options=past,
        runs=runs,
        boots=boots,
        terminated_at=terminated_at,
        recorded_from=recorded_from,
    )
    profile = iam_instance_profile or (data.get("IamInstanceProfile") or {}).get("Name")
    look = {
        "image_id": image,
        "instance_type": instance_type or data.get("InstanceType") or "m5.large",
        "launch_time": naive(boots[-1]),
        "user_data": Base64EncodedString.from_raw_string(user_data)
        if user_data
        else data.get("UserData"),
        "platform": "windows" if platform == "windows" else None,
        "lifecycle": "spot" if spot or templates.asks_for_spot(data) else None,
        "imdsctl_operator": operator,
        "iam_instance_profile": clones.profile(account, profile) if profile else None,
    }
    names = [name or ""] * count if name is None or isinstance(name, str) else list(name)
    with _collector_paused(count):
        return [
            _bear(
                backend,
                common,
                {"Name": own_name, **all_tags} if own_name else dict(all_tags),
                asg or own_name or image,
                {**look, "metadata_options": InstanceOptions(past[-1][1], _settles(launched_at))},
                stopped=state == "stopped",
            )
            for own_name in names[:count]
        ]


def terminate(account: str, region: str, ids: Sequence[str]) -> None:
    """Terminate instances now; those terminated already stay as they are.

    Raises:
        Refused: InvalidInstanceID.NotFound for an instance that does not exist.
    """
    if ids:
        backend_of(account, region).terminate_instances(list(ids))


def enforce(known: RegionState, resolved: Options) -> None:
    """Refuse a launch that the account's HttpTokensEnforced forbids; it is judged last.

    Raises:
        Refused: UnsupportedOperation.
    """
    if known.enforced and resolved.http_tokens != "required":
        raise Refused("UnsupportedOperation", levels.ENFORCED_MESSAGE)


def _bear(
    backend: Any,
    common: Life,
    tags: dict[str, str],
    key: str,
    look: Mapping[str, Any],
    *,
    stopped: bool,
) -> str:
    """Bring one instance into the world, and give its id."""
    known, world = state_of(backend), current()
    instance_id = known.new_id("i", key)
    world.lives[instance_id] = replace(
        common,
        instance_id=instance_id,
        name=tags.get("Name", ""),
        options=list(common.options),
        runs=list(common.runs),
        boots=list(common.boots),
        failovers=[],
        commands=[],
    )
    ended = common.terminated_at
    if ended is not None and ended + TERMINATED_VISIBLE <= world.now:
        return instance_id
    instance = clones.clone(backend, known, instance_id, naive(common.launched_at))
    for name, value in look.items():
        setattr(instance, name, value)
    backend.tags[instance_id].update(tags)
    known.add(instance)
    if stopped:
        instance.stop()
    if ended is not None:
        instance.terminate()
        known.bury(instance, ended)
    return instance_id


def _settles(launched_at: datetime | None) -> datetime:
    """When the options of a new instance are applied: at once for one of the past."""
    return launched_at or current().now + timedelta(seconds=pending_seconds)


@contextmanager
def _collector_paused(count: int) -> Iterator[None]:
    """Keep the garbage collector from going through a large fleet again and again meanwhile."""
    pause = count >= LARGE_LAUNCH and gc.isenabled()
    if pause:
        gc.disable()
    try:
        yield
    finally:
        if pause:
            gc.enable()


def _runs(
    born: datetime, booted: datetime | None, stopped: datetime | None
) -> tuple[list[tuple[datetime, datetime | None]], list[datetime]]:
    """The times an instance ran and booted, from what is told of its history."""
    if booted is None or booted <= born or (stopped and booted >= stopped):
        return [(born, stopped)], [born]
    return [(born, max(born, booted - RESTART)), (booted, stopped)], [born, booted]
