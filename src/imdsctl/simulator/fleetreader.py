"""Reading fleet files: every key known, every value checked, every error with its line."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar, get_args

from imdsctl.simulator import fleetfile as ff
from imdsctl.simulator.fleettable import FleetText, Table, one_of
from imdsctl.simulator.life import Behaviour, Caller, Container, When

_T = TypeVar("_T")

_LONGEST_HISTORY_DAYS: Final = 455  # CloudWatch keeps hourly data that long
_HOP_LIMITS: Final = (1, 64)
_STATES: Final = ("enabled", "disabled")
_AMI: Final = re.compile(r"ami-[0-9a-f]{8,17}|resolve:ssm:/?[\w./:-]+")
_REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d{1,2}")
_ACCOUNT: Final = re.compile(r"\d{12}")
_ENVIRONMENT: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{2,38})[A-Za-z0-9]")
_ROLE: Final = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_OPTION_ENUMS: Final[dict[str, tuple[str, ...]]] = {
    "http_tokens": ("optional", "required"),
    "http_endpoint": _STATES,
    "http_protocol_ipv6": _STATES,
    "instance_metadata_tags": _STATES,
}
# Account defaults have no IPv6 member, but say who manages them and whether they are enforced.
_DEFAULT_ENUMS: Final[dict[str, tuple[str, ...]]] = {
    "http_tokens": ("optional", "required"),
    "http_endpoint": _STATES,
    "instance_metadata_tags": _STATES,
    "http_tokens_enforced": _STATES,
    "managed_by": ("account", "declarative-policy"),
}


def read(text: str, name: str) -> ff.Fleet:
    """The fleet that `text` describes; `fleetfile.parse` is the public way here.

    Raises:
        FleetError: the text is no TOML, has an unknown key, or a value that makes no sense.
    """
    top = FleetText(text, name).root
    history = top.number("history_days", 14.0, above=0)
    if history > _LONGEST_HISTORY_DAYS:
        raise top.bad("history_days", f"at most {_LONGEST_HISTORY_DAYS}, CloudWatch's retention")
    start = top.raw("start")
    if start is not None and (not isinstance(start, datetime) or start.tzinfo is None):
        raise top.bad("start", "a date and time with an offset, such as 2026-11-01T00:00:00Z")
    accounts = _unique(top, "account", _account, lambda account: account.id)
    if not accounts:
        raise top.error(None, "no account", "at least one [[account]]")
    top.done()
    return ff.Fleet(name, accounts, history, start)


def _unique(
    parent: Table, key: str, read_one: Callable[[Table], _T], identity: Callable[[_T], str]
) -> tuple[_T, ...]:
    """Read all tables under `key`, which AWS tells apart by `identity`."""
    found: dict[str, _T] = {}
    for table in parent.tables(key):
        value = read_one(table)
        table.done()
        if identity(value) in found:
            field = "id" if key == "account" else "name"
            raise table.error(
                field, f'a second {key} "{identity(value)}"', f"each {key} once in its place"
            )
        found[identity(value)] = value
    return tuple(found.values())


def _account(table: Table) -> ff.Account:
    return ff.Account(
        id=table.matching("id", _ACCOUNT, "an account id of 12 digits, as text"),
        role=table.matching("role", _ROLE, "the name of an IAM role")
        if "role" in table
        else (table.text("role", "imdsctl-read")),
        automation_role=table.text("automation_role", "AWS-SystemsManager-AutomationExecutionRole"),
        regions=_unique(table, "region", _region, lambda region: region.name),
    )


def _region(table: Table) -> ff.Region:
    name = table.matching("name", _REGION, "the code of a region, such as eu-west-1")
    images = _unique(table, "image", _image, lambda image: image.name)
    known = tuple(image.name for image in images)
    templates = _unique(
        table, "launch_template", lambda one: _launch_template(one, known), lambda one: one.name
    )
    configurations = _unique(
        table, "launch_configuration", lambda one: _configuration(one, known), lambda one: one.name
    )
    by_name = {template.name: template for template in templates}
    old = tuple(configuration.name for configuration in configurations)
    groups = _unique(
        table, "auto_scaling_group", lambda one: _group(one, by_name, old), lambda one: one.name
    )
    owned = [one.beanstalk_environment for one in groups if one.beanstalk_environment]
    if len(owned) != len(set(owned)):
        raise table.error(
            "auto_scaling_group",
            "two groups of one beanstalk_environment",
            "a group of its own for each environment",
        )
    instances = []
    for one in table.tables("instance"):
        instances.append(_instance(one, known))
        one.done()
    return ff.Region(
        name=name,
        defaults=_options(table, "defaults", _DEFAULT_ENUMS, ("managed_exception_message",)) or {},
        denied=table.flag("denied", default=False),
        images=images,
        launch_templates=templates,
        launch_configurations=configurations,
        groups=groups,
        instances=tuple(instances),
    )


def _image(table: Table) -> ff.Image:
    support = table.choice("imds_support", ("v2.0",), "v2.0") if "imds_support" in table else None
    table.raw("imds_support")
    return ff.Image(table.name(), support)


def _image_reference(table: Table, known: tuple[str, ...]) -> str | None:
    image = table.text("image", None)
    if image is not None and image not in known and not _AMI.fullmatch(image):
        named = one_of(known) if len(known) > 1 else ", ".join(f'"{one}"' for one in known)
        raise table.bad("image", f"an image of this region ({named or 'there is none'}) or ami-…")
    return image


def _options(
    table: Table,
    key: str = "options",
    enums: dict[str, tuple[str, ...]] = _OPTION_ENUMS,
    texts: tuple[str, ...] = (),
) -> dict[str, str | int] | None:
    """Metadata options, holding just the members that are written down."""
    inner = table.table(key)
    if inner is None:
        return None
    options: dict[str, str | int] = {}
    for member, choices in enums.items():
        if member in inner:
            options[member] = inner.choice(member, choices, choices[0])
        inner.raw(member)
    for member in texts:
        if (text := inner.text(member, None)) is not None:
            options[member] = text
    hops = "http_put_response_hop_limit"
    if hops in inner:
        options[hops] = inner.whole(hops, 1, *_HOP_LIMITS)
    inner.raw(hops)
    inner.done()
    return options


def _launch_template(table: Table, images: tuple[str, ...]) -> ff.LaunchTemplate:
    name = table.name()
    versions = []
    for version in table.tables("version"):
        versions.append(
            ff.TemplateVersion(
                image=_image_reference(version, images),
                options=_options(version),
                user_data=version.text("user_data", None),
            )
        )
        version.done()
    if not versions:
        raise table.error(
            None,
            f'launch template "{name}" without versions',
            "at least one [[account.region.launch_template.version]]",
        )
    default = table.whole("default", 1, 1)
    if default > len(versions):
        raise table.bad("default", f"a version of the template, 1 to {len(versions)}")
    return ff.LaunchTemplate(name, tuple(versions), default)


def _configuration(table: Table, images: tuple[str, ...]) -> ff.LaunchConfiguration:
    return ff.LaunchConfiguration(
        name=table.name(),
        image=_image_reference(table, images),
        options=_options(table),
        user_data=table.text("user_data", None),
    )


def _group(
    table: Table, templates: dict[str, ff.LaunchTemplate], configurations: tuple[str, ...]
) -> ff.Group:
    name = table.name()
    template = table.text("launch_template", None)
    configuration = table.text("launch_configuration", None)
    if (template is None) == (configuration is None):
        both = "both a launch_template and a launch_configuration"
        neither = "neither a launch_template nor a launch_configuration"
        raise table.error(
            None if template is None else "launch_configuration",
            f'group "{name}" with {neither if template is None else both}',
            "one of the two",
        )
    if template is not None and template not in templates:
        raise table.bad("launch_template", "a launch_template of this region")
    if configuration is not None and configuration not in configurations:
        raise table.bad("launch_configuration", "a launch_configuration of this region")
    for key in ("eks_custom_template", "eks_drainable"):
        if key in table and "eks_nodegroup" not in table:
            raise table.error(key, f"{key} without a node group", "eks_nodegroup beside it")
    return ff.Group(
        name=name,
        launch_template=template,
        launch_configuration=configuration,
        version=_version(table, templates[template]) if template else _no_version(table),
        size=table.whole("size", 1, 0),
        replaced_per_day=table.number("replaced_per_day", 0.0),
        tags=table.tags(),
        callers=_callers(table),
        eks_nodegroup=table.text("eks_nodegroup", None),
        eks_custom_template=table.flag("eks_custom_template", default=True),
        eks_drainable=table.flag("eks_drainable", default=True),
        **_ecs(table),
        **_beanstalk(table, name),
        metrics=table.flag("metrics", default=True),
        traced=table.flag("traced", default=False),
        software=table.texts("software"),
        ssm=table.flag("ssm", default=True),
        role=_role(table),
        credentials=table.choice("credentials", ("working", "broken"), "working"),
    )


def _ecs(table: Table) -> dict[str, Any]:
    """The keys of a group whose instances are an ECS cluster's."""
    cluster = table.text("ecs_cluster", None)
    found: dict[str, Any] = {
        "ecs_cluster": cluster,
        "ecs_managed_draining": table.flag("ecs_managed_draining", default=True),
        "ecs_managed_termination_protection": table.flag(
            "ecs_managed_termination_protection", default=False
        ),
    }
    for key in ("ecs_managed_draining", "ecs_managed_termination_protection"):
        if cluster is None and key in table:
            raise table.bad(key, "an ecs_cluster beside it")
    return found


