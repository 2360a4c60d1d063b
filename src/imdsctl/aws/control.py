"""Changing things in AWS: every change is one call, made once, and its outcome is a value."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from imdsctl.aws import values
from imdsctl.aws.clients import Clients
from imdsctl.aws.errors import AWS_ERRORS, failed, unread
from imdsctl.aws.translation import UntranslatableError, template_data
from imdsctl.model.evidence import Cell, TemplateSpec
from imdsctl.model.options import MetadataOptions
from imdsctl.ports import Done, Outcome, Refused

Row = dict[str, Any]

MAIN: Final = "main"
"""The key of a group's own launch template among its specs; overrides have their index."""

_DEFAULTS_NAMES: Final = {
    **{name: aws for name, aws in values.MEMBER_NAMES.items() if name != "http_protocol_ipv6"},
    "http_tokens_enforced": "HttpTokensEnforced",
}
_ENFORCED: Final = "http_tokens_enforced"
_NOTE_LENGTH: Final = 255


class _NotAsPlannedError(Exception):
    """The live resource is not what the change was made for."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.refused = Refused(code, message)


def _in_aws_names(members: Mapping[str, str | int], names: Mapping[str, str]) -> Row:
    unknown = sorted(set(members) - set(names))
    if unknown or not members:
        raise ValueError(f"not members of this call: {', '.join(unknown) or 'none at all'}")
    return {names[name]: value for name, value in members.items()}


def _spec_row(spec: TemplateSpec) -> Row:
    # AWS takes either the id or the name, and refuses both.
    name = {"LaunchTemplateId": spec.id} if spec.id else {"LaunchTemplateName": spec.name}
    return {**name, "Version": spec.version}


class AwsControl:
    """The `Control` port over the APIs of EC2, Auto Scaling, EKS and Elastic Beanstalk."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def modify_instance(
        self, cell: Cell, instance: str, members: Mapping[str, str | int]
    ) -> Outcome:
        """ModifyInstanceMetadataOptions with exactly `members`.

        Result: `options`, by the names of `MetadataOptions`, as AWS answers them.
        """
        return self._change(
            cell,
            "ec2",
            "ModifyInstanceMetadataOptions",
            {"InstanceId": instance, **_in_aws_names(members, values.MEMBER_NAMES)},
            lambda answer: {
                "options": msgspec.to_builtins(
                    values.options(answer.get("InstanceMetadataOptions"))
                )
            },
        )

    def set_account_defaults(self, cell: Cell, members: Mapping[str, str | int]) -> Outcome:
        """ModifyInstanceMetadataDefaults; `no-preference` and -1 take a member back.

        Members are those of `MetadataOptions` without `http_protocol_ipv6`, and
        `http_tokens_enforced`, which EC2's API has had since February 2026 only.
        """
        known = self._clients.has_parameter
        if _ENFORCED in members and not known(
            "ec2", "ModifyInstanceMetadataDefaults", _DEFAULTS_NAMES[_ENFORCED]
        ):
            return Refused(
                "UnknownParameter",
                "this version of botocore does not know HttpTokensEnforced; update botocore",
            )
        outcome = self._change(
            cell,
            "ec2",
            "ModifyInstanceMetadataDefaults",
            _in_aws_names(members, _DEFAULTS_NAMES),
            lambda answer: {"return": answer.get("Return", True)},
        )
        if isinstance(outcome, Done) and outcome.result["return"] is False:
            return Refused("NotModified", "EC2 answers that the request did not succeed")
        return Done() if isinstance(outcome, Done) else outcome

    def set_imds_support(self, cell: Cell, image: str) -> Outcome:
        """ModifyImageAttribute: ImdsSupport v2.0, which nothing takes back."""
        return self._change(
            cell,
            "ec2",
            "ModifyImageAttribute",
            {"ImageId": image, "ImdsSupport": {"Value": "v2.0"}},
        )

    def create_template_version(
        self,
        cell: Cell,
        template: str,
        source: str,
        options: MetadataOptions,
        token: str,
        note: str,
    ) -> Outcome:
        """CreateLaunchTemplateVersion on top of `source`; `token` makes it idempotent.

        Where the source's volumes name snapshots they are sent again, because AWS ignores those
        of the source version otherwise (EC2 API Reference, CreateLaunchTemplateVersion).
        Result: `version` (text).
        """
        try:
            data = self._snapshots(cell, template, source)
        except AWS_ERRORS as problem:
            return unread(problem)
        except _NotAsPlannedError as problem:
            return problem.refused
        data["MetadataOptions"] = values.options_row(options)
        return self._change(
            cell,
            "ec2",
            "CreateLaunchTemplateVersion",
            {
                "LaunchTemplateId": template,
                "SourceVersion": source,
                "VersionDescription": note[:_NOTE_LENGTH],
                "ClientToken": token,
                "LaunchTemplateData": data,
            },
            lambda answer: {"version": str(answer["LaunchTemplateVersion"]["VersionNumber"])},
        )

    def delete_template_version(self, cell: Cell, template: str, version: str) -> Outcome:
        """DeleteLaunchTemplateVersions for one version."""
        outcome = self._change(
            cell,
            "ec2",
            "DeleteLaunchTemplateVersions",
            {"LaunchTemplateId": template, "Versions": [version]},
            lambda answer: {"refused": answer.get("UnsuccessfullyDeletedLaunchTemplateVersions")},
        )
        if not isinstance(outcome, Done):
            return outcome
        # The call as a whole succeeds also where AWS would not delete the version.
        for refusal in outcome.result["refused"] or ():
            error = refusal.get("ResponseError", {})
            return Refused(error.get("Code", "Unknown"), error.get("Message", ""))
        return Done()

    def set_default_version(self, cell: Cell, template: str, version: str) -> Outcome:
        """ModifyLaunchTemplate: the default version."""
        return self._change(
            cell,
            "ec2",
            "ModifyLaunchTemplate",
            {"LaunchTemplateId": template, "DefaultVersion": version},
        )

    def repoint_group(
        self, cell: Cell, group: str, versions: Mapping[str, TemplateSpec]
    ) -> Outcome:
        """Give the group's launch template specs other templates or versions.

        Keys are `main` or the index of an override as text. The live group is read first, and
        everything else of its mixed instances policy is sent back as it is. A group on a launch
        configuration gets the template in its place.
        """
        try:
            settings = self._settings(cell, group, versions)
        except AWS_ERRORS as problem:
            return unread(problem)
        except _NotAsPlannedError as problem:
            return problem.refused
        return self._change(
            cell,
            "autoscaling",
            "UpdateAutoScalingGroup",
            {"AutoScalingGroupName": group, **settings},
        )

    def restore_launch_configuration(self, cell: Cell, group: str, name: str) -> Outcome:
        """Put a group back on its launch configuration."""
        return self._change(
            cell,
            "autoscaling",
            "UpdateAutoScalingGroup",
            {"AutoScalingGroupName": group, "LaunchConfigurationName": name},
        )

    def template_from_configuration(
        self, cell: Cell, configuration: str, template: str, options: MetadataOptions, token: str
    ) -> Outcome:
        """Create a launch template from all that the launch configuration says, and `options`.

        `token` makes it idempotent. Result: `id`, `name`, `version`.
        """
        try:
            found = self._clients.read(
                cell,
                "autoscaling",
                "DescribeLaunchConfigurations",
                LaunchConfigurationNames=[configuration],
            )["LaunchConfigurations"]
        except AWS_ERRORS as problem:
            return unread(problem)
        if not found:
            return Refused("NotFound", f"there is no launch configuration {configuration}")
        try:
            data = template_data(found[0], options)
        except UntranslatableError as problem:
            return Refused("Untranslatable", str(problem))
        return self._change(
            cell,
            "ec2",
            "CreateLaunchTemplate",
            {
                "LaunchTemplateName": template,
                "VersionDescription": f"launch configuration {configuration}"[:_NOTE_LENGTH],
                "ClientToken": token,
                "LaunchTemplateData": data,
            },
            lambda answer: {
                "id": answer["LaunchTemplate"]["LaunchTemplateId"],
                "name": answer["LaunchTemplate"]["LaunchTemplateName"],
                "version": str(answer["LaunchTemplate"]["LatestVersionNumber"]),
            },
        )

    def delete_template(self, cell: Cell, template: str) -> Outcome:
        """DeleteLaunchTemplate, for one that a run created."""
        return self._change(cell, "ec2", "DeleteLaunchTemplate", {"LaunchTemplateId": template})

    def start_refresh(
        self,
        cell: Cell,
        group: str,
        specs: Mapping[str, TemplateSpec],
        preferences: Mapping[str, Any],
    ) -> Outcome:
        """StartInstanceRefresh with `specs` (as in `repoint_group`) as the desired configuration.

        `preferences` are those of the API, in its own names or in snake_case. Result: `refresh`.
        """
        try:
            desired = self._settings(cell, group, specs)
        except AWS_ERRORS as problem:
            return unread(problem)
        except _NotAsPlannedError as problem:
            return problem.refused
        return self._change(
            cell,
            "autoscaling",
            "StartInstanceRefresh",
            {
                "AutoScalingGroupName": group,
                "DesiredConfiguration": desired,
                "Preferences": {_pascal(name): value for name, value in preferences.items()},
            },
            _refresh_id,
        )

    def rollback_refresh(self, cell: Cell, group: str) -> Outcome:
        """RollbackInstanceRefresh of the one in progress. Result: `refresh`."""
        return self._change(
            cell,
            "autoscaling",
            "RollbackInstanceRefresh",
            {"AutoScalingGroupName": group},
            _refresh_id,
        )

    def cancel_refresh(self, cell: Cell, group: str) -> Outcome:
        """CancelInstanceRefresh. Result: `refresh`."""
        return self._change(
            cell,
            "autoscaling",
            "CancelInstanceRefresh",
            {"AutoScalingGroupName": group},
            _refresh_id,
        )

    def update_nodegroup(
        self, cell: Cell, nodegroup: tuple[str, str], template: str, version: str, token: str
    ) -> Outcome:
        """UpdateNodegroupVersion to a version of the node group's own template. Result: `update`.

        Only the template's id is sent, because EKS refuses id and name together; never `force`,
        which would end pods against their disruption budgets.
        """
        return self._change(
            cell,
            "eks",
            "UpdateNodegroupVersion",
            {
                "clusterName": nodegroup[0],
                "nodegroupName": nodegroup[1],
                "launchTemplate": {"id": template, "version": version},
                "clientRequestToken": token,
            },
            lambda answer: {"update": answer["update"].get("id", "")},
        )

    def set_environment_option(self, cell: Cell, environment_id: str, value: str | None) -> Outcome:
        """UpdateEnvironment with the option DisableIMDSv1 alone; None removes the option."""
        namespace, name = values.DISABLE_IMDSV1
        option = {"Namespace": namespace, "OptionName": name}
        return self._change(
            cell,
            "elasticbeanstalk",
            "UpdateEnvironment",
            {
                "EnvironmentId": environment_id,
                **(
                    {"OptionsToRemove": [option]}
                    if value is None
                    else {"OptionSettings": [{**option, "Value": value}]}
                ),
            },
        )

    def abort_environment_update(self, cell: Cell, environment_id: str) -> Outcome:
        """AbortEnvironmentUpdate: the update in progress is cancelled and rolled back."""
        return self._change(
            cell,
            "elasticbeanstalk",
            "AbortEnvironmentUpdate",
            {"EnvironmentId": environment_id},
        )

    def _change(
        self,
        cell: Cell,
        service: str,
        operation: str,
        parameters: Row,
        result: Callable[[Row], Row] = lambda _: {},
    ) -> Outcome:
        try:
            answer = self._clients.change(cell, service, operation, **parameters)
        except AWS_ERRORS as problem:
            return failed(problem)
        return Done(result(answer))

    def _settings(self, cell: Cell, group: str, specs: Mapping[str, TemplateSpec]) -> Row:
        """The launch settings of the live group, with `specs` in their places."""
        found = self._clients.read(
            cell, "autoscaling", "DescribeAutoScalingGroups", AutoScalingGroupNames=[group]
        )["AutoScalingGroups"]
        if not found:
            raise _NotAsPlannedError("NotFound", f"there is no Auto Scaling group {group}")
        policy = copy.deepcopy(found[0].get("MixedInstancesPolicy"))
        if not policy:
            if set(specs) != {MAIN}:
                raise _NotAsPlannedError(
                    "GroupChanged", f"group {group} no longer has a mixed instances policy"
                )
            return {"LaunchTemplate": _spec_row(specs[MAIN])}
        launch = policy["LaunchTemplate"]
        overrides = launch.get("Overrides", [])
        for place, spec in specs.items():
            if place == MAIN:
                target = launch
            elif place.isdecimal() and int(place) < len(overrides):
                target = overrides[int(place)]
            else:
                raise _NotAsPlannedError(
                    "GroupChanged", f"the policy of group {group} no longer has override {place}"
                )
            target["LaunchTemplateSpecification"] = _spec_row(spec)
        for place in (launch, *overrides):
            _only_id(place.get("LaunchTemplateSpecification"))
        return {"MixedInstancesPolicy": policy}

    def _snapshots(self, cell: Cell, template: str, source: str) -> Row:
        """The source version's block devices, where a snapshot among them would get lost."""
        found = self._clients.read(
            cell,
            "ec2",
            "DescribeLaunchTemplateVersions",
            LaunchTemplateId=template,
            Versions=[source],
        )["LaunchTemplateVersions"]
        if not found:
            raise _NotAsPlannedError("NotFound", f"{template} has no version {source}")
        devices = found[0].get("LaunchTemplateData", {}).get("BlockDeviceMappings", [])
        if any(device.get("Ebs", {}).get("SnapshotId") for device in devices):
            return {"BlockDeviceMappings": devices}
        return {}


def _only_id(spec: Row | None) -> None:
    """AWS answers with id and name of a launch template, and takes only one of them back."""
    if spec and spec.get("LaunchTemplateId"):
        spec.pop("LaunchTemplateName", None)


def _refresh_id(answer: Row) -> Row:
    return {"refresh": answer.get("InstanceRefreshId", "")}


def _pascal(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
