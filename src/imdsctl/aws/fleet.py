"""What exists in an account and region: instances, and everything that starts new ones."""

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from imdsctl.aws import values
from imdsctl.aws.batches import in_batches
from imdsctl.aws.clients import Clients
from imdsctl.aws.errors import AWS_ERRORS, code_of, lacking, unreadable
from imdsctl.aws.fastpath import rows_of
from imdsctl.aws.inventory import AwsInventory
from imdsctl.aws.owners import AwsOwners
from imdsctl.model.evidence import (
    AccountDefaults,
    CapacityProvider,
    Cell,
    Environment,
    Group,
    Image,
    Instance,
    LaunchConfiguration,
    Nodegroup,
    Software,
    TemplateVersion,
    Unreadable,
)

T = TypeVar("T")

_PAGE: Final = 1000
_FILTER_VALUES: Final = 200  # at most, in one filter of a Describe call (EC2 API Reference)
_VERSIONS: Final = 200
_GROUPS: Final = 100
_GONE: Final = frozenset(
    {
        "InvalidLaunchTemplateId.NotFound",
        "InvalidLaunchTemplateId.NotFoundException",
        "InvalidLaunchTemplateName.NotFoundException",
        "InvalidLaunchTemplateId.VersionNotFound",
        "InvalidLaunchTemplateId.VersionNotFoundException",
        "InvalidLaunchTemplateVersion.NotFound",
    }
)


