"""What holds for every plan of every fleet, tried on random ones."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planner_fleet import ACCOUNT, NOW, OLD, OPEN, SEEN, V1, V2, Fleet, policy, reordered

from imdsctl.model.cell import JudgedCell, StandingRun
from imdsctl.model.options import MetadataOptions
from imdsctl.model.plan import ONE_WAY, Change, Plan
from imdsctl.model.policy import Policy
from imdsctl.planner.build import build_plan

TEMPLATES = ("web", "arm")
SAID = st.sampled_from([V1, V2, OPEN, MetadataOptions(http_endpoint="disabled")])
SPECS = st.builds(
    "{}:{}".format,
    st.sampled_from(TEMPLATES),
    st.sampled_from(["1", "2", "9", "$Default", "$Latest"]),
)
CALLED = st.sampled_from([0, 0, 0, 0, 3, None])
LAUNCHED = st.sampled_from([SEEN, SEEN, OLD, NOW.replace(month=11, day=1, hour=20)])


def _nodegroup(draw: st.DrawFn, fleet: Fleet) -> None:
    if draw(st.booleans()):
        fleet.template("eks-blue", draw(SAID))
        fleet.nodegroup(
            "blue",
            draw(st.sampled_from(["web:1", "web:1", "web:2", "web:9", None])),
            "eks-blue:1",
            called=draw(CALLED),
            launched=draw(LAUNCHED),
            size=draw(st.integers(0, 3)),
        )


def _images(draw: st.DrawFn, fleet: Fleet) -> None:
    for name in draw(st.lists(st.sampled_from(["golden", "spare"]), unique=True)):
        fleet.image(
            name,
            public=draw(st.sampled_from([False, False, False, True])),
            imds_support=draw(st.sampled_from([None, None, "v2.0"])),
            owner=draw(st.sampled_from([ACCOUNT, ACCOUNT, ACCOUNT, "137112412989"])),
        )


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    fleet = Fleet()
    if draw(st.integers(0, 9)):
        options = draw(st.sampled_from([V1, V2, OPEN]))
        fleet.account_default(
            options, draw(st.sampled_from(["account", "account", "declarative-policy"]))
        )
    else:
        fleet.defaults = None
    for name in TEMPLATES:
        versions = draw(st.lists(SAID, min_size=1, max_size=3))
        fleet.template(
            name,
            *versions,
            default=draw(st.integers(1, len(versions))),
            image=draw(st.sampled_from([None, "ami-golden", "resolve:ssm:/golden"])),
        )
    fleet.configuration("old", draw(SAID))
    for number in range(draw(st.integers(0, 4))):
        specs = draw(st.lists(SPECS, max_size=3))
        members = fleet.group(
            f"g{number}",
            *specs,
            configuration=None if specs else draw(st.sampled_from(["old", "old", "lost"])),
            called=draw(CALLED),
            launched=draw(LAUNCHED),
            size=draw(st.integers(0, 3)),
            options={"http_tokens": draw(st.sampled_from(["optional", "optional", "required"]))},
            tags=draw(st.sampled_from([{}, {}, {}, {"eks:nodegroup-name": "blue"}])),
        )
        if members and not draw(st.integers(0, 4)):
            fleet.calls.pop(members[-1])
    _nodegroup(draw, fleet)
    for number in range(draw(st.integers(0, 4))):
        fleet.instance(
            f"i-{number}",
            called=draw(CALLED),
            launched=draw(LAUNCHED),
            image=draw(st.sampled_from(["", "ami-golden"])),
            state=draw(st.sampled_from(["running", "running", "pending", "stopped", "terminated"])),
            options=draw(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "http_tokens": st.just("required"),
                        "http_endpoint": st.just("disabled"),
                        "state": st.just("pending"),
                        "http_put_response_hop_limit": st.just(1),
                    },
                )
            ),
            tags=draw(st.sampled_from([{}, {"env": "dev"}, {"eks:cluster-name": "shop"}])),
        )
    _images(draw, fleet)
    if draw(st.booleans()):
        fleet.standing.append(
            StandingRun(run="r1", finished=draw(st.booleans()), instances=("i-0",))
        )
    for what in ("groups", "instances", "launch-templates", "images"):
        if not draw(st.integers(0, 12)):
            fleet.unreadable[what] = "Throttling: later"
    return fleet


POLICIES = st.builds(
    lambda plan, exempt: policy(
        plan=plan,
        exemption=[
            {"resource": name, "owner": "me", "reason": "vendor", "expires": "2027-01-01"}
            for name in exempt
        ],
    ),
    st.fixed_dictionaries(
        {
            "existing": st.sampled_from(["in-place", "refresh"]),
            "unproven_boot": st.sampled_from(["refresh", "freeze", "hold"]),
            "min_confidence": st.sampled_from(["low", "low", "medium", "high"]),
            "enforce": st.booleans(),
        }
    ),
    st.lists(st.sampled_from(["g0", "i-1"]), max_size=1),
)
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "wave": st.integers(-1, 3),
        "only": st.lists(
            st.sampled_from(["g0", "g1", "lt-web", "i-0", "i-g01", "golden", "ami-spare"]),
            min_size=1,
        ),
    },
)
# On a busy machine drawing a fleet may take long, which says nothing of the plan.
thoroughly = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def plan_for(fleet: Fleet, chosen: Policy, **asked: Any) -> tuple[JudgedCell, Plan]:
    judged = fleet.judged(chosen)
    return judged, build_plan([judged], chosen, now=NOW, scanned_at=NOW, caller="arn:x", **asked)


def of_kind(plan: Plan, *kinds: str) -> list[Change]:
    return [c for c in plan.changes().values() if c.kind in kinds]


@given(fleets(), POLICIES)
@thoroughly
def test_no_instance_is_touched_that_is_not_ready(fleet: Fleet, chosen: Policy) -> None:
    judged, plan = plan_for(fleet, chosen)
    for change in of_kind(plan, "instance-options"):
        assert judged.instances[change.resource].status == "ready"
    for change in of_kind(plan, "instance-refresh", "nodegroup-version"):
        for member in change.before["instances"]:
            assert judged.instances[member].status in ("ready", "done")


@given(fleets(), POLICIES)
@thoroughly
def test_every_instance_on_v1_is_planned_or_refreshed_or_held_with_a_reason(
    fleet: Fleet, chosen: Policy
) -> None:
    judged, plan = plan_for(fleet, chosen)
    planned = {c.resource for c in of_kind(plan, "instance-options")}
    replacing = of_kind(plan, "instance-refresh", "nodegroup-version")
    refreshed = {m for c in replacing for m in c.before["instances"]}
    held = {h.resource: h for h in plan.held}
    for instance in fleet.instances:
        if instance.id not in judged.instances or instance.options.posture != "v1-allowed":
            continue
        places = [instance.id in place for place in (planned, refreshed, held)]
        assert places.count(True) == 1, (instance.id, places)
        if instance.id in held:
            assert held[instance.id].reasons
            assert held[instance.id].reasons[0].summary


@given(fleets(), POLICIES)
@thoroughly
def test_every_launch_path_on_v1_becomes_v2_or_is_held_with_a_reason(
    fleet: Fleet, chosen: Policy
) -> None:
    judged, plan = plan_for(fleet, chosen)
    held = {h.resource for h in plan.held}
    versions = {(c.resource, c.before["source"]) for c in of_kind(plan, "launch-template-version")}
    replaced = {c.resource for c in of_kind(plan, "launch-configuration-replacement")}
    updated = {c.resource for c in of_kind(plan, "nodegroup-version")}
    for one in judged.paths:
        path = one.path
        if path.effective.posture != "v1-allowed":
            continue
        moved = (path.template, str(path.number)) in versions or path.group in replaced
        if path.nodegroup and path.nodegroup.own:
            own = path.nodegroup.own
            moved = (own.id, own.version) in versions
            assert moved == (path.nodegroup.id in updated)
        assert moved or path.id in held, path.id
    assert all(h.reasons and h.status not in ("ready", "done") for h in plan.held)


@given(fleets(), POLICIES)
@thoroughly
def test_what_a_change_says_was_there_before_is_what_the_scan_read(
    fleet: Fleet, chosen: Policy
) -> None:
    _, plan = plan_for(fleet, chosen)
    instances = {i.id: i for i in fleet.instances}
    versions = {(t.template_id, str(t.number)): t for t in fleet.templates}
    specs = {
        (g.name, "main" if s.override is None else str(s.override)): s.template
        for g in fleet.groups
        for s in g.specs
    }
    for change in plan.changes().values():
        before = change.before
        if change.kind == "instance-options":
            first = [n for n in change.needs if plan.changes()[n].resource == change.resource]
            read_before = instances[change.resource].options.members()
            assert before == (plan.changes()[first[0]].after if first else read_before)
        elif change.kind == "launch-template-version":
            read = versions[change.resource, before["source"]]
            assert before["options"] == read.options.members()
            assert (change.resource, change.after["version"]) not in versions
        elif change.kind == "launch-template-default":
            assert versions[change.resource, before["default"]].default
        elif change.kind == "asg-launch-template":
            for where, spec in before["specs"].items():
                read_spec = specs[change.resource, where]
                assert (spec["id"], spec["version"]) == (read_spec.id, read_spec.version)
        elif change.kind == "launch-configuration-replacement":
            (group,) = [g for g in fleet.groups if g.name == change.resource]
            assert before == {"launch_configuration": group.launch_configuration}
        elif change.kind == "account-defaults":
            assert fleet.defaults is not None
            members = fleet.defaults.options.members()
            assert before == {member: members.get(member) for member in before}


@given(fleets(), POLICIES)
@thoroughly
def test_a_refresh_starts_from_pinned_versions_and_nothing_in_its_group_floats(
    fleet: Fleet, chosen: Policy
) -> None:
    judged, plan = plan_for(fleet, chosen)
    changes = plan.changes()
    for refresh in of_kind(plan, "instance-refresh"):
        assert all(spec["version"].isdigit() for spec in refresh.before["specs"].values())
        pinned = {
            where
            for need in refresh.needs
            if changes[need].kind == "asg-launch-template"
            for where in changes[need].before["specs"]
        }
        for one in judged.paths:
            path = one.path
            if path.group == refresh.resource and path.number and path.version is not None:
                assert path.version.isdigit() or set(path.where) <= pinned


@given(fleets(), POLICIES, ASKED)
@thoroughly
def test_what_a_change_needs_comes_earlier_in_the_plan(
    fleet: Fleet, chosen: Policy, asked: dict[str, Any]
) -> None:
    _, plan = plan_for(fleet, chosen, **asked)
    seen: set[str] = set()
    for wave in plan.waves:
        for change in wave.changes:
            assert set(change.needs) <= seen, change.id
            assert change.id not in seen
            seen.add(change.id)
        assert set(wave.canaries) <= {c.id for c in wave.changes if c.kind == "instance-options"}


@given(fleets(), POLICIES)
@thoroughly
def test_every_change_can_be_taken_back_or_is_made_only_by_name(
    fleet: Fleet, chosen: Policy
) -> None:
    _, plan = plan_for(fleet, chosen)
    for wave in plan.waves:
        for change in wave.changes:
            assert change.irreversible == (wave.name == "one-way") == (change.kind in ONE_WAY)
            assert change.inverse or change.kind == "image-imds-support"
            assert change.reason
    for change in plan.changes().values():
        if change.kind == "instance-options":
            assert change.inverse == change.before


@given(fleets(), POLICIES)
@thoroughly
def test_nothing_that_a_held_launch_path_uses_is_changed(fleet: Fleet, chosen: Policy) -> None:
    judged, plan = plan_for(fleet, chosen)
    held = {h.resource for h in plan.held}
    versioned = {c.resource for c in of_kind(plan, "launch-template-version")}
    moved = {c.resource for c in of_kind(plan, "launch-template-default")}
    pointed = {
        (c.resource, where)
        for c in of_kind(plan, "asg-launch-template", "instance-refresh")
        for where, spec in c.after["specs"].items()
        if "version_from" in spec
    }
    replaced = {c.resource for c in of_kind(plan, "launch-configuration-replacement")}
    default_changes = bool(of_kind(plan, "account-defaults"))
    for one in judged.paths:
        path = one.path
        if path.id not in held:
            continue
        if path.version == "$Latest":
            assert path.template not in versioned
        if path.version == "$Default":
            assert path.template not in moved
        if path.group:
            assert path.group not in replaced
            assert not {(path.group, where) for where in path.where} & pointed
            open_tokens = path.explicit.http_tokens is None and path.number is not None
            if open_tokens and path.effective.posture == "v1-allowed":
                assert not default_changes


@given(fleets(), POLICIES)
@thoroughly
def test_where_instances_call_v1_no_new_instance_is_born_without_it(
    fleet: Fleet, chosen: Policy
) -> None:
    """A caller's group launches as it did: no version, default or pointer of its changes."""
    judged, plan = plan_for(fleet, chosen)
    callers = {i for i, calls in fleet.calls.items() if calls.v1 and calls.v1.total}
    moved = {c.resource for c in of_kind(plan, "launch-template-default")}
    versioned = {c.resource for c in of_kind(plan, "launch-template-version")}
    pointed = {
        c.resource
        for c in of_kind(
            plan, "asg-launch-template", "instance-refresh", "launch-configuration-replacement"
        )
    }
    updated = {c.resource for c in of_kind(plan, "nodegroup-version")}
    for one in judged.paths:
        path = one.path
        if path.nodegroup and callers & set(path.members):
            assert path.nodegroup.id not in updated
        if path.effective.posture == "v1-allowed" and callers & set(path.members):
            assert path.group not in pointed
            assert path.version != "$Default" or path.template not in moved
            assert path.version != "$Latest" or path.template not in versioned


