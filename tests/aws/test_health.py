"""What the gates look at."""

from datetime import UTC, datetime

from aws.scripted_aws import CELL, Reply, ScriptedAws, error, query_error
from imdsctl.aws.wiring import Aws
from imdsctl.model.evidence import TemplateSpec, Unreadable
from imdsctl.ports import InstanceHealth, RefreshStatus


def statuses(*ids: str) -> Reply:
    rows = "".join(
        f"<item><instanceId>{i}</instanceId><instanceState><name>running</name></instanceState>"
        "<instanceStatus><status>impaired</status></instanceStatus>"
        "<systemStatus><status>ok</status></systemStatus></item>"
        for i in ids
    )
    return Reply(f"<R><instanceStatusSet>{rows}</instanceStatusSet></R>")


def test_every_instance_is_asked_for_by_id_a_hundred_at_a_time(
    aws: Aws, scripted: ScriptedAws
) -> None:
    scripted.answers("DescribeInstanceStatus", statuses("i-0"), statuses("i-1"))
    found = aws.health.instance_health(CELL, [f"i-{n}" for n in range(150)])
    assert found == {
        i: InstanceHealth(id=i, state="running", instance_status="impaired", system_status="ok")
        for i in ("i-0", "i-1")
    }
    first, second = (a.parameters for a in scripted.asked if "Status" in a.operation)
    assert first["IncludeAllInstances"] == "true"
    assert ("InstanceId.100" in first, "InstanceId.101" in first) == (True, False)
    assert ("InstanceId.50" in second, "InstanceId.51" in second) == (True, False)


def test_an_instance_that_is_gone_does_not_hide_the_others(aws: Aws, scripted: ScriptedAws) -> None:
    gone = error("InvalidInstanceID.NotFound", 400, "The instance IDs 'i-0a, i-0b' do not exist")
    scripted.answers("DescribeInstanceStatus", gone, statuses("i-0c"))
    found = aws.health.instance_health(CELL, ["i-0a", "i-0b", "i-0c"])
    assert isinstance(found, dict)
    assert list(found) == ["i-0c"]


def test_health_that_cannot_be_read_is_no_good_health(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers("DescribeInstanceStatus", error("UnauthorizedOperation", 403))
    assert isinstance(aws.health.instance_health(CELL, ["i-1"]), Unreadable)
    scripted.answers("DescribeInstanceStatus", error("InvalidInstanceID.NotFound", 400, "what?"))
    assert isinstance(aws.health.instance_health(CELL, ["i-1"]), Unreadable)


def refresh(identity: str, token: str = "", inner: str = "") -> Reply:
    return Reply(
        "<R><DescribeInstanceRefreshesResult><InstanceRefreshes><member>"
        f"<InstanceRefreshId>{identity}</InstanceRefreshId><Status>InProgress</Status>{inner}"
        f"</member></InstanceRefreshes><NextToken>{token}</NextToken>"
        "</DescribeInstanceRefreshesResult></R>"
    )


def test_refreshes_are_read_to_their_end_newest_first(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers(
        "DescribeInstanceRefreshes",
        refresh("new", token="more"),
        refresh(
            "old",
            inner="<PercentageComplete>40</PercentageComplete><StatusReason>waits</StatusReason>"
            "<StartTime>2026-11-01T00:00:00Z</StartTime><DesiredConfiguration><LaunchTemplate>"
            "<LaunchTemplateId>lt-1</LaunchTemplateId><Version>4</Version></LaunchTemplate>"
            "</DesiredConfiguration>",
        ),
    )
    assert aws.health.refreshes(CELL, "web") == [
        RefreshStatus(id="new", status="InProgress", percentage=0),
        RefreshStatus(
            id="old",
            status="InProgress",
            percentage=40,
            reason="waits",
            started_at=datetime(2026, 11, 1, tzinfo=UTC),
            desired=[TemplateSpec(id="lt-1", name="", version="4")],
        ),
    ]


def test_refreshes_that_cannot_be_read_say_so(aws: Aws, scripted: ScriptedAws) -> None:
    scripted.answers("DescribeInstanceRefreshes", query_error("AccessDenied", 403))
    answer = aws.health.refreshes(CELL, "web")
    assert isinstance(answer, Unreadable)
    assert answer.what == "DescribeInstanceRefreshes"
