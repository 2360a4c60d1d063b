"""Fleet files: the whole grammar is read, and what makes no sense is refused with its line."""

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from imdsctl.simulator import fleetfile
from imdsctl.simulator.fleetfile import FleetError, parse
from imdsctl.simulator.life import Caller
from imdsctl.simulator.tomllines import lines_of

FLEETS = Path(fleetfile.__file__).parent / "fleets"

WHOLE = '''\
history_days = 30
start = 2026-11-01T00:00:00Z

[[account]]
id = "111111111111"
role = "imdsctl-read"

[[account.region]]
name = "eu-west-1"
defaults = { http_tokens = "optional", http_put_response_hop_limit = 2, managed_by = "account" }
denied = false

[[account.region.image]]
name = "golden"
imds_support = "v2.0"

[[account.region.launch_template]]
name = "web"
default = 2
[[account.region.launch_template.version]]
image = "golden"
options = { http_tokens = "optional" }
user_data = """#!/bin/bash
echo started = { not a key }
"""
[[account.region.launch_template.version]]

[[account.region.launch_configuration]]
name = "old"
image = "ami-0123456789abcdef0"

[[account.region.auto_scaling_group]]
name = "web"
launch_template = "web"
version = "1"
size = 40
replaced_per_day = 2
tags = { env = "prod" }
callers = [
  { program = "app", behaviour = "fallback", container = "bridge" }, # a comment, with { braces
]
eks_nodegroup = "workers"

[[account.region.auto_scaling_group]]
name = "mailer"
launch_configuration = "old"
ecs_cluster = "main"
ecs_managed_draining = false
ecs_managed_termination_protection = true
metrics = false

[[account.region.auto_scaling_group]]
name = "awseb"
launch_template = "web"
beanstalk_environment = "shop-prod"
beanstalk_application = "shop"
disable_imdsv1 = false

[[account.region.instance]]
name = "db"
count = 2
image = "golden"
options = { http_tokens = "optional", http_put_response_hop_limit = 1, http_endpoint = "enabled" }
state = "stopped"
launched_days_ago = 400
stopped_days_ago = 90
booted_days_ago = 120
spot = false
platform = "windows"
user_data = "…"
tags.env = "prod"
software = ["amazon-ssm-agent 2.3.612.0", "fence-agents 4.2.1"]
ssm = true
role = "ledger"
credentials = "broken"
metrics = true
operator = ""
traced = false
[[account.region.instance.callers]]
program = "app"
behaviour = "v1-only"
when = "nightly"
per_hour = 6
container = "none"
sdk = "aws-sdk-java/1.11.400"
vital = false
'''


def test_the_whole_grammar_is_read() -> None:
    fleet = parse(WHOLE, "fleet.toml")

    assert fleet.history_days == 30
    assert fleet.start == datetime(2026, 11, 1, tzinfo=UTC)
    (account,) = fleet.accounts
    (region,) = account.regions
    assert region.defaults == {
        "http_tokens": "optional",
        "http_put_response_hop_limit": 2,
        "managed_by": "account",
    }
    assert region.images == (fleetfile.Image("golden", "v2.0"),)
    first, second = region.launch_templates[0].versions
    assert first.options == {"http_tokens": "optional"}
    assert first.user_data == "#!/bin/bash\necho started = { not a key }\n"
    assert second == fleetfile.TemplateVersion(None, None, None)
    web, mailer, awseb = region.groups
    assert (web.version, web.size, web.replaced_per_day) == ("1", 40, 2)
    assert web.callers == (Caller("app", behaviour="fallback", container="bridge"),)
    assert (mailer.launch_configuration, mailer.metrics) == ("old", False)
    assert (mailer.ecs_cluster, mailer.ecs_managed_draining) == ("main", False)
    assert mailer.ecs_managed_termination_protection
    assert (awseb.beanstalk_environment, awseb.beanstalk_application) == ("shop-prod", "shop")
    assert (awseb.disable_imdsv1, web.disable_imdsv1) == (False, None)
    (db,) = region.instances
    assert db.names == ("db-1", "db-2")
    assert (db.state, db.stopped_days_ago, db.platform) == ("stopped", 90, "windows")
    assert (db.role, db.credentials) == ("ledger", "broken")
    assert (web.role, web.credentials) == ("instance-role", "working")
    assert db.tags == {"env": "prod"}
    assert db.callers[0].when == "nightly"
    assert not db.callers[0].vital