def _beanstalk(table: Table, group: str) -> dict[str, Any]:
    """The keys of a group that an Elastic Beanstalk environment owns."""
    environment = (
        table.matching("beanstalk_environment", _ENVIRONMENT, "4 to 40 letters, digits, hyphens")
        if "beanstalk_environment" in table
        else table.text("beanstalk_environment", None)
    )
    found: dict[str, Any] = {
        "beanstalk_environment": environment,
        "beanstalk_application": table.text("beanstalk_application", environment or group),
        "disable_imdsv1": table.flag("disable_imdsv1", default=False)
        if "disable_imdsv1" in table
        else table.raw("disable_imdsv1"),
    }
    for key in ("beanstalk_application", "disable_imdsv1"):
        if environment is None and key in table:
            raise table.bad(key, "a beanstalk_environment beside it")
    return found


def _version(table: Table, template: ff.LaunchTemplate) -> str:
    version = table.text("version", "$Default")
    if version in {"$Default", "$Latest"}:
        return version
    highest = len(template.versions)
    if not re.fullmatch(r"[1-9]\d*", version, re.ASCII) or int(version) > highest:
        numbers = '"1"' if highest == 1 else f'"1" to "{highest}"'
        raise table.bad(
            "version",
            f'"$Default", "$Latest" or the number of a version of "{template.name}" ({numbers})',
        )
    return version


