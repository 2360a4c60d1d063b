"""AMIs and their ImdsSupport, which can be set and never taken back."""

import hashlib
from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models.amis import Ami

from imdsctl.simulator.ec2 import stock
from imdsctl.simulator.ec2.errors import Refused
from imdsctl.simulator.ec2.paging import cut, page_size
from imdsctl.simulator.ec2.region import backend_of, state_of

V2 = "v2.0"
AMAZON = "137112412989"
"""The account that owns Amazon Linux's images."""

PARAMETER = "resolve:ssm:"
"""How a launch template names an AMI by a Systems Manager parameter."""


def resolved_image(image: str | None) -> str | None:
    """The AMI that a launch gets: a Systems Manager parameter stands for one, always the same.

    The parameter itself need not exist.
    """
    if image is None or not image.startswith(PARAMETER):
        return image
    return f"ami-{hashlib.sha256(image.encode()).hexdigest()[:17]}"


def imds_support(backend: Any, image_id: str) -> str | None:
    """The image's ImdsSupport: "v2.0", or None when it is not set or the image is unknown."""
    return getattr(backend.amis.get(image_id), "imds_support", None)


def create(
    account: str,
    region: str,
    name: str,
    *,
    support: str | None = None,
    tags: Mapping[str, str] | None = None,
    description: str = "",
    amazon: bool = False,
) -> str:
    """Create an AMI of the account's own, or a public one of Amazon's, and give its id."""
    backend = backend_of(account, region)
    image_id = state_of(backend).new_id("ami", name)
    image = Ami(
        backend,
        image_id,
        name=name,
        description=description,
        virtualization_type="hvm",
        architecture="x86_64",
        root_device_type="ebs",
        owner_id=AMAZON if amazon else account,
        owner_alias="amazon" if amazon else None,
        public=amazon,
        image_location=f"{AMAZON if amazon else account}/{name}",
        hypervisor="xen",
        region_name=f"{region}a",
        tags=dict(tags or {}),
    )
    image.imds_support = check_support(support) if support else None
    backend.amis[image_id] = image
    return image_id


def check_support(value: object) -> str:
    """The only value that ImdsSupport has (API Reference, RegisterImage).

    Raises:
        Refused: InvalidParameterValue for any other.
    """
    if value != V2:
        raise Refused(
            "InvalidParameterValue",
            f"Value ({value}) for parameter imdsSupport is invalid. The only valid value is v2.0.",
        )
    return V2


def find(backend: Any, image_id: str) -> Any:
    """An image by id.

    Raises:
        Refused: it does not exist.
    """
    if image_id not in backend.amis:
        raise _not_found([image_id])
    return backend.amis[image_id]


def _not_found(ids: list[str]) -> Refused:
    if len(ids) == 1:
        return Refused("InvalidAMIID.NotFound", f"The image id '[{ids[0]}]' does not exist")
    return Refused("InvalidAMIID.NotFound", f"The image ids '[{', '.join(ids)}]' do not exist")


def describe_images(self: Any) -> ActionResult:
    """DescribeImages, with pages and with every id that does not exist reported."""
    self.error_on_dryrun()
    backend = self.ec2_backend
    ids = self._get_param("ImageIds", [])
    for image_id in ids:
        if not image_id.startswith("ami-"):
            raise Refused("InvalidAMIID.Malformed", f'Invalid id: "{image_id}"')
    missing = [image_id for image_id in ids if image_id not in backend.amis]
    if missing:
        raise _not_found(missing)
    images = backend.describe_images(
        ami_ids=ids,
        filters=self._filters_from_querystring(),
        exec_users=self._get_param("ExecutableUsers", []),
        owners=self._get_param("Owners", []),
    )
    page, following = cut(
        "DescribeImages",
        images,
        lambda image: (image.id,),
        page_size(self._get_param("MaxResults"), 5, 1000),
        self._get_param("NextToken"),
    )
    return ActionResult({"Images": page, "NextToken": following})


def modify_image_attribute(self: Any) -> Any:
    """ModifyImageAttribute: ImdsSupport and Description here, launch permissions by moto."""
    support = (self._get_param("ImdsSupport") or {}).get("Value")
    description = (self._get_param("Description") or {}).get("Value")
    attribute = str(self._get_param("Attribute") or "")
    if attribute.lower() == "imdssupport":
        support = self._get_param("Value")
    elif attribute == "description":
        description = self._get_param("Value")
    if support is None and description is None:
        return stock.modify_image_attribute_call(self)
    if support is not None and description is not None:
        raise Refused(
            "InvalidParameterCombination", "Only one attribute can be specified at a time."
        )
    image = find(self.ec2_backend, self._get_param("ImageId"))
    if image.owner_id != self.current_account:
        raise Refused(
            "AuthFailure", f"Not authorized for image:{image.id}: it belongs to another account."
        )
    self.error_on_dryrun()
    if support is not None:
        image.imds_support = check_support(support)
    else:
        image.description = description
    return EmptyResult()


def reset_image_attribute(self: Any) -> EmptyResult:
    """ResetImageAttribute: only launch permissions can be reset, ImdsSupport cannot.

    Source: API Reference, ResetImageAttribute and ModifyImageAttribute ("you can't undo it").
    """
    attribute = self._get_param("Attribute")
    if attribute != "launchPermission":
        raise Refused(
            "InvalidParameterValue",
            f"Value ({attribute}) for parameter attribute is invalid. "
            "You can only reset the launchPermission attribute.",
        )
    image = find(self.ec2_backend, self._get_param("ImageId"))
    self.error_on_dryrun()
    image.launch_permissions.clear()
    return EmptyResult()


def describe_image_attribute(self: Any) -> Any:
    """DescribeImageAttribute: imdsSupport here, all others by moto."""
    if self._get_param("Attribute") != "imdsSupport":
        return stock.describe_image_attribute_call(self)
    image = find(self.ec2_backend, self._get_param("ImageId"))
    result: dict[str, Any] = {"ImageId": image.id}
    if imds_support(self.ec2_backend, image.id):
        result["ImdsSupport"] = {"Value": V2}
    return ActionResult(result)


def register_image(self: Any) -> Any:
    """RegisterImage, which keeps the ImdsSupport that it is given."""
    support = self._get_param("ImdsSupport")
    if support is not None:
        check_support(support)
    result = stock.register_image_call(self)
    if support:
        self.ec2_backend.amis[result.result["ImageId"]].imds_support = V2
    return result


def create_image(backend: Any, instance_id: str, *args: Any, **kwargs: Any) -> Any:
    """CreateImage: an image made from an instance inherits its image's ImdsSupport."""
    image = stock.create_image(backend, instance_id, *args, **kwargs)
    source = backend.get_instance(instance_id).image_id
    image.imds_support = imds_support(backend, source)
    return image


def copy_image(
    backend: Any, source_image_id: str, source_region: str, *args: Any, **kwargs: Any
) -> Any:
    """CopyImage: a copy has its source's ImdsSupport."""
    image = stock.copy_image(backend, source_image_id, source_region, *args, **kwargs)
    source = backend_of(backend.account_id, source_region)
    image.imds_support = imds_support(source, source_image_id)
    return image