@given(fleets(), POLICIES, st.tuples(*[st.integers(0, 9)] * 4))
@thoroughly
def test_the_same_evidence_gives_the_same_plan_in_whatever_order_it_was_read(
    fleet: Fleet, chosen: Policy, orders: tuple[int, ...]
) -> None:
    judged, plan = plan_for(fleet, chosen)
    turned, plan_turned = plan_for(reordered(fleet, orders), chosen)
    assert turned.instances == judged.instances
    assert turned.paths == judged.paths
    assert plan_turned == plan
    assert plan_turned.digest == plan.digest


@given(fleets(), POLICIES)
@thoroughly
def test_of_what_was_not_read_nothing_is_ready(fleet: Fleet, chosen: Policy) -> None:
    judged = fleet.judged(chosen)
    for record in judged.evidence.instances:
        instance = record.item
        calls = fleet.calls.get(instance.id)
        if instance.id in judged.instances and (calls is None or calls.v1 is None):
            assert judged.instances[instance.id].status != "ready"
    for one in judged.paths:
        if one.path.number is None and one.path.launch_configuration is None:
            assert one.verdict.status not in ("ready", "done")


@given(fleets(), POLICIES)
@thoroughly
def test_enforcement_waits_until_nothing_could_need_v1_or_its_way_back(
    fleet: Fleet, chosen: Policy
) -> None:
    judged, plan = plan_for(fleet, chosen)
    changes = plan.changes()
    enforced = of_kind(plan, "account-enforcement")
    assert not enforced or chosen.plan.enforce
    for change in enforced:
        assert not fleet.unreadable
        assert all(run.finished for run in fleet.standing)
        assert {v.status for v in judged.instances.values()} <= {"done"}
        needed = {changes[need].kind for need in change.needs}
        assert fleet.defaults is not None
        required = fleet.defaults.options.http_tokens == "required"
        assert required or "account-defaults" in needed
        frozen = {
            (changes[n].resource, changes[n].before["source"])
            for n in change.needs
            if changes[n].kind == "launch-template-version"
        }
        replaced = {changes[n].resource for n in change.needs}
        for one in judged.paths:
            path = one.path
            if path.kind != "launch-configuration" and path.effective.posture == "v1-allowed":
                assert (path.template, str(path.number)) in frozen or path.group in replaced


@given(fleets(), POLICIES)
@thoroughly
def test_an_image_waits_for_everything_that_comes_from_it(fleet: Fleet, chosen: Policy) -> None:
    judged, plan = plan_for(fleet, chosen)
    held = {h.resource for h in plan.held}
    planned = {c.resource: c for c in of_kind(plan, "image-imds-support")}
    for image in fleet.images:
        settled = image.imds_support is not None or not image.own
        assert (image.id in planned) + (image.id in held) == (0 if settled else 1)
    for resource, change in planned.items():
        assert not {"images", "groups", "instances", "launch-templates"} & set(fleet.unreadable)
        (image,) = [i for i in fleet.images if i.id == resource]
        assert not image.public
        for instance in fleet.instances:
            if instance.image == resource and instance.id in judged.instances:
                assert instance.id not in held
        for one in judged.paths:
            if one.path.kind != "launch-configuration" and one.path.image in (
                resource,
                "resolve:ssm:/golden",
            ):
                assert one.path.id not in held
                v1 = one.path.effective.posture == "v1-allowed"
                assert not v1 or any(f":{one.path.template}" in need for need in change.needs)
