"""A dry run: the same engine over ports that only pretend to change anything."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any

from msgspec import structs

from imdsctl.model.diagnostics import UsageError
from imdsctl.model.evidence import (
    AccountDefaults,
    Cell,
    Environment,
    Group,
    GroupSpec,
    Image,
    Instance,
    Nodegroup,
    TemplateSpec,
    TemplateVersion,
    Unreadable,
)
from imdsctl.model.options import MetadataOptions
from imdsctl.model.plan import Plan
from imdsctl.model.run import Entry, Event, RunSummary
from imdsctl.ports import (
    Clock,
    Counted,
    Done,
    Fleet,
    NodegroupUpdate,
    Outcome,
    RefreshStatus,
)


class PretendClock:
    """Real time at the start; a wait only moves it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The clock's now, plus all waits so far."""
        return self._clock.now() + self._ahead

    def sleep(self, seconds: float) -> None:
        """Returns at once."""
        self._ahead += timedelta(seconds=seconds)


class Pretence:
    """A `Control` that remembers instead of changing, and a `Fleet` that shows what it remembers.

    Reads go to AWS, so drift and missing resources show up as they would in earnest.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._options: dict[str, dict[str, str | int]] = {}
        self._defaults: dict[Cell, dict[str, str | int]] = {}
        self._versions: dict[tuple[Cell, str], list[TemplateVersion]] = {}
        self._default_versions: dict[tuple[Cell, str], str] = {}
        self._specs: dict[tuple[Cell, str], dict[str, TemplateSpec]] = {}
        self._refreshes: dict[tuple[Cell, str], RefreshStatus] = {}
        self._updates: dict[tuple[Cell, str, str], NodegroupUpdate] = {}
        self._environment_options: dict[tuple[Cell, str], str | None] = {}
        self._supporting: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        """What is not pretended is read from AWS."""
        return getattr(self._fleet, name)

    # --- what is read back -------------------------------------------------------------------
    def instances_by_id(self, cell: Cell, ids: Sequence[str]) -> dict[str, Instance] | Unreadable:
        """The instances with the options that they would have."""
        found = self._fleet.instances_by_id(cell, ids)
        if isinstance(found, Unreadable):
            return found
        return {
            key: structs.replace(
                instance, options=structs.replace(instance.options, **self._options.get(key, {}))
            )
            for key, instance in found.items()
        }

    def account_defaults(self, cell: Cell) -> AccountDefaults | Unreadable:
        """The defaults as they would be."""
        found = self._fleet.account_defaults(cell)
        if isinstance(found, Unreadable):
            return found
        members = dict(self._defaults.get(cell, {}))
        enforced = members.pop("http_tokens_enforced", found.enforced)
        options = structs.replace(found.options, **members)
        return structs.replace(found, options=options, enforced=enforced)

    def images(
        self, cell: Cell, ids: Sequence[str], *, own: bool = False
    ) -> Iterator[list[Image] | Unreadable]:
        """The images with the ImdsSupport that they would have."""
        for page in self._fleet.images(cell, ids, own=own):
            if isinstance(page, Unreadable):
                yield page
            else:
                yield [
                    structs.replace(image, imds_support="v2.0")
                    if image.id in self._supporting
                    else image
                    for image in page
                ]

    def template_versions(self, cell: Cell, template: str) -> list[TemplateVersion] | Unreadable:
        """The versions that would exist."""
        found = self._fleet.template_versions(cell, template)
        if isinstance(found, Unreadable):
            return found
        versions = [*found, *self._versions.get((cell, template), [])]
        default = self._default_versions.get((cell, template))
        if default is None:
            return versions
        return [structs.replace(v, default=str(v.number) == default) for v in versions]

    def groups(self, cell: Cell, names: Sequence[str] = ()) -> Iterator[list[Group] | Unreadable]:
        """The groups with the versions that they would launch."""
        for page in self._fleet.groups(cell, names):
            if isinstance(page, Unreadable):
                yield page
            else:
                yield [self._with_specs(cell, group) for group in page]

    def nodegroups(
        self, cell: Cell, names: Sequence[tuple[str, str]]
    ) -> Iterator[list[Nodegroup] | Unreadable]:
        """The node groups with the versions that they would use."""
        for page in self._fleet.nodegroups(cell, names):
            yield page if isinstance(page, Unreadable) else [self._updated(cell, n) for n in page]

    def _updated(self, cell: Cell, nodegroup: Nodegroup) -> Nodegroup:
        update = self._updates.get((cell, nodegroup.cluster, nodegroup.name))
        if update is None or update.version is None or nodegroup.template is None:
            return nodegroup
        template = structs.replace(nodegroup.template, version=update.version)
        return structs.replace(nodegroup, template=template)

    def _with_specs(self, cell: Cell, group: Group) -> Group:
        new = self._specs.get((cell, group.name))
        if not new:
            return group
        specs = {"main" if s.override is None else str(s.override): s for s in group.specs}
        for where, spec in new.items():
            override = None if where == "main" else int(where)
            specs[where] = GroupSpec(template=spec, override=override)
        return structs.replace(group, specs=list(specs.values()), launch_configuration=None)

    def environments(
        self, cell: Cell, names: Sequence[str]
    ) -> Iterator[list[Environment] | Unreadable]:
        """The environments with the option that they would have."""
        for page in self._fleet.environments(cell, names):
            if isinstance(page, Unreadable):
                yield page
            else:
                yield [
                    structs.replace(
                        one,
                        disable_imdsv1=self._environment_options.get(
                            (cell, one.environment_id), one.disable_imdsv1
                        ),
                    )
                    for one in page
                ]

    # --- what is changed, in pretence --------------------------------------------------------
    def modify_instance(
        self, cell: Cell, instance: str, members: Mapping[str, str | int]
    ) -> Outcome:
        """The options would change."""
        self._options.setdefault(instance, {}).update(members)
        return Done()

    def set_account_defaults(self, cell: Cell, members: Mapping[str, str | int]) -> Outcome:
        """The defaults would change."""
        self._defaults.setdefault(cell, {}).update(members)
        return Done()

    def set_imds_support(self, cell: Cell, image: str) -> Outcome:
        """The image would have it."""
        self._supporting.add(image)
        return Done()

    def create_template_version(
        self,
        cell: Cell,
        template: str,
        source: str,
        options: MetadataOptions,
        token: str,
        note: str,
    ) -> Outcome:
        """A version would be created."""
        existing = self.template_versions(cell, template)
        if isinstance(existing, Unreadable):
            return Done({"version": "?"})
        number = max(v.number for v in existing) + 1
        base = next(v for v in existing if str(v.number) == source)
        created = structs.replace(
            base, number=number, options=options, description=note, default=False, latest=True
        )
        self._versions.setdefault((cell, template), []).append(created)
        return Done({"version": str(number)})

    def set_default_version(self, cell: Cell, template: str, version: str) -> Outcome:
        """The default would move."""
        self._default_versions[cell, template] = version
        return Done()

    def repoint_group(
        self, cell: Cell, group: str, versions: Mapping[str, TemplateSpec]
    ) -> Outcome:
        """The group would launch other versions."""
        self._specs.setdefault((cell, group), {}).update(versions)
        return Done()

    def template_from_configuration(
        self, cell: Cell, configuration: str, template: str, options: MetadataOptions, token: str
    ) -> Outcome:
        """A template would be created."""
        return Done({"id": f"lt-of-{configuration}", "name": template, "version": "1"})

    def start_refresh(
        self,
        cell: Cell,
        group: str,
        specs: Mapping[str, TemplateSpec],
        preferences: Mapping[str, Any],
    ) -> Outcome:
        """A refresh would run, and succeed."""
        self.repoint_group(cell, group, specs)
        self._refreshes[cell, group] = RefreshStatus(
            id="would-start", status="Successful", percentage=100, desired=list(specs.values())
        )
        return Done({"refresh": "would-start"})

    def update_nodegroup(
        self, cell: Cell, nodegroup: tuple[str, str], template: str, version: str, token: str
    ) -> Outcome:
        """An update would run, and succeed."""
        self._updates[cell, *nodegroup] = NodegroupUpdate(
            id="would-start", status="Successful", kind="VersionUpdate", version=version
        )
        return Done({"update": "would-start"})

    def set_environment_option(self, cell: Cell, environment_id: str, value: str | None) -> Outcome:
        """The environment would be updated, and become Ready."""
        self._environment_options[cell, environment_id] = value
        return Done()


class PretendHealth:
    """A `Health` that also shows the refreshes and updates that would have run."""

    def __init__(self, health: Any, pretence: Pretence) -> None:
        self._health = health
        self._pretence = pretence

    def instance_health(self, cell: Cell, ids: Sequence[str]) -> Any:
        """As it is."""
        return self._health.instance_health(cell, ids)

    def refreshes(self, cell: Cell, group: str) -> list[RefreshStatus] | Unreadable:
        """Those that are, with the pretended one first."""
        found: list[RefreshStatus] | Unreadable = self._health.refreshes(cell, group)
        pretended = self._pretence._refreshes.get((cell, group))  # noqa: SLF001 - the same module
        if pretended is None or isinstance(found, Unreadable):
            return found
        return [pretended, *found]

    def nodegroup_updates(
        self, cell: Cell, cluster: str, nodegroup: str, ids: Sequence[str] = ()
    ) -> list[NodegroupUpdate] | Unreadable:
        """Those that are, with the pretended one first."""
        pretended = self._pretence._updates.get((cell, cluster, nodegroup))  # noqa: SLF001 - the same module
        asked = [update for update in ids if pretended is None or update != pretended.id]
        found: list[NodegroupUpdate] | Unreadable = []
        if asked or not ids:
            found = self._health.nodegroup_updates(cell, cluster, nodegroup, asked)
        if pretended is None or isinstance(found, Unreadable):
            return found
        return [pretended, *found]


class PretendMetrics:
    """A `Metrics` for waits that only pretend: of a future that is not there yet, silence.

    A dry run shows what would be done if nothing called; whether that is so, only the wait tells.
    """

    def __init__(self, metrics: Any) -> None:
        self._metrics = metrics

    def __getattr__(self, name: str) -> Any:
        """What is not pretended is asked of CloudWatch."""
        return getattr(self._metrics, name)

    def answered_since(
        self, cell: Cell, since: Mapping[str, datetime], end: datetime
    ) -> dict[str, Counted]:
        """No call, with data throughout."""
        return {
            instance: Counted(calls=0, periods=int((end - begin).total_seconds() // 300))
            for instance, begin in since.items()
        }


class ScratchJournal:
    """A journal that nobody keeps."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: list[Entry] = []

    def write(
        self, run: str, event: Event, subject: str = "", data: Mapping[str, Any] | None = None
    ) -> None:
        """Append in memory."""
        self._entries.append(
            Entry(
                seq=len(self._entries),
                run=run,
                at=self._clock.now(),
                event=event,
                subject=subject,
                data=dict(data or {}),
            )
        )

    def entries(self, run: str) -> list[Entry]:
        """All entries."""
        return [entry for entry in self._entries if entry.run == run]

    def runs(self) -> list[RunSummary]:
        """None: a dry run is no run."""
        return []

    def start(
        self, run: str, plan: Plan, waves: list[int] | None, allowed: Sequence[str] = ()
    ) -> None:
        """Write the first entry."""
        named = {"allowed": list(allowed)} if allowed else {}
        self.write(run, "started", "", {"digest": plan.digest, "waves": waves, **named})

    def plan_of(self, run: str) -> Plan:
        """There is no plan to keep.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{run} was a dry run; nothing of it is kept")

    def lock(self) -> AbstractContextManager[None]:
        """Nothing is changed, so nothing is locked."""
        return nullcontext()
