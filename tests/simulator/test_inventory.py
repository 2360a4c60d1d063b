"""Inventory on the simulated AWS: who has which application, in counts and by name."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import MakeClient, StartAws

FLEET = """
start = 2026-11-11T09:00:00Z
[[account]]
id = "111111111111"
[[account.region]]
name = "eu-west-1"
[[account.region.instance]]
name = "old"
software = ["amazon-ssm-agent 2.3.612.0", "awscli 1.16.100", "openssl 3.0.8"]
[[account.region.instance]]
name = "new"
count = 3
software = ["awscli 2.15.0", "nmap 1.16.100"]
[[account.region.instance]]
name = "windows"
platform = "windows"
[[account.region.instance]]
name = "unmanaged"
ssm = false
software = ["awscli 1.16.100"]
[[account.region]]
name = "eu-central-1"
"""
APPLICATION, INSTANCE = "AWS:Application", "AWS:InstanceInformation"


class Inventory:
    """The running fleet, asked as anybody asks it."""

    def __init__(self, aws: Any, boto: MakeClient) -> None:
        self.ssm = boto("ssm")
        truth = aws.control("truth")["instances"].items()
        self.names = {str(key): str(one["name"]) for key, one in truth}

    def having(self, *filters: tuple[str, str, str], **more: Any) -> list[str]:
        """The names of the instances that match."""
        wanted = [{"Key": k, "Type": t, "Values": v.split(",")} for k, t, v in filters]
        pages = self.ssm.get_paginator("get_inventory").paginate(Filters=wanted, **more)
        return [self.names[e["Id"]] for page in pages for e in page["Entities"]]

    def counted(self, *expressions: str, **more: Any) -> list[dict[str, str]]:
        """The rows of an aggregation, each expression nested in the one before."""
        aggregator: dict[str, Any] = {}
        for expression in reversed(expressions):
            nested = {"Aggregators": [aggregator]} if aggregator else {}
            aggregator = {"Expression": expression, **nested}
        pages = self.ssm.get_paginator("get_inventory").paginate(Aggregators=[aggregator], **more)
        return [
            row
            for page in pages
            for entity in page["Entities"]
            for row in entity["Data"][APPLICATION]["Content"]
        ]


@pytest.fixture
def inventory(simulated_aws: StartAws, boto: MakeClient) -> Inventory:
    return Inventory(simulated_aws(FLEET), boto)


def test_an_instance_tells_of_itself_and_not_of_its_applications(inventory: Inventory) -> None:
    answer = inventory.ssm.get_inventory(
        Filters=[{"Key": f"{APPLICATION}.Name", "Values": ["openssl"]}],
        ResultAttributes=[{"TypeName": INSTANCE}],
    )
    (entity,) = answer["Entities"]
    assert set(entity["Data"]) == {INSTANCE}
    (content,) = entity["Data"][INSTANCE]["Content"]
    assert inventory.names[content["InstanceId"]] == "old"
    assert content["AgentVersion"] == "2.3.612.0"
    assert (content["PlatformName"], content["InstanceStatus"]) == ("Amazon Linux", "Active")
    with pytest.raises(ClientError, match="InvalidResultAttributeException"):
        inventory.ssm.get_inventory(ResultAttributes=[{"TypeName": APPLICATION}])


@pytest.mark.parametrize(
    ("key", "operator", "values", "found"),
    [
        (f"{APPLICATION}.Name", "Equal", "awscli", {"old", "new-1", "new-2", "new-3"}),
        (f"{APPLICATION}.Name", "Equal", "openssl,nmap", {"old", "new-1", "new-2", "new-3"}),
        (f"{APPLICATION}.Name", "BeginWith", "open", {"old"}),
        (f"{INSTANCE}.AgentVersion", "BeginWith", "2.", {"old"}),
        (f"{INSTANCE}.AgentVersion", "LessThan", "3", {"old"}),
        (f"{INSTANCE}.AgentVersion", "GreaterThan", "4", set()),
        (f"{INSTANCE}.PlatformType", "Equal", "Windows", {"windows"}),
        (f"{INSTANCE}.PlatformType", "NotEqual", "Linux", {"windows"}),
        (f"{INSTANCE}.InstanceStatus", "Equal", "Terminated", set()),
    ],
)
def test_filters(
    key: str, operator: str, values: str, found: set[str], inventory: Inventory
) -> None:
    assert set(inventory.having((key, operator, values))) == found


def test_several_filters_are_asked_each_by_itself(inventory: Inventory) -> None:
    name, version = f"{APPLICATION}.Name", f"{APPLICATION}.Version"
    found = inventory.having((name, "Equal", "awscli"), (version, "Equal", "1.16.100"))
    assert set(found) == {"old", "new-1", "new-2", "new-3"}, "new ones have an nmap of that version"
    assert inventory.having((name, "Equal", "openssl"), (version, "Equal", "2.15.0")) == []


def test_names_versions_and_systems_are_counted(inventory: Inventory) -> None:
    rows = inventory.counted(
        f"{APPLICATION}.Name", f"{APPLICATION}.Version", f"{INSTANCE}.PlatformName"
    )
    told = {(r["Name"], r["Version"], r["PlatformName"]): r["Count"] for r in rows}
    assert told[("awscli", "2.15.0", "Amazon Linux")] == "3"
    assert told[("awscli", "1.16.100", "Amazon Linux")] == "1", "an unmanaged one is not there"
    assert told[("amazon-ssm-agent", "3.3.1142.0", "Microsoft Windows Server 2022")] == "1"
    few = inventory.counted(
        f"{APPLICATION}.Name", Filters=[{"Key": f"{APPLICATION}.Name", "Values": ["openssl"]}]
    )
    assert {r["Name"] for r in few} == {"amazon-ssm-agent", "awscli", "openssl"}
    assert {r["Count"] for r in few} == {"1"}


def test_everything_comes_in_pages(inventory: Inventory) -> None:
    page = {"PaginationConfig": {"PageSize": 2}}
    everybody = inventory.having((f"{INSTANCE}.ResourceType", "Equal", "EC2Instance"), **page)
    assert sorted(everybody) == ["new-1", "new-2", "new-3", "old", "windows"]
    whole = inventory.counted(f"{APPLICATION}.Name", f"{APPLICATION}.Version")
    assert inventory.counted(f"{APPLICATION}.Name", f"{APPLICATION}.Version", **page) == whole
    first = inventory.ssm.get_inventory(MaxResults=2)
    assert len(first["Entities"]) == 2
    assert "NextToken" not in inventory.ssm.get_inventory(MaxResults=5)
    (old,) = [key for key, name in inventory.names.items() if name == "old"]
    entries = inventory.ssm.list_inventory_entries(
        InstanceId=old, TypeName=APPLICATION, MaxResults=2
    )
    rest = inventory.ssm.list_inventory_entries(
        InstanceId=old, TypeName=APPLICATION, NextToken=entries["NextToken"]
    )
    names = [entry["Name"] for entry in (*entries["Entries"], *rest["Entries"])]
    assert names == ["amazon-ssm-agent", "awscli", "openssl"]


def test_the_managed_come_in_pages_of_their_own(inventory: Inventory) -> None:
    pages = inventory.ssm.get_paginator("describe_instance_information").paginate(
        PaginationConfig={"PageSize": 5}
    )
    sizes = [len(page["InstanceInformationList"]) for page in pages]
    assert sizes == [5]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"NextToken": "nonsense"}, "InvalidNextToken"),
        ({"NextToken": "4711"}, "InvalidNextToken"),
        ({"Filters": [{"Key": "Name", "Values": ["a"]}]}, "InvalidFilter"),
        (
            {"Filters": [{"Key": f"{APPLICATION}.Name", "Values": ["a"], "Type": "Exists"}]},
            "InvalidFilter",
        ),
        (
            {"Aggregators": [{"Expression": f"{APPLICATION}.Publisher"}]},
            "InvalidAggregatorException",
        ),
        ({"Aggregators": [{"Expression": "AWS:File.Name"}]}, "InvalidAggregatorException"),
    ],
)
def test_what_makes_no_sense_is_refused(
    asked: dict[str, Any], code: str, inventory: Inventory
) -> None:
    with pytest.raises(ClientError, match=code):
        inventory.ssm.get_inventory(**asked)


def test_a_region_without_instances_has_no_inventory(
    inventory: Inventory, boto: MakeClient
) -> None:
    there = boto("ssm", "eu-central-1")
    assert there.get_inventory()["Entities"] == []
    counts = there.get_inventory(Aggregators=[{"Expression": f"{APPLICATION}.Name"}])
    assert counts["Entities"][0]["Data"][APPLICATION]["Content"] == []
    assert inventory.having((f"{APPLICATION}.Name", "Equal", "openssl")) == ["old"]