def test_what_is_left_out_has_the_defaults_of_the_grammar() -> None:
    fleet = parse(
        '[[account]]\nid = "111111111111"\n[[account.region]]\nname = "us-east-1"\n'
        '[[account.region.instance]]\nname = "x"\n'
        'callers = [{ program = "p", behaviour = "v2" }]\n',
        "fleet.toml",
    )

    assert (fleet.history_days, fleet.start) == (14, None)
    assert fleet.accounts[0].role == "imdsctl-read"
    region = fleet.accounts[0].regions[0]
    assert (region.defaults, region.denied) == ({}, False)
    (instance,) = region.instances
    assert instance.options is None
    assert (instance.ssm, instance.metrics, instance.traced) == (True, True, False)
    assert instance.callers[0].per_hour == 6
    assert instance.callers[0].vital


def _with(old: str, new: str) -> str:
    assert WHOLE.count(old) >= 1, old
    return WHOLE.replace(old, new, 1)


REFUSED = [
    ("an unknown key at the top", "history_days = 30", "history_day = 30", "history_day"),
    ("an unknown key of a table", "size = 40", "sice = 40", "unknown key sice"),
    ("an unknown option", 'http_endpoint = "enabled"', 'http_tocens = "x"', "http_tocens"),
    ("an unknown key of a caller", 'container = "bridge"', 'box = "bridge"', "unknown key box"),
    ("a value out of its enum", 'state = "stopped"', 'state = "asleep"', '"asleep"'),
    ("no role's name", 'role = "ledger"', 'role = "a role"', '"a role"'),
    ("credentials that are neither", 'credentials = "broken"', 'credentials = "odd"', '"odd"'),
    ("a wrong type", "count = 2", 'count = "2"', 'count = "2"'),
    ("true where a number belongs", "count = 2", "count = true", "count = true"),
    ("no instance at all", "count = 2", "count = 0", "count = 0"),
    ("a number for a text", 'version = "1"', "version = 1", "version = 1"),
    ("a version that does not exist", 'version = "1"', 'version = "3"', 'version = "3"'),
    ("a default that does not exist", "default = 2", "default = 3", "default = 3"),
    ("an unknown template", 'launch_template = "web"', 'launch_template = "w"', '"w"'),
    ("an unknown configuration", 'launch_configuration = "old"', 'launch_configuration = "o"', "o"),
    (
        "an unknown image",
        'image = "golden"\noptions = { http_tokens = "optional" }',
        "image='g'",
        "g",
    ),
    ("a wrong environment", '"shop-prod"', '"my shop"', '"my shop"'),
    ("a wrong option", "disable_imdsv1 = false", 'disable_imdsv1 = "no"', '"no"'),
    ("a hop limit of 0", "hop_limit = 1", "hop_limit = 0", "hop_limit = 0"),
    ("a hop limit of 65", "hop_limit = 1", "hop_limit = 65", "hop_limit = 65"),
    ("booted before launched", "booted_days_ago = 120", "booted_days_ago = 500", "= 500"),
    ("stopped before booted", "stopped_days_ago = 90", "stopped_days_ago = 130", "= 130"),
    ("stopped while running", 'state = "stopped"', 'state = "running"', "stopped_days_ago"),
    ("a date without an offset", "00:00:00Z", "00:00:00", "start = 2026-11-01 00:00:00"),
    ("a short account id", '"111111111111"', '"1111"', '"1111"'),
    ("a region that is none", '"eu-west-1"', '"Ireland"', '"Ireland"'),
    ("a tag that is no text", 'tags = { env = "prod" }', "tags = { env = 1 }", "tag env = 1"),
    ("no history", "history_days = 30", "history_days = 0", "history_days = 0"),
    ("not a number", "replaced_per_day = 2", "replaced_per_day = nan", "nan"),
    ("a pace of nothing", "per_hour = 6", "per_hour = 0", "per_hour = 0"),
    ("tokens as a flag", 'http_tokens = "optional",', "http_tokens = true,", "http_tokens = true"),
    ("a node group's key on no node group", "metrics = false", "eks_drainable = false", "eks_dr"),
    (
        "a number for a flag",
        'eks_nodegroup = "workers"',
        "eks_custom_template=1\neks_nodegroup='w'",
        "= 1",
    ),
    ("a group twice", 'name = "mailer"', 'name = "web"', 'a second auto_scaling_group "web"'),
]


