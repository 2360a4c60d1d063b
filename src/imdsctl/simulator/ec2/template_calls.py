"""The launch template calls of the EC2 API."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from moto.core.responses import ActionResult

from imdsctl.simulator.ec2 import stock, templates
from imdsctl.simulator.ec2.errors import Refused
from imdsctl.simulator.ec2.filters import compile_filters
from imdsctl.simulator.ec2.options import WIRE_NAMES
from imdsctl.simulator.ec2.paging import cut, page_size
from imdsctl.simulator.ec2.region import state_of

LARGEST_PAGE = 200
"""MaxResults of both Describe calls goes from 1 to 200 (API Reference)."""

_WHICH = (
    "To describe the launch template data for all your launch templates, for 'Versions' specify "
    "'$Latest', '$Default', or both, and omit the launch template ID, the launch template name "
    "and version numbers. For a specific launch template, specify its ID or its name."
)


def _option(name: str) -> Callable[[Any], object]:
    return lambda version: (version.data.get("MetadataOptions") or {}).get(name)


def _member(name: str) -> Callable[[Any], object]:
    return lambda version: version.data.get(name)


VERSION_FILTERS: Mapping[str, Callable[[Any], object]] = {
    "create-time": lambda version: version.create_time.isoformat(),
    "ebs-optimized": _member("EbsOptimized"),
    "http-endpoint": _option("HttpEndpoint"),
    # IPv4 is on whenever the endpoint is.
    "http-protocol-ipv4": _option("HttpEndpoint"),
    "http-tokens": _option("HttpTokens"),
    "iam-instance-profile": lambda version: [
        value for value in (version.data.get("IamInstanceProfile") or {}).values() if value
    ],
    "image-id": _member("ImageId"),
    "instance-type": _member("InstanceType"),
    "is-default-version": lambda version: version.template.is_default(version),
    "kernel-id": _member("KernelId"),
    "ram-disk-id": _member("RamDiskId"),
}

TEMPLATE_FILTERS: Mapping[str, Callable[[Any], object]] = {
    "create-time": lambda template: template.create_time.isoformat(),
    "launch-template-name": lambda template: template.name,
}


def create_launch_template(self: Any) -> ActionResult:
    """CreateLaunchTemplate."""
    self.error_on_dryrun()
    name = self._get_param("LaunchTemplateName")
    tags = self._parse_tag_specification("launch-template").get("launch-template", {})

    def make() -> ActionResult:
        templates.create(
            self.current_account,
            self.region,
            name,
            self._get_param("LaunchTemplateData", {}),
            description=self._get_param("VersionDescription"),
            tags=tags,
        )
        return ActionResult({"LaunchTemplate": _template(templates.find(self.ec2_backend, name))})

    return _once(self, "CreateLaunchTemplate", make)


def create_launch_template_version(self: Any) -> ActionResult:
    """CreateLaunchTemplateVersion, with SourceVersion and ClientToken."""
    template = _asked_template(self)
    if template is None:
        raise _missing_template()
    self.error_on_dryrun()

    def make() -> ActionResult:
        number = templates.create_version(
            self.current_account,
            self.region,
            template.id,
            self._get_param("LaunchTemplateData", {}),
            source=self._get_param("SourceVersion"),
            description=self._get_param("VersionDescription"),
        )
        version = templates.get_version(template, number)
        return ActionResult({"LaunchTemplateVersion": _version(version)})

    return _once(self, "CreateLaunchTemplateVersion", make)


def modify_launch_template(self: Any) -> ActionResult:
    """ModifyLaunchTemplate: sets the default version."""
    template = _asked_template(self)
    if template is None:
        raise _missing_template()
    number = self._get_param("DefaultVersion") or self._get_param("SetDefaultVersion")
    self.error_on_dryrun()
    if number is not None:
        template.default_version_number = templates.get_version(template, number).number
    return ActionResult({"LaunchTemplate": _template(template)})


def delete_launch_template_versions(self: Any) -> ActionResult:
    """DeleteLaunchTemplateVersions: each version by itself, and never the default one."""
    template = _asked_template(self)
    if template is None:
        raise _missing_template()
    asked = [str(number) for number in self._get_param("Versions", [])]
    self.error_on_dryrun()
    deleted, kept = [], []
    for text in asked:
        row: dict[str, Any] = {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "VersionNumber": int(text) if text.isdigit() else 0,
        }
        number = row["VersionNumber"]
        if number == template.default_version_number:
            row["ResponseError"] = {
                "Code": "unexpectedError",
                "Message": "The default version of a launch template cannot be deleted. "
                "Assign another version as the default first.",
            }
            kept.append(row)
        elif number not in [version.number for version in template.versions]:
            row["ResponseError"] = {
                "Code": "launchTemplateVersionDoesNotExist",
                "Message": f"Could not find launch template version {text}.",
            }
            kept.append(row)
        else:
            templates.delete_version(template, number)
            deleted.append(row)
    return ActionResult(
        {
            "SuccessfullyDeletedLaunchTemplateVersions": deleted,
            "UnsuccessfullyDeletedLaunchTemplateVersions": kept,
        }
    )


def describe_launch_templates(self: Any) -> ActionResult:
    """DescribeLaunchTemplates, in pages."""
    self.error_on_dryrun()
    backend = self.ec2_backend
    asked = [*self._get_param("LaunchTemplateIds", []), *self._get_param("LaunchTemplateNames", [])]
    found = [templates.find(backend, template) for template in asked]
    if not asked:
        found = list(backend.launch_templates.values())
    predicates = compile_filters(
        self._filters_from_querystring(),
        TEMPLATE_FILTERS,
        lambda template: backend.tags.get(template.id, {}),
    )
    page, following = cut(
        "DescribeLaunchTemplates",
        [row for row in found if all(predicate(row) for predicate in predicates)],
        lambda template: (template.id,),
        page_size(self._get_param("MaxResults"), 1, LARGEST_PAGE),
        self._get_param("NextToken"),
    )
    rows = [_template(template) for template in page]
    return ActionResult({"LaunchTemplates": rows, "NextToken": following})


def describe_launch_template_versions(self: Any) -> ActionResult:
    """DescribeLaunchTemplateVersions: of one template, or the latest and default ones of all."""
    self.error_on_dryrun()
    predicates = compile_filters(self._filters_from_querystring(), VERSION_FILTERS)
    page, following = cut(
        "DescribeLaunchTemplateVersions",
        [row for row in _asked_versions(self) if all(predicate(row) for predicate in predicates)],
        # The newest version first, as in the API's own examples.
        lambda version: (version.template.id, 10**9 - version.number),
        page_size(self._get_param("MaxResults"), 1, LARGEST_PAGE),
        self._get_param("NextToken"),
    )
    rows = [_version(version) for version in page]
    return ActionResult({"LaunchTemplateVersions": rows, "NextToken": following})


def get_launch_template_data(self: Any) -> ActionResult:
    """GetLaunchTemplateData: moto's, with the instance's own metadata options."""
    result = stock.get_launch_template_data_call(self)
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    result.result["LaunchTemplateData"]["MetadataOptions"] = {
        wire: getattr(instance.metadata_options, name) for name, wire in WIRE_NAMES.items()
    }
    return result


def _asked_versions(self: Any) -> list[Any]:
    versions = [str(version) for version in self._get_param("Versions", [])]
    template = _asked_template(self)
    if template is None:
        if not versions:
            raise Refused("MissingParameter", _WHICH)
        if not set(versions) <= {"$Latest", "$Default"}:
            raise Refused("InvalidParameterValue", _WHICH)
        pool = list(self.ec2_backend.launch_templates.values())
    else:
        pool = [template]
    if versions:
        found = {}
        for owner in pool:
            for asked in versions:
                version = templates.get_version(owner, asked)
                found[owner.id, version.number] = version
        return list(found.values())
    lowest = int(self._get_param("MinVersion") or 1)
    highest = int(self._get_param("MaxVersion") or 10**9)
    return [version for version in pool[0].versions if lowest <= version.number <= highest]


def _asked_template(self: Any) -> Any:
    name = self._get_param("LaunchTemplateName")
    template_id = self._get_param("LaunchTemplateId")
    if name and template_id:
        raise Refused(
            "InvalidParameterCombination",
            "Specify either the launch template ID or the launch template name, but not both.",
        )
    if template_id and not template_id.startswith("lt-"):
        raise Refused("InvalidLaunchTemplateId.Malformed", f'Invalid id: "{template_id}"')
    return templates.find(self.ec2_backend, template_id or name) if template_id or name else None


def _missing_template() -> Refused:
    return Refused(
        "MissingParameter",
        "The request must contain the parameter launch template ID or launch template name",
    )


def _once(self: Any, operation: str, make: Callable[[], ActionResult]) -> ActionResult:
    """The answer of `make`, or the one that this client token was given before.

    Raises:
        Refused: IdempotentParameterMismatch if the token came with another request before.
    """
    token = self._get_param("ClientToken")
    if not token:
        return make()
    parameters = templates.plain(self.params)
    request = json.dumps(parameters, sort_keys=True, default=str)
    replies = state_of(self.ec2_backend).replies
    known = replies.get((operation, token))
    if known is None:
        known = replies[operation, token] = (request, make())
    if known[0] != request:
        raise Refused(
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in "
            "previous request(s).",
        )
    return known[1]


def _creator(template: Any) -> str:
    return f"arn:aws:iam::{template.ec2_backend.account_id}:root"


def _template(template: Any) -> dict[str, Any]:
    return {
        "CreateTime": template.create_time,
        "CreatedBy": _creator(template),
        "DefaultVersionNumber": template.default_version_number,
        "LatestVersionNumber": template.versions[-1].number,
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "Tags": template.get_tags(),
    }


def _version(version: Any) -> dict[str, Any]:
    return {
        "CreateTime": version.create_time,
        "CreatedBy": _creator(version.template),
        "DefaultVersion": version.template.is_default(version),
        "LaunchTemplateData": version.data,
        "LaunchTemplateId": version.template.id,
        "LaunchTemplateName": version.template.name,
        "VersionDescription": version.description,
        "VersionNumber": version.number,
    }