class AwsFleet:
    """The `Fleet` port over AWS's own APIs."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._owners = AwsOwners(clients)
        self._inventory = AwsInventory(clients)

    def caller(self) -> tuple[str, str]:
        """Account id and ARN of the caller.

        Raises:
            NoAwsError: there are no valid credentials, or AWS cannot be reached.
        """
        return self._clients.caller()

    @property
    def home_region(self) -> str:
        """The region of the caller's AWS settings."""
        return self._clients.home_region

    def regions(self, account: str) -> list[str] | Unreadable:
        """The regions that are enabled for the account, sorted."""
        cell = Cell(account, self._clients.home_region)
        try:
            answer = self._clients.read(cell, "ec2", "DescribeRegions", AllRegions=False)
        except AWS_ERRORS as problem:
            return self._unreadable(cell, "regions", problem)
        return sorted(
            region["RegionName"]
            for region in answer["Regions"]
            if region.get("OptInStatus") != "not-opted-in"
        )

    def instances(self, cell: Cell) -> Iterator[list[Instance] | Unreadable]:
        """All instances, a page of up to 1,000 at a time."""
        parameters: dict[str, Any] = {"MaxResults": _PAGE}
        # Some instances that AWS services manage are left out unless they are asked for.
        if self._clients.has_parameter("ec2", "DescribeInstances", "IncludeManagedResources"):
            parameters["IncludeManagedResources"] = True
        yield from self._list(
            cell,
            "instances",
            "ec2",
            "DescribeInstances",
            rows_of,
            values.instance,
            parameters,
        )

    def instances_by_id(self, cell: Cell, ids: Sequence[str]) -> dict[str, Instance] | Unreadable:
        """Those of `ids` that still exist, terminated ones with their state."""
        found: dict[str, Instance] = {}
        for some in in_batches(dict.fromkeys(ids), _FILTER_VALUES):
            # A filter, because one id that is gone would fail the whole call.
            parameters: dict[str, Any] = {
                "Filters": [{"Name": "instance-id", "Values": some}],
                "MaxResults": _PAGE,
            }
            if self._clients.has_parameter("ec2", "DescribeInstances", "IncludeManagedResources"):
                parameters["IncludeManagedResources"] = True
            try:
                for page in self._clients.pages(cell, "ec2", "DescribeInstances", **parameters):
                    for row in rows_of(page):
                        found[row["InstanceId"]] = values.instance(row, cell)
            except AWS_ERRORS as problem:
                return self._unreadable(cell, "instances", problem, len(found))
            except LookupError as problem:
                return lacking(cell, "instances", problem, len(found))
        return found

    def launch_templates(
        self, cell: Cell, pinned: Iterable[tuple[str, str]]
    ) -> Iterator[list[TemplateVersion] | Unreadable]:
        """Default and latest version of every template, and each pinned (template id, number).

        A pinned version that no longer exists is left out.
        """
        seen: set[tuple[str, int]] = set()
        try:
            templates = {
                row["LaunchTemplateId"]: row
                for page in self._clients.pages(
                    cell, "ec2", "DescribeLaunchTemplates", MaxResults=_VERSIONS
                )
                for row in page["LaunchTemplates"]
            }
            for page in self._clients.pages(
                cell,
                "ec2",
                "DescribeLaunchTemplateVersions",
                Versions=["$Default", "$Latest"],
                MaxResults=_VERSIONS,
            ):
                yield self._versions(page["LaunchTemplateVersions"], cell, templates, seen)
            wanted: dict[str, list[str]] = {}
            for template_id, number in pinned:
                if number.isdecimal() and (template_id, int(number)) not in seen:
                    wanted.setdefault(template_id, []).append(number)
            for template_id, numbers in wanted.items():
                for some in in_batches(dict.fromkeys(numbers), _VERSIONS):
                    rows = self._pinned(cell, template_id, some)
                    if versions := self._versions(rows, cell, templates, seen):
                        yield versions
        except AWS_ERRORS as problem:
            yield self._unreadable(cell, "launch-templates", problem, len(seen))
        except LookupError as problem:
            yield lacking(cell, "launch-templates", problem, len(seen))

    def template_versions(self, cell: Cell, template: str) -> list[TemplateVersion] | Unreadable:
        """All versions of one template, by id or name; empty where there is no such template."""
        by = "LaunchTemplateId" if template.startswith("lt-") else "LaunchTemplateName"
        try:
            rows = [
                row
                for page in self._clients.pages(
                    cell,
                    "ec2",
                    "DescribeLaunchTemplateVersions",
                    **{by: template, "MaxResults": _VERSIONS},
                )
                for row in page["LaunchTemplateVersions"]
            ]
        except AWS_ERRORS as problem:
            if code_of(problem) in _GONE:
                return []
            return self._unreadable(cell, "launch-templates", problem)
        except LookupError as problem:
            return lacking(cell, "launch-templates", problem, 0)
        newest = max((row["VersionNumber"] for row in rows), default=0)
        return [
            values.template_version(row, cell, latest=row["VersionNumber"] == newest, its_tags={})
            for row in rows
        ]

    def launch_configurations(self, cell: Cell) -> Iterator[list[LaunchConfiguration] | Unreadable]:
        """All launch configurations."""
        yield from self._list(
            cell,
            "launch-configurations",
            "autoscaling",
            "DescribeLaunchConfigurations",
            lambda page: page["LaunchConfigurations"],
            values.launch_configuration,
            {"MaxRecords": _GROUPS},
        )

    def groups(self, cell: Cell, names: Sequence[str] = ()) -> Iterator[list[Group] | Unreadable]:
        """All Auto Scaling groups, or those named that exist."""
        batches: list[dict[str, Any]] = [
            {"AutoScalingGroupNames": some} for some in in_batches(names, _GROUPS)
        ]
        for parameters in batches or [{}]:
            for page in self._list(
                cell,
                "groups",
                "autoscaling",
                "DescribeAutoScalingGroups",
                lambda page: page["AutoScalingGroups"],
                values.group,
                {"MaxRecords": _GROUPS, **parameters},
            ):
                yield page
                if isinstance(page, Unreadable):
                    return

    def account_defaults(self, cell: Cell) -> AccountDefaults | Unreadable:
        """The account-level defaults of the region."""
        try:
            answer = self._clients.read(cell, "ec2", "GetInstanceMetadataDefaults")
        except AWS_ERRORS as problem:
            return self._unreadable(cell, "account-defaults", problem)
        return values.account_defaults(answer, cell)

    def images(
        self, cell: Cell, ids: Sequence[str], *, own: bool = False
    ) -> Iterator[list[Image] | Unreadable]:
        """Those of `ids` that can be seen; images that are gone are left out.

        With `own`, all of the account's own images first, in use or not.
        """
        found: set[str] = set()
        parameters: dict[str, Any] = {"IncludeDeprecated": True, "IncludeDisabled": True}
        if own:
            for page in self._list(
                cell,
                "images",
                "ec2",
                "DescribeImages",
                lambda page: page["Images"],
                values.image,
                {"Owners": ["self"], "MaxResults": _PAGE, **parameters},
            ):
                yield page
                if isinstance(page, Unreadable):
                    return
                found.update(image.id for image in page)
        for some in in_batches([i for i in dict.fromkeys(ids) if i not in found], _FILTER_VALUES):
            # A filter, because one id that is gone would fail the whole call.
            filters = [{"Name": "image-id", "Values": some}]
            try:
                answer = self._clients.read(
                    cell, "ec2", "DescribeImages", Filters=filters, **parameters
                )
            except AWS_ERRORS as problem:
                yield self._unreadable(cell, "images", problem, len(found))
                return
            found.update(row["ImageId"] for row in answer["Images"])
            yield [values.image(row, cell) for row in answer["Images"]]

    def nodegroups(
        self, cell: Cell, names: Sequence[tuple[str, str]]
    ) -> Iterator[list[Nodegroup] | Unreadable]:
        """The EKS managed node groups (cluster, name); those that are gone are left out."""
        return self._owners.nodegroups(cell, names)

    def environments(
        self, cell: Cell, names: Sequence[str]
    ) -> Iterator[list[Environment] | Unreadable]:
        """The Elastic Beanstalk environments of these names; those that are gone are left out."""
        return self._owners.environments(cell, names)

    def capacity_providers(
        self, cell: Cell, groups: Sequence[str]
    ) -> Iterator[list[CapacityProvider] | Unreadable]:
        """The ECS capacity providers on these Auto Scaling groups; nothing is asked for none."""
        return self._owners.capacity_providers(cell, groups)

    def software(self, cell: Cell) -> Iterator[list[Software] | Unreadable]:
        """The instances of which Systems Manager knows agents or packages that are too old."""
        return self._inventory.software(cell)

    def user_data(
        self, cell: Cell, resource: str, version: str | None = None
    ) -> bytes | Unreadable | None:
        """The user data of an instance or of a launch template's version; None if it has none.

        Args:
            cell: where it is.
            resource: an instance id or a launch template id.
            version: of the template: a number, `$Default` (if not given) or `$Latest`.
        """
        try:
            if resource.startswith("lt-"):
                answer = self._clients.read(
                    cell,
                    "ec2",
                    "DescribeLaunchTemplateVersions",
                    LaunchTemplateId=resource,
                    Versions=[version or "$Default"],
                )
                rows = answer["LaunchTemplateVersions"]
                encoded = rows[0]["LaunchTemplateData"].get("UserData")
            else:
                answer = self._clients.read(
                    cell,
                    "ec2",
                    "DescribeInstanceAttribute",
                    InstanceId=resource,
                    Attribute="userData",
                )
                encoded = answer.get("UserData", {}).get("Value")
            return b64decode(encoded, validate=True) if encoded else None
        except AWS_ERRORS as problem:
            return self._unreadable(cell, "user-data", problem)
        except LookupError as problem:
            return lacking(cell, "user-data", problem, 0)
        except binascii.Error:
            return lacking(cell, "user-data", LookupError("user data in Base64"), 0)

    def _list(
        self,
        cell: Cell,
        what: str,
        service: str,
        operation: str,
        rows_of: Callable[[dict[str, Any]], Iterable[dict[str, Any]]],
        value_of: Callable[[dict[str, Any], Cell], T],
        parameters: dict[str, Any],
    ) -> Iterator[list[T] | Unreadable]:
        seen = 0
        try:
            for page in self._clients.pages(cell, service, operation, **parameters):
                found = [value_of(row, cell) for row in rows_of(page)]
                seen += len(found)
                yield found
        except AWS_ERRORS as problem:
            yield self._unreadable(cell, what, problem, seen)
        except LookupError as problem:
            yield lacking(cell, what, problem, seen)

    def _pinned(self, cell: Cell, template_id: str, numbers: list[str]) -> list[dict[str, Any]]:
        """Versions by number; one that is gone must not hide the others."""
        try:
            answer = self._clients.read(
                cell,
                "ec2",
                "DescribeLaunchTemplateVersions",
                LaunchTemplateId=template_id,
                Versions=numbers,
            )
        except AWS_ERRORS as problem:
            if code_of(problem) not in _GONE:
                raise
            if len(numbers) == 1:
                return []
            return [row for number in numbers for row in self._pinned(cell, template_id, [number])]
        return list(answer["LaunchTemplateVersions"])

    def _versions(
        self,
        rows: Iterable[dict[str, Any]],
        cell: Cell,
        templates: dict[str, Any],
        seen: set[tuple[str, int]],
    ) -> list[TemplateVersion]:
        found = []
        for row in rows:
            key = (row["LaunchTemplateId"], row["VersionNumber"])
            if key in seen:  # the same version can be both default and latest
                continue
            seen.add(key)
            template = templates.get(row["LaunchTemplateId"], {})
            latest = template.get("LatestVersionNumber") == row["VersionNumber"]
            found.append(
                values.template_version(row, cell, latest=latest, its_tags=values.tags(template))
            )
        return found

    def _unreadable(self, cell: Cell, what: str, problem: Exception, seen: int = 0) -> Unreadable:
        own = self._clients.accounts.is_own(cell.account)
        return unreadable(cell, what, problem, own=own, seen=seen)