@pytest.mark.parametrize(("what", "old", "new", "found"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_makes_no_sense_is_refused_with_its_line(
    what: str, old: str, new: str, found: str
) -> None:
    text = _with(old, new)
    line = WHOLE[: WHOLE.index(old)].count("\n") + 1
    if new.startswith(('state = "running"',)):
        line = text[: text.index("stopped_days_ago")].count("\n") + 1

    with pytest.raises(FleetError) as refused:
        parse(text, "fleet.toml")

    assert (what, refused.value.line) == (what, line)
    assert found in refused.value.found
    assert refused.value.expected
    assert str(refused.value).startswith(f"fleet.toml:{line}: found ")


def test_broken_toml_is_refused_with_its_line() -> None:
    with pytest.raises(FleetError) as refused:
        parse('[[account]]\nid = "111111111111"\nrole = \n', "fleet.toml")

    assert refused.value.line == 3
    assert refused.value.expected == "valid TOML"


def test_a_group_has_a_template_or_a_configuration_but_not_both() -> None:
    both = _with(
        'launch_configuration = "old"', 'launch_configuration = "old"\nlaunch_template = "web"'
    )
    neither = _with('launch_configuration = "old"\n', "")

    with pytest.raises(FleetError, match="both a launch_template and a launch_configuration"):
        parse(both, "fleet.toml")
    with pytest.raises(FleetError, match="neither a launch_template nor"):
        parse(neither, "fleet.toml")


@pytest.mark.parametrize(
    ("old", "found"),
    [
        ('ecs_cluster = "main"\n', "ecs_managed_draining = false"),
        ('beanstalk_environment = "shop-prod"\n', 'beanstalk_application = "shop"'),
    ],
)
def test_a_key_about_an_owner_needs_the_owner(old: str, found: str) -> None:
    with pytest.raises(FleetError) as refused:
        parse(_with(old, ""), "fleet.toml")

    assert refused.value.found == found
    assert "beside it" in refused.value.expected


def test_an_environment_owns_one_group() -> None:
    both = _with('eks_nodegroup = "workers"', 'beanstalk_environment = "shop-prod"')

    with pytest.raises(FleetError, match="two groups of one beanstalk_environment"):
        parse(both, "fleet.toml")


def test_an_unknown_key_names_the_key_that_was_probably_meant() -> None:
    with pytest.raises(FleetError, match="expected launched_days_ago"):
        parse(_with("launched_days_ago = 400", "launched_day_ago = 400"), "fleet.toml")


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items if isinstance(value, dict | list) else ():
        yield from _paths(inner, (*path, key)) if isinstance(inner, dict | list) else [(*path, key)]


TRICKY = "\n".join(
    (
        '"quoted key" = "a # no comment" # a comment',
        """dotted."b.c" . d = [ [1, 2], { x = 1, y.z = "}" } ,""",
        '  "]", # trailing',
        "]",
        "literal = 'C:\\'",
        "text = " + '""" "" ' + "'''" + ' \\""" [[no.table]]' + '"""""',
        "lines = '''",
        "[no.table]",
        "key = 1'''",
        "[[a.b]]",
        "[a.b.c]",
        "n = 1979-05-27 07:32:00Z",
        "[[a.b]]",
        "[[a.b.d]]",
        "e = inf",
        "[[a.b.d]]",
    )
)


@pytest.mark.parametrize(
    "text", [WHOLE, TRICKY, *(path.read_text() for path in sorted(FLEETS.glob("*.toml")))]
)
def test_every_key_of_a_text_is_on_the_line_it_is_said_to_be(text: str) -> None:
    lines = lines_of(text)

    assert set(lines) == set(_paths(tomllib.loads(text)))
    rows = text.split("\n")
    for path, line in lines.items():
        if path and isinstance(path[-1], str):
            assert path[-1] in rows[line - 1], path


def test_windows_line_ends_are_counted_like_others() -> None:
    with pytest.raises(FleetError) as refused:
        parse('[[account]]\r\nid = "111111111111"\r\n\r\nrule = 1\r\n', "fleet.toml")

    assert refused.value.line == 4


def test_a_file_is_read_from_disk(tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(WHOLE, encoding="utf-8")

    assert fleetfile.load(path).accounts == parse(WHOLE, "x").accounts
