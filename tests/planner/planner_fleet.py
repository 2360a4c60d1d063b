"""A small fleet in one account and region, judged and planned by the real rules."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from imdsctl.judge.fleet import judge_cell
from imdsctl.model.cell import CellEvidence, JudgedCell, StandingRun
from imdsctl.model.evidence import (
    AccountDefaults,
    Calls,
    CapacityProvider,
    Cell,
    Environment,
    Group,
    GroupMember,
    GroupSpec,
    Image,
    Instance,
    LaunchConfiguration,
    Metric,
    Nodegroup,
    Recorded,
    TemplateSpec,
    TemplateVersion,
)
from imdsctl.model.options import MetadataOptions
from imdsctl.model.plan import Change, Held, Plan
from imdsctl.model.policy import Policy
from imdsctl.planner.build import build_plan

ACCOUNT, REGION = "111111111111", "eu-west-1"
CELL = Cell(ACCOUNT, REGION)
NOW = datetime(2026, 11, 2, tzinfo=UTC)
SINCE = NOW - timedelta(days=14)
OLD = datetime(2026, 6, 1, tzinfo=UTC)
"""Launched before the window: nobody saw it boot."""
SEEN = datetime(2026, 10, 20, 10, tzinfo=UTC)
"""Launched inside the window: its boot was seen."""
OPTIONS = MetadataOptions(
    http_tokens="optional",
    http_put_response_hop_limit=2,
    http_endpoint="enabled",
    http_protocol_ipv6="disabled",
    instance_metadata_tags="disabled",
    state="applied",
)
V1, V2, OPEN = (
    MetadataOptions(http_tokens="optional"),
    MetadataOptions(http_tokens="required"),
    MetadataOptions(),
)


@dataclass
class Fleet:
    """What was read; each method adds something and answers with its id."""

    instances: list[Instance] = field(default_factory=list)
    calls: dict[str, Calls] = field(default_factory=dict)
    templates: list[TemplateVersion] = field(default_factory=list)
    configurations: list[LaunchConfiguration] = field(default_factory=list)
    nodegroups: list[Nodegroup] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    defaults: AccountDefaults | None = field(
        default_factory=lambda: AccountDefaults(account=ACCOUNT, region=REGION, options=V2)
    )
    environments: list[Environment] = field(default_factory=list)
    providers: list[CapacityProvider] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    standing: list[StandingRun] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    cell: Cell = CELL

    def image(self, name: str, **rest: Any) -> str:
        """An image of the account's own, without ImdsSupport."""
        self.images.append(
            Image(
                id=f"ami-{name}",
                account=self.cell.account,
                region=self.cell.region,
                name=name,
                **{"owner": self.cell.account, **rest},
            )
        )
        return f"ami-{name}"

    def instance(
        self,
        instance_id: str,
        *,
        called: int | None = 0,
        launched: datetime = SEEN,
        options: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> str:
        """An instance that was watched since its launch; `called` None is no data at all."""
        self.instances.append(
            Instance(
                id=instance_id,
                account=ACCOUNT,
                region=REGION,
                launched_at=launched,
                options=msgspec.structs.replace(OPTIONS, **(options or {})),
                **{"state": "running", **rest},
            )
        )
        began = max(SINCE, launched)
        hours = (NOW - began) // timedelta(hours=1)
        self.calls[instance_id] = Calls(
            id=instance_id,
            account=ACCOUNT,
            region=REGION,
            window_start=SINCE,
            window_end=NOW,
            hours_running=hours,
            v1=None
            if called is None
            else Metric(
                total=called,
                hours_with_data=hours,
                first_data=began,
                last_data=NOW - timedelta(hours=1),
            ),
        )
        return instance_id

    def template(
        self, name: str, *versions: MetadataOptions, default: int = 1, image: str | None = None
    ) -> str:
        """A template with these versions, from number 1 up."""
        self.templates += [
            TemplateVersion(
                template_id=f"lt-{name}",
                template_name=name,
                account=ACCOUNT,
                region=REGION,
                number=number,
                default=number == default,
                latest=number == len(versions),
                options=options,
                image=image,
            )
            for number, options in enumerate(versions, 1)
        ]
        return f"lt-{name}"

    def group(
        self,
        name: str,
        *specs: str,
        called: int | None = 0,
        launched: datetime = SEEN,
        size: int = 2,
        configuration: str | None = None,
        tags: dict[str, str] | None = None,
        options: Mapping[str, Any] | None = None,
        image: str = "",
    ) -> list[str]:
        """A group of alike instances; a spec is `template:version`, the first the main one."""
        members = [
            self.instance(
                f"i-{name}{number}",
                called=called,
                launched=launched,
                group=name,
                options=options,
                image=image,
            )
            for number in range(1, size + 1)
        ]
        parts = [spec.partition(":") for spec in specs]
        self.groups.append(
            Group(
                name=name,
                account=ACCOUNT,
                region=REGION,
                mixed=len(specs) > 1,
                launch_configuration=configuration,
                desired=size,
                members=[GroupMember(id=member) for member in members],
                tags=tags or {},
                specs=[
                    GroupSpec(
                        template=TemplateSpec(id=f"lt-{template}", name=template, version=version),
                        override=index - 1 if index else None,
                    )
                    for index, (template, _, version) in enumerate(parts)
                ],
            )
        )
        return members

    def environment(self, name: str, **said: Any) -> None:
        """An Elastic Beanstalk environment, Ready and Green unless it says otherwise."""
        self.environments.append(
            Environment(
                name=name,
                environment_id=f"e-{name}",
                application="shop",
                account=ACCOUNT,
                region=REGION,
                **{"status": "Ready", "health": "Green", "disable_imdsv1": "false", **said},
            )
        )

    def provider(self, group: str, **said: Any) -> None:
        """An ECS capacity provider on a group."""
        self.providers.append(
            CapacityProvider(name=group, account=ACCOUNT, region=REGION, group=group, **said)
        )

    def configuration(
        self, name: str, options: MetadataOptions = OPEN, image: str | None = None
    ) -> None:
        """A launch configuration."""
        self.configurations.append(
            LaunchConfiguration(
                name=name, account=ACCOUNT, region=REGION, options=options, image=image
            )
        )

    def nodegroup(self, name: str, own: str | None, group: str, **rest: Any) -> list[str]:
        """An EKS node group of cluster `shop`, with the group that it owns; the group's instances.

        `own` is the owner's `template:version`, None where EKS made one; `group` is what the group
        launches from, a copy that EKS made.
        """
        template, _, version = (own or "").partition(":")
        spec = TemplateSpec(id=f"lt-{template}", name=template, version=version) if own else None
        self.nodegroups.append(
            Nodegroup(
                name=name,
                cluster="shop",
                account=ACCOUNT,
                region=REGION,
                status="ACTIVE",
                template=spec,
                groups=[f"eks-{name}"],
            )
        )
        tags = {"eks:nodegroup-name": name, "eks:cluster-name": "shop"}
        return self.group(f"eks-{name}", group, tags=tags, **rest)

    def account_default(
        self, options: MetadataOptions, managed_by: str = "account", **rest: Any
    ) -> None:
        """The account default, in place of one that requires tokens already."""
        self.defaults = AccountDefaults(
            account=ACCOUNT, region=REGION, options=options, managed_by=managed_by, **rest
        )

    def evidence(self) -> CellEvidence:
        """All of it, as it would come out of the store."""
        return CellEvidence(
            cell=self.cell,
            instances=_recorded("i", self.instances),
            calls={r.item.id: r for r in _recorded("c", self.calls.values())},
            templates=_recorded("t", self.templates),
            configurations=_recorded("l", self.configurations),
            groups=_recorded("g", self.groups),
            nodegroups=_recorded("n", self.nodegroups),
            defaults=_recorded("d", [self.defaults])[0] if self.defaults else None,
            environments=_recorded("e", self.environments),
            capacity_providers=_recorded("p", self.providers),
            images=_recorded("a", self.images),
            standing=self.standing,
            unreadable=self.unreadable,
        )

    def judged(self, policy: Policy | None = None) -> JudgedCell:
        """Judged by all the rules."""
        return judge_cell(self.evidence(), policy or Policy(), NOW)


def _recorded(kind: str, items: Iterable[Any]) -> list[Recorded[Any]]:
    return [
        Recorded(id=f"{kind}-{item.id}", kind=kind, source="aws", observed_at=NOW, item=item)
        for item in items
    ]


def policy(**settings: Any) -> Policy:
    """A policy as `imdsctl.toml` would say it."""
    return msgspec.convert(settings, Policy)


def planned(fleet: Fleet, chosen: Policy | None = None, **asked: Any) -> Plan:
    """The plan for a fleet."""
    chosen = chosen or Policy()
    return build_plan(
        [fleet.judged(chosen)], chosen, now=NOW, scanned_at=NOW, caller="arn:x", **asked
    )


def ids(plan: Plan, wave: str | None = None) -> list[str]:
    """The changes of a plan (or of one of its waves), without account and region."""
    return [
        change.id.replace(f":{ACCOUNT}:{REGION}", "")
        for w in plan.waves
        if wave in (None, w.name)
        for change in w.changes
    ]


def change(plan: Plan, short_id: str) -> Change:
    """One change, by the id that `ids` gives."""
    kind, _, rest = short_id.partition(":")
    return plan.changes()[f"{kind}:{ACCOUNT}:{REGION}:{rest}"]


def held(plan: Plan) -> dict[str, Held]:
    """What is held, by resource."""
    return {one.resource: one for one in plan.held}


def rules(plan: Plan) -> dict[str, str]:
    """What is held: the resource, and the rule that decided."""
    return {one.resource: one.reasons[0].rule for one in plan.held}


def full_id(short_id: str) -> str:
    """The id that a change has in the plan."""
    kind, _, rest = short_id.partition(":")
    return f"{kind}:{ACCOUNT}:{REGION}:{rest}"


def evidence_before(fleet: Fleet, resource: str) -> dict[str, Any]:
    """What the scan read of an instance's options."""
    return next(i for i in fleet.instances if i.id == resource).options.members()


def reordered(fleet: Fleet, orders: Sequence[int]) -> Fleet:
    """The same fleet, everything read in another order."""

    def turned(things: list[Any], by: int) -> list[Any]:
        cut = by % len(things) if things else 0
        return list(reversed(things[cut:] + things[:cut]))

    first, second, third, fourth = orders
    return Fleet(
        instances=turned(fleet.instances, first),
        calls=dict(turned(list(fleet.calls.items()), second)),
        templates=turned(fleet.templates, third),
        configurations=turned(fleet.configurations, first),
        groups=[
            msgspec.structs.replace(g, members=turned(g.members, second))
            for g in turned(fleet.groups, fourth)
        ],
        nodegroups=turned(fleet.nodegroups, second),
        defaults=fleet.defaults,
        images=turned(fleet.images, third),
        standing=fleet.standing,
        unreadable=fleet.unreadable,
    )
