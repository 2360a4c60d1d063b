"""The report: what it says of a fleet with every case, of an empty store, of 20,000 instances."""

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html.parser import HTMLParser

import pytest
from report_fleet import HOSTILE, NOW, PROD, World, demo_world, empty_world, large_world

from imdsctl.model.evidence import AccountDefaults, Cell
from imdsctl.report.collect import collect
from imdsctl.report.data import Gap, ReportData
from imdsctl.report.gaps import gap_rows
from imdsctl.report.history import difference
from imdsctl.report.html import render_html
from imdsctl.report.tabular import render_csv, render_json


def gather(world: World, now: datetime = NOW) -> ReportData:
    return collect(
        world.store,
        world.journal,
        verdicts=world.verdicts,
        paths=world.paths,
        plan=world.plan,
        now=now,
    )


@pytest.fixture(scope="module")
def data() -> ReportData:
    return gather(demo_world())


@pytest.fixture(scope="module")
def page(data: ReportData) -> str:
    return render_html(data)


class Reader(HTMLParser):
    """What a reader gets: the words, without the marks; and the marks, for those who count."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "rect", "path", "line"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def test_the_headline_says_how_many_and_that_not_all_was_read(page: str) -> None:
    text = Reader(page).text
    assert "instances 48 allow IMDSv1 29 V2 only 18 IMDS off 1 readings failed 1" in text
    assert "Not everything could be read" in text
    assert "UnauthorizedOperation: not allowed (ec2:DescribeInstances)" in text
    assert "eu-south-2 not read: see above" in text


def test_terminated_instances_are_nowhere(page: str, data: ReportData) -> None:
    assert "long-gone" not in page
    assert len(data.instances) == data.headline.total


def test_blocked_instances_come_with_reason_and_fix(page: str) -> None:
    text = Reader(page).text
    assert "Blocked: 16" in text
    assert "Calls seen: 16" in text
    assert "Find the caller with imdsctl host trace on the instance" in text
    assert "And 4 resources more: imdsctl report -o csv" in text


def test_launch_paths_and_defaults_that_would_undo_the_work_are_named(page: str) -> None:
    text = Reader(page).text
    assert "1 would start new instances on v1" in text
    assert "template batch version 5" in text
    assert "111111111111 eu-west-1 not set not set not set not set not set account" in text
    assert "Rollback is refused by AWS in 1 account and region pair." in text


def test_the_plan_tells_waves_changes_and_what_is_held(page: str) -> None:
    text = Reader(page).text
    assert "First: freeze, 1 change" in text
    assert "http_tokens unset → required, http_put_response_hop_limit unset → 2" in text
    assert "Wave 0: disposable, 6 changes" in text
    assert "2 canaries first, then 10 at a time; waits 15 minutes" in text
    assert "Held back: 23" in text


def test_the_run_tells_what_was_taken_back_and_what_is_in_doubt(page: str) -> None:
    text = Reader(page).text
    assert "Run 20261121-1409-7c41 : stopped" in text
    assert "2 applied, 1 rolled back, 1 in doubt (the answer never came)" in text
    assert "3 rejected v1 calls from quiet-35" in text
    assert "rolled back to tokens optional, hop 1, as recorded" in text
    assert "imdsctl rollback 20261121-1409-7c41" in text


def test_a_run_whose_plan_is_lost_is_still_told_from_its_journal() -> None:
    world = demo_world()
    world.memory.kept_readings.clear()
    world = World(world.memory, world.journal, [], [], None)  # type: ignore[arg-type]
    world.journal.plan = None  # type: ignore[attr-defined]
    text = Reader(render_html(gather(world))).text
    assert "2 applied, 1 rolled back, 1 in doubt" in text


def test_the_chart_has_a_bar_for_each_day_with_calls_and_its_numbers_in_a_table(
    page: str, data: ReportData
) -> None:
    bars = re.findall(r'aria-roledescription="bar"', page)
    assert len(bars) == 2 * len(data.calls_per_day)
    assert "3,482 IMDSv1 calls answered and 9 rejected over 14 calendar days" in Reader(page).text
    assert '<th scope="row">2026-11-20</th><td class="n">291</td><td class="n">3</td>' in page


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ([], "There is no call data at all. That is no proof of silence"),
        ([("2026-11-20", 0, 0)], "has data on 1 day, and it counts no IMDSv1 call"),
    ],
)
def test_without_calls_there_is_no_picture_and_no_data_is_not_called_zero(
    days: list[tuple[str, int, int]], said: str
) -> None:
    world = demo_world()
    world.memory.days = days
    page = render_html(gather(world))
    assert 'class="marks"' not in page
    assert said in Reader(page).text


def test_a_hostile_name_is_shown_and_never_run(page: str) -> None:
    assert HOSTILE not in page
    assert HOSTILE in Reader(page).text
    assert not [tag for tag, _ in Reader(page).tags if tag == "script"]


def test_the_page_stands_alone(page: str) -> None:
    reader = Reader(page)
    policy = next(a["content"] for t, a in reader.tags if a.get("http-equiv"))
    assert policy
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    for tag, attributes in reader.tags:
        assert tag not in ("link", "img", "iframe", "object", "video", "audio")
        assert "style" not in attributes
        for name in ("src", "href", "xlink:href", "srcset"):
            assert (attributes.get(name) or "#").startswith("#")


def test_the_page_can_be_walked_by_a_screen_reader(page: str) -> None:
    reader = Reader(page)
    tags = [tag for tag, _ in reader.tags]
    assert ("html", {"lang": "en"}) in reader.tags
    assert [tags.count(t) for t in ("main", "header", "nav", "footer", "h1")] == [1] * 5
    assert tags.count("caption") == tags.count("table") > 5
    ids = {a["id"] for _, a in reader.tags if a.get("id")}
    links = {(a["href"] or "")[1:] for t, a in reader.tags if t == "a"}
    assert links <= ids
    for tag, attributes in reader.tags:
        if tag == "th":
            assert attributes.get("scope") in ("col", "row")
        if attributes.get("role") == "img":
            assert attributes.get("aria-label")


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_text_colour_has_enough_contrast_in_light_dark_and_print(page: str) -> None:
    """WCAG 2.1, 1.4.3: at least 4.5 to 1."""
    schemes = re.findall(r":root \{([^}]*)\}", page)
    assert len(schemes) == 3
    for scheme in schemes:
        colours = dict(re.findall(r"--([\w]+): (#[0-9a-f]{6})", scheme))
        for ground in ("paper", "panel"):
            for text in ("ink", "soft", "v1", "v2", "off", "link", "bad"):
                pair = sorted((_luminance(colours[ground]), _luminance(colours[text])))
                assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, (ground, text, colours)


def test_a_report_made_long_after_the_scan_says_how_old_its_facts_are() -> None:
    late = gather(demo_world(), NOW + timedelta(days=21, hours=5))
    assert "What was read is 21 days old" in Reader(render_html(late)).text
    assert "days old" not in Reader(render_html(gather(demo_world()))).text


def test_an_empty_store_gives_a_page_that_says_so() -> None:
    text = Reader(render_html(gather(empty_world()))).text
    assert "No instance was seen" in text
    assert "There is no plan yet" in text
    assert "Nothing was changed, so there is nothing to undo." in text


def test_twenty_thousand_instances_give_a_page_that_opens() -> None:
    page = render_html(gather(large_world(20_000)))
    assert len(page) < 100_000
    text = Reader(page).text
    assert "Calls seen: 20,000" in text
    assert "And 19,988 resources more" in text
    assert "worker-19999" in text, "the busiest caller is named"


def test_json_holds_everything_and_keeps_no_data_apart_from_zero(data: ReportData) -> None:
    answer = json.loads(render_json(data))
    assert answer["schema"] == "imdsctl/report/v1"
    assert len(answer["instances"]) == 48
    by_name = {i["name"]: i for i in answer["instances"]}
    assert by_name["silent-50"]["calls"] is None
    assert by_name["quiet-34"]["calls"] == 0
    assert answer["unreadable"][0]["why"].startswith("UnauthorizedOperation")


def test_csv_has_a_row_an_instance_with_its_five_options(data: ReportData) -> None:
    rows = {r["name"]: r for r in csv.DictReader(io.StringIO(render_csv(data)))}
    assert len(rows) == 48
    quiet, silent, off = rows["quiet-34"], rows["silent-50"], rows["bastion"]
    assert [quiet["calls"], silent["calls"]] == ["0", ""]
    assert [quiet["coverage"], silent["coverage"]] == ["0.982", "0.0"]
    assert off["posture"] == "imds-off"
    assert [
        off[name]
        for name in (
            "http_tokens",
            "http_put_response_hop_limit",
            "http_endpoint",
            "http_protocol_ipv6",
            "instance_metadata_tags",
        )
    ] == ["optional", "1", "disabled", "disabled", "disabled"]
    assert [rows["batch-18"][k] for k in ("verdict", "rules")] == ["blocked", "calls-seen"]


def test_what_a_change_changes_is_told_member_by_member() -> None:
    before = {"options": {"http_tokens": "optional", "http_endpoint": "enabled"}, "version": 5}
    after = {"options": {"http_tokens": "required", "http_endpoint": "enabled"}, "version": 8}
    assert difference(before, after) == "http_tokens optional → required, version 5 → 8"


@pytest.mark.parametrize("render", [render_html, render_json, render_csv])
def test_every_view_is_the_same_twice(
    render: Callable[[ReportData], str], data: ReportData
) -> None:
    assert render(data) == render(data)


def test_regions_alike_share_a_row_and_empty_ones_are_counted() -> None:
    world = demo_world()
    for region in ("eu-north-1", "sa-east-1"):
        cell = Cell(PROD, region)
        world.memory.hold("instances", cell, [])
        world.memory.hold("account-defaults", cell, [AccountDefaults(account=PROD, region=region)])
    text = Reader(render_html(gather(world))).text
    assert "2 more account and region pairs were read and had no instance." in text
    assert f"{PROD} eu-north-1, eu-west-1, sa-east-1 not set" in text


def test_what_was_refused_alike_is_one_row() -> None:
    refused = "User: arn:aws:iam::111111111111:user/x is not authorized to perform: "
    told = [
        ("us-east-1", "instances", f"UnauthorizedOperation: {refused}ec2:DescribeInstances"),
        ("us-east-1", "groups", f"AccessDenied: {refused}autoscaling:DescribeAutoScalingGroups"),
        ("us-west-2", "instances", f"UnauthorizedOperation: {refused}ec2:DescribeInstances"),
        ("us-west-2", "groups", f"AccessDenied: {refused}autoscaling:DescribeAutoScalingGroups"),
        ("us-west-2", "images", "InternalError: An internal error has occurred"),
        (
            "eu-west-1",
            "images",
            f"AccessDenied: {refused}ec2:DescribeImages on resource: * because no policy allows it",
        ),
    ]
    rows = gap_rows(
        Gap(
            account="1" * 12,
            region=region,
            what=what,
            why=why,
            seen=7 * (what == "images"),
            observed_at=NOW,
        )
        for region, what, why in told
    )
    assert [(row.regions, row.whats, row.why) for row in rows] == [
        (("us-east-1", "us-west-2"), (("instances", 0), ("groups", 0)), "access denied"),
        (("us-west-2",), (("images", 7),), "InternalError: An internal error has occurred"),
        (
            ("eu-west-1",),
            (("images", 7),),
            "access denied because no policy allows it",
        ),
    ]
    assert rows[0].actions == ("ec2:DescribeInstances", "autoscaling:DescribeAutoScalingGroups")
