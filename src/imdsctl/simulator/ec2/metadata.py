"""ModifyInstanceMetadataOptions, and the account's defaults for new instances."""

from datetime import timedelta
from typing import Any

from moto.core.responses import ActionResult

from imdsctl.simulator.ec2 import launch as births
from imdsctl.simulator.ec2 import options as levels
from imdsctl.simulator.ec2.errors import Refused
from imdsctl.simulator.ec2.region import InstanceOptions, state_of
from imdsctl.simulator.world import current

DEFAULTS = {
    "http_tokens": "HttpTokens",
    "http_put_response_hop_limit": "HttpPutResponseHopLimit",
    "http_endpoint": "HttpEndpoint",
    "instance_metadata_tags": "InstanceMetadataTags",
    "http_tokens_enforced": "HttpTokensEnforced",
}
"""The account's defaults under our names and the API's; there is none for IPv6."""

NO_PREFERENCE = "no-preference"


def modify_instance_metadata_options(self: Any) -> ActionResult:
    """ModifyInstanceMetadataOptions: only the members given change, at once and without a restart.

    Like EC2, a dry run looks at permissions and the instance, and not at the values.
    """
    instance_id = self._get_param("InstanceId")
    if not instance_id:
        raise Refused("MissingParameter", "The request must contain the parameter InstanceId")
    state = state_of(self.ec2_backend)
    (instance,) = state.find([instance_id])
    self.error_on_dryrun()

    given = levels.from_wire({wire: self._get_param(wire) for wire in levels.MEMBER_NAMES})
    if instance.state == "terminated":
        raise Refused(
            "IncorrectInstanceState",
            f"The instance '{instance_id}' is not in a state from which its metadata options "
            "can be modified.",
        )
    operator = getattr(instance, "imdsctl_operator", "")
    if operator:
        raise Refused(
            "OperationNotPermitted",
            f"The instance '{instance_id}' is managed by {operator}. "
            "You can't directly modify the settings of a managed instance.",
        )
    before = instance.metadata_options.values
    after = levels.merge(before, given)
    _check_change(given, before, after, enforced=state.enforced)
    if after.instance_metadata_tags == "enabled":
        levels.check_tag_keys(self.ec2_backend.tags.get(instance_id, {}))

    now = current().now
    running = instance.state == "running"
    settles_at = now + timedelta(seconds=births.pending_seconds) if running else None
    instance.metadata_options = InstanceOptions(after, settles_at)
    life = current().lives[instance_id]
    if after != life.options[-1][1]:
        life.options.append((now, after))
    reply = {wire: getattr(after, name) for name, wire in levels.WIRE_NAMES.items()}
    return ActionResult(
        {"InstanceId": instance_id, "InstanceMetadataOptions": {"State": "pending", **reply}}
    )


def _check_change(given: dict[str, object], before: Any, after: Any, *, enforced: bool) -> None:
    """Refuse what EC2 refuses by its values.

    Sources: User Guide, "Modify instance metadata options for existing instances" (the endpoint
    must be enabled for the other members to be set) and "Troubleshoot instance launch issues".
    """
    if not given:
        raise Refused(
            "MissingParameter", "The request must contain at least one metadata option to modify."
        )
    needs_endpoint = {"http_tokens", "http_put_response_hop_limit", "http_protocol_ipv6"} & {*given}
    if needs_endpoint and after.http_endpoint == "disabled":
        listed = ", ".join(sorted(levels.WIRE_NAMES[name] for name in needs_endpoint))
        raise Refused(
            "InvalidParameterCombination",
            f"{listed} can be set only while the HTTP metadata endpoint is enabled. "
            "Set HttpEndpoint to enabled, or leave the other options out.",
        )
    if enforced and before.http_tokens == "required" and after.http_tokens == "optional":
        raise Refused("UnsupportedOperation", levels.ENFORCED_MESSAGE)


def get_instance_metadata_defaults(self: Any) -> ActionResult:
    """GetInstanceMetadataDefaults: members without a preference are absent."""
    self.error_on_dryrun()
    state = state_of(self.ec2_backend)
    level: dict[str, object] = {
        DEFAULTS[name]: value for name, value in state.defaults.items() if name in DEFAULTS
    }
    if level or state.defaults_managed_by != "account":
        level["ManagedBy"] = state.defaults_managed_by
    if state.defaults_message:
        level["ManagedExceptionMessage"] = state.defaults_message
    return ActionResult({"AccountLevel": level})


def modify_instance_metadata_defaults(self: Any) -> ActionResult:
    """ModifyInstanceMetadataDefaults: members left out keep their value."""
    self.error_on_dryrun()
    state = state_of(self.ec2_backend)
    if state.defaults_managed_by == "declarative-policy":
        raise Refused(
            "DeclarativePolicyViolation",
            "This functionality has been disabled by a Declarative Policy. Custom Message: "
            f"{state.defaults_message}",
        )
    changes: dict[str, object] = {}
    for name, wire in DEFAULTS.items():
        value = self._get_param(wire)
        if value is None:
            continue
        if name == "http_put_response_hop_limit":
            changes[name] = levels.check_hop_limit(value, unset=True)
        elif name == "http_tokens_enforced":
            if value not in {"enabled", "disabled", NO_PREFERENCE}:
                raise Refused(
                    "InvalidParameterValue",
                    f"A value of '{value}' is not valid for {wire}. Specify 'enabled', "
                    f"'disabled' or '{NO_PREFERENCE}' and try again.",
                )
            changes[name] = value
        else:
            changes[name] = levels.check_choice(wire, value, (NO_PREFERENCE,))
    for name, value in changes.items():
        if value in {NO_PREFERENCE, -1}:
            state.defaults.pop(name, None)
        else:
            state.defaults[name] = value
    return ActionResult({"Return": True})
