"""Launch templates as data: creating, finding, numbering and deleting their versions."""

from collections.abc import Iterable, Mapping
from typing import Any

from moto.core.types import Base64EncodedString
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateVersion

from imdsctl.simulator.ec2.errors import Refused
from imdsctl.simulator.ec2.options import WIRE_NAMES, from_wire
from imdsctl.simulator.ec2.region import backend_of, state_of


def create(
    account: str,
    region: str,
    name: str,
    data: Mapping[str, Any],
    *,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> str:
    """Create a launch template with its version 1, and give its id.

    Args:
        account: the account's id.
        region: the region's name.
        name: the template's name, unique in the account and region.
        data: LaunchTemplateData as in the API; absent members stay absent. `UserData` is base64.
        description: version 1's description.
        tags: the template's tags.

    Raises:
        Refused: the name is taken, or an option has a value that EC2 does not know.
    """
    backend = backend_of(account, region)
    if name in backend.launch_template_name_to_ids:
        raise Refused(
            "InvalidLaunchTemplateName.AlreadyExistsException",
            "Launch template name already in use.",
        )
    template = LaunchTemplate(backend, name, _checked(data), description, {})
    template.id = state_of(backend).new_id("lt", name)
    template.deleted_versions = set()
    if tags:
        template.add_tags(dict(tags))
    backend.launch_templates[template.id] = template
    backend.launch_template_name_to_ids[name] = template.id
    backend.launch_template_insert_order.append(template.id)
    return str(template.id)


def create_version(
    account: str,
    region: str,
    template: str,
    data: Mapping[str, Any],
    *,
    source: int | str | None = None,
    description: str | None = None,
) -> int:
    """Add a version to a template, and give its number. The default version stays as it is.

    With `source`, members that `data` does not have are inherited from that version, and those
    that it has replace the inherited ones whole (API Reference, CreateLaunchTemplateVersion).

    Raises:
        Refused: there is no such template or source version, or a value is not EC2's.
    """
    backend = backend_of(account, region)
    found = find(backend, template)
    own = _checked(data)
    if source is not None:
        own = {**get_version(found, source).data, **own}
    return int(found.create_version(own, description).number)


def find(backend: Any, template: str) -> Any:
    """A launch template by id or name.

    Raises:
        Refused: it does not exist.
    """
    if template in backend.launch_templates:
        return backend.launch_templates[template]
    known = backend.launch_template_name_to_ids.get(template)
    if known:
        return backend.launch_templates[known]
    if template.startswith("lt-"):
        raise Refused(
            "InvalidLaunchTemplateId.NotFound",
            f"The specified launch template, with template ID {template}, does not exist.",
        )
    raise Refused(
        "InvalidLaunchTemplateName.NotFoundException",
        f"The specified launch template, with template name {template}, does not exist.",
    )


def find_version(backend: Any, template: str, version: int | str | None) -> Any:
    """A version of a template: its number, $Latest, or $Default (also when None or empty).

    Raises:
        Refused: the template or the version does not exist.
    """
    return get_version(find(backend, template), version or "$Default")


def get_version(template: Any, version: int | str) -> Any:
    """Replaces moto's method of this name, which goes by position: versions can be deleted."""
    asked = str(version)
    number = {
        "$latest": template.versions[-1].number,
        "$default": template.default_version_number,
    }.get(asked.lower())
    if number is None and asked.isdigit():
        number = int(asked)
    for candidate in template.versions:
        if candidate.number == number:
            return candidate
    raise Refused(
        "InvalidLaunchTemplateId.VersionNotFound",
        f"Could not find the specified version {asked} for the launch template "
        f"with ID {template.id}.",
    )


def add_version(template: Any, data: dict[str, Any], description: str) -> Any:
    """Replaces moto's `create_version`: a number is never given twice."""
    used = [version.number for version in template.versions]
    number = max([*used, *getattr(template, "deleted_versions", ())], default=0) + 1
    version = LaunchTemplateVersion(template, number, data, description)
    template.versions.append(version)
    return version


def delete_version(template: Any, number: int) -> None:
    """Delete a version that is known to exist and not to be the default."""
    template.versions = [version for version in template.versions if version.number != number]
    template.deleted_versions = {*getattr(template, "deleted_versions", ()), number}


def instance_tags(version: Any) -> dict[str, str]:
    """The tags that a version gives to instances, with the two that EC2 adds by itself."""
    found: dict[str, str] = {}
    for specification in version.data.get("TagSpecifications") or ():
        if specification.get("ResourceType") == "instance":
            found |= {tag["Key"]: tag.get("Value", "") for tag in specification.get("Tags") or ()}
    found["aws:ec2launchtemplate:id"] = version.template.id
    found["aws:ec2launchtemplate:version"] = str(version.number)
    return found


def asks_for_spot(data: Mapping[str, Any]) -> bool:
    """Whether a version's data asks for Spot Instances."""
    return (data.get("InstanceMarketOptions") or {}).get("MarketType") == "spot"


def plain(value: Any) -> Any:
    """Parsed parameters of moto as ordinary dictionaries and lists."""
    if isinstance(value, Mapping):
        original = value.original_dict() if hasattr(value, "original_dict") else value
        return {key: plain(member) for key, member in original.items()}
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Base64EncodedString)):
        return [plain(item) for item in value]
    return value


def _checked(data: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in plain(data).items() if value is not None}
    if isinstance(own.get("UserData"), str):
        own["UserData"] = Base64EncodedString(own["UserData"])
    if "MetadataOptions" in own:
        known = from_wire(own["MetadataOptions"])
        own["MetadataOptions"] = {WIRE_NAMES[name]: value for name, value in known.items()}
    return own
