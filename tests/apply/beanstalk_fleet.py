"""A fleet of Elastic Beanstalk environments, and what AWS says of them."""

from typing import Any

from whole_run import client

FLEET = """
start = 2026-11-11T09:00:00Z
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.image]]
name = "golden"
[[account.region.launch_template]]
name = "awseb-shop"
[[account.region.launch_template.version]]
image = "golden"
options = {{ http_tokens = "optional", http_put_response_hop_limit = 2 }}
[[account.region.launch_configuration]]
name = "awseb-mail-2019"
image = "golden"
options = {{ http_tokens = "optional" }}
[[account.region.auto_scaling_group]]
name = "awseb-shop"
launch_template = "awseb-shop"
version = "1"
size = {size}
beanstalk_environment = "shop-prod"
beanstalk_application = "shop"
{option}
callers = [{{ program = "shop", behaviour = "v2" }}, {{ program = "register", {caller} }}]
[[account.region.auto_scaling_group]]
name = "awseb-mail"
launch_configuration = "awseb-mail-2019"
size = 2
replaced_per_day = 1
beanstalk_environment = "mail-prod"
callers = [{{ program = "mail", behaviour = "v2" }}]
"""

QUIET = 'behaviour = "v2", when = "boot"'
BOOT_ONLY = 'behaviour = "v1-only", when = "boot"'
NOT_VITAL = 'behaviour = "v1-only", when = "boot", vital = false'


def fleet(caller: str = QUIET, option: str = "disable_imdsv1 = false", *, size: int = 3) -> str:
    """The fleet with a program of the shop's, and its environment's option as the file says it."""
    return FLEET.format(caller=caller, option=option, size=size)


def environment(name: str) -> dict[str, Any]:
    """An environment by boto3."""
    (found,) = client("elasticbeanstalk").describe_environments(EnvironmentNames=[name])[
        "Environments"
    ]
    return dict(found)


def option(name: str) -> str | None:
    """DisableIMDSv1 as it is deployed, by boto3."""
    sets = client("elasticbeanstalk").describe_configuration_settings(
        ApplicationName=environment(name)["ApplicationName"], EnvironmentName=name
    )["ConfigurationSettings"]
    (deployed,) = [one for one in sets if one["DeploymentStatus"] == "deployed"]
    (said,) = [o for o in deployed["OptionSettings"] if o["OptionName"] == "DisableIMDSv1"]
    value: str | None = said.get("Value")
    return value