def _no_version(table: Table) -> str:
    if table.raw("version") is not None:
        raise table.bad("version", "no version where the group has a launch_configuration")
    return "$Default"


def _callers(table: Table) -> tuple[Caller, ...]:
    callers = []
    for one in table.tables("callers"):
        callers.append(
            Caller(
                program=one.name("program"),
                behaviour=one.choice("behaviour", get_args(Behaviour), "v2"),
                when=one.choice("when", get_args(When), "steady"),
                per_hour=one.number("per_hour", 6.0, above=0),
                container=one.choice("container", get_args(Container), "none"),
                sdk=one.text("sdk", ""),
                user_agent=one.text("user_agent", ""),
                vital=one.flag("vital", default=True),
            )
        )
        one.done()
    return tuple(callers)


def _role(table: Table) -> str:
    """The role of an instance; the empty text is for none."""
    role = table.text("role", "instance-role")
    if role and not _ROLE.fullmatch(role):
        raise table.bad("role", 'the name of an IAM role, or "" for none')
    return role


def _instance(table: Table, images: tuple[str, ...]) -> ff.InstanceSpec:
    state = table.choice("state", ("running", "stopped"), "running")
    launched = table.number("launched_days_ago", 400.0)
    booted = table.number("booted_days_ago", None)
    if booted is not None and booted > launched:
        raise table.bad("booted_days_ago", f"at most launched_days_ago, which is {launched:g}")
    stopped = table.number("stopped_days_ago", None)
    if stopped is not None and state != "stopped":
        raise table.bad("stopped_days_ago", 'state = "stopped" beside it')
    last_boot, said = (launched, "launched") if booted is None else (booted, "booted")
    if stopped is not None and stopped > last_boot:
        raise table.bad("stopped_days_ago", f"at most {said}_days_ago, which is {last_boot:g}")
    if state == "stopped" and stopped is None:
        stopped = min(30.0, last_boot / 2)
    return ff.InstanceSpec(
        name=table.name(),
        count=table.whole("count", 1, 1),
        image=_image_reference(table, images),
        options=_options(table),
        state=state,
        launched_days_ago=launched,
        stopped_days_ago=stopped,
        booted_days_ago=booted,
        spot=table.flag("spot", default=False),
        platform=table.choice("platform", ("linux", "windows"), "linux"),
        user_data=table.text("user_data", None),
        tags=table.tags(),
        software=table.texts("software"),
        ssm=table.flag("ssm", default=True),
        role=_role(table),
        credentials=table.choice("credentials", ("working", "broken"), "working"),
        metrics=table.flag("metrics", default=True),
        operator=table.text("operator", ""),
        traced=table.flag("traced", default=False),
        callers=_callers(table),
    )
