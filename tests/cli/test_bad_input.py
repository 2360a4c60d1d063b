"""Bad input of each kind: what is wrong, where, what to do, and nothing done."""

import socket
import sqlite3
from pathlib import Path

import pytest

from cli.conftest import Imdsctl, Said


def refused(said: Said, *words: str, code: int = 2) -> None:
    """The command stopped with that code, and the error says all of it."""
    assert said.code == code, said.err
    assert said.err.startswith("error: ")
    assert said.out == ""
    assert "Traceback" not in said.err
    for word in words:
        assert word in said.err


@pytest.mark.usefixtures("aws")
def test_a_region_that_does_not_exist(imdsctl: Imdsctl) -> None:
    refused(imdsctl("scan", "--regions", "eu-nowhere-1"), "eu-nowhere-1", "hint: ", "eu-west-1")


@pytest.mark.usefixtures("aws")
def test_an_account_id_that_is_none(imdsctl: Imdsctl) -> None:
    said = imdsctl("scan", "--accounts", "1234", "--role-name", "r")
    refused(said, "'1234' is no AWS account id", "twelve digits")


@pytest.mark.usefixtures("aws")
def test_other_accounts_without_a_role(imdsctl: Imdsctl) -> None:
    refused(imdsctl("scan", "--accounts", "222222222222"), "role", "--role-name")


@pytest.mark.parametrize("days", ["0", "456", "-3"])
@pytest.mark.usefixtures("aws")
def test_days_that_cloudwatch_does_not_keep(imdsctl: Imdsctl, days: str) -> None:
    refused(imdsctl("scan", f"--days={days}"), days, "455")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[scan\ndays = 3", ["imdsctl.toml", "not valid TOML", "line 1"]),
        ("[scan]\ndayz = 3", ["imdsctl.toml", "[scan]", "'dayz'", "did you mean 'days'"]),
        ("[scn]\ndays = 3", ["imdsctl.toml", "'scn'", "did you mean 'scan'"]),
        ("[scan]\ndays = 'many'", ["[scan.days]", "expected `int`, got `str`"]),
        ("[scan]\ndays = 0", ["scan.days is 0", "from 1 to 455"]),
        ("[scan]\nshare = 7.5", ["scan.share is 7.5", "from 0.01 to 1"]),
        ("[waves.stateful]\nbatch = 0", ["waves.stateful.batch is 0"]),
        ("[waves.first]\nbatch = 1", ["[waves]", "'first'", "disposable, auto-scaling, stateful"]),
        ("[plan]\nexisting = 'magic'", ["[plan.existing]", "'magic'", "in-place, refresh"]),
        (
            "[refresh]\nprotected = 'leave'",
            ["[refresh.protected]", "'leave'", "Ignore, Refresh, Wait"],
        ),
        ("[[wave_rule]]\nwave = 'last'\ntags = {}", ["[wave_rule[0].wave]", "auto-scaling"]),
        ("[refresh]\nprotect = 'Wait'", ["[refresh]", "'protect'", "did you mean 'protected'"]),
        ("[refresh]\nbake_time = 172801", ["refresh.bake_time is 172801", "from 0 to 172800"]),
        ("[refresh]\ncheckpoint_delay = -1", ["refresh.checkpoint_delay is -1"]),
        (
            "[refresh]\nmin_healthy_percentage = 20\nmax_healthy_percentage = 130",
            ["refresh.max_healthy_percentage is 130", "at most 100 above", "which is 20"],
        ),
        ("[refresh]\nmax_healthy_percentage = 90", ["refresh.max_healthy_percentage is 90"]),
        (
            "[refresh]\ncheckpoint_percentages = [50, 20, 100]",
            ["refresh.checkpoint_percentages is [50, 20, 100]", "ascending"],
        ),
        (
            "[refresh]\ncheckpoint_percentages = [20, 50]",
            ["refresh.checkpoint_percentages", "the last one must be 100"],
        ),
        (
            "[refresh]\nalarms = ['a1','a2','a3','a4','a5','a6','a7','a8','a9','a10','a11']",
            ["refresh.alarms names 11 alarms", "at most 10"],
        ),
        ("[refresh]\nalarms = ['']", ["refresh.alarms", "empty name"]),
        (
            "[refresh]\nalarms = ['a']\nauto_rollback = false",
            ["refresh.alarms", "auto_rollback = true"],
        ),
        ("[[exemption]]\nresource = 'x'", ["[exemption[0]]", "`owner`"]),
        (
            "[[exemption]]\nresource='x'\nowner='o'\nreason='r'\nexpires='soon'",
            ["[exemption[0].expires]", "date"],
        ),
        (
            "[[mended]]\nresource='x'\nowner='o'\nat=2026-12-01T10:00:00Z",
            ["[mended[0]]", "`reason`"],
        ),
    ],
)
def test_settings_that_make_no_sense(
    imdsctl: Imdsctl, tmp_path: Path, text: str, words: list[str]
) -> None:
    (tmp_path / "imdsctl.toml").write_text(text)
    refused(imdsctl("scan"), "hint: ", *words)
    assert not (tmp_path / "imdsctl.db").exists()


def test_settings_that_are_not_there(imdsctl: Imdsctl) -> None:
    refused(imdsctl("status", "--config", "no.toml"), "no.toml", "No such file", "--config")


def test_a_store_that_is_not_there(imdsctl: Imdsctl, tmp_path: Path) -> None:
    for command in ("status", "plan", "check", "report", "runs"):
        refused(imdsctl(command), "imdsctl.db", "imdsctl scan")
    refused(imdsctl("explain", "i-0"), "imdsctl.db")
    assert not (tmp_path / "imdsctl.db").exists()


@pytest.mark.usefixtures("scanned")
def test_a_store_of_a_newer_version(imdsctl: Imdsctl) -> None:
    with sqlite3.connect("imdsctl.db") as database:
        database.execute("INSERT INTO imdsctl_migration VALUES (999, 'future')")
    database.close()
    for command in ("status", "scan"):
        refused(imdsctl(command), "newer imdsctl", "999", "update imdsctl")


@pytest.mark.usefixtures("aws")
def test_a_store_that_is_no_store(imdsctl: Imdsctl, tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear store,\n" * 100)
    refused(imdsctl("scan", "--db", letter), "letter.txt", "not an imdsctl store", "--db")
    assert letter.read_text() == "Dear store,\n" * 100
    refused(imdsctl("scan", "--db", tmp_path), "is a folder")
    refused(imdsctl("scan", "--db", "oracle://x/y"), "oracle://", "postgresql://")


@pytest.mark.usefixtures("aws")
def test_a_store_that_cannot_be_written(imdsctl: Imdsctl) -> None:
    refused(imdsctl("scan", "--db", "nowhere/imdsctl.db"), "nowhere", "--db")
    # Not even root makes a file there.
    refused(imdsctl("scan", "--db", "/proc/imdsctl.db"), "/proc")


@pytest.mark.usefixtures("scanned")
def test_a_full_disk_under_the_plan(imdsctl: Imdsctl) -> None:
    said = imdsctl("plan", "-f", "/dev/full")
    refused(said, "/dev/full could not be written", "No space left")
    refused(imdsctl("report", "-f", "no/where.html"), "no/where.html could not be written")


@pytest.mark.usefixtures("scanned")
def test_a_plan_that_is_none(imdsctl: Imdsctl, tmp_path: Path) -> None:
    refused(imdsctl("apply", "plan.json"), "plan.json", "No such file", "imdsctl plan -f")
    (tmp_path / "plan.json").write_text('{"waves": 3}')
    refused(imdsctl("apply", "plan.json"), "plan.json is no plan", "imdsctl plan -f")
    refused(imdsctl("apply"), "which plan?", "--resume")


@pytest.mark.usefixtures("scanned")
def test_runs_and_resources_that_nobody_knows(imdsctl: Imdsctl) -> None:
    for command in (
        ["runs", "no-such-run"],
        ["verify", "no-such-run"],
        ["rollback", "no-such-run", "--yes"],
        ["apply", "--resume", "no-such-run"],
    ):
        refused(imdsctl(*command), "no run no-such-run", "imdsctl runs")
    refused(imdsctl("verify"), "there is no run yet", "imdsctl apply")
    refused(imdsctl("explain", "i-0fffffffffffffff0"), "i-0fffffffffffffff0", "imdsctl status")
    refused(imdsctl("plan", "--only", "nobody"), "nothing is known of nobody")


@pytest.mark.usefixtures("scanned")
def test_a_plan_for_what_is_held_says_so(imdsctl: Imdsctl) -> None:
    refused(imdsctl("plan", "--only", "caller"), "held back", "imdsctl explain caller")


@pytest.mark.usefixtures("scanned")
def test_a_benchmark_that_nobody_knows(imdsctl: Imdsctl) -> None:
    refused(imdsctl("check", "--benchmark", "cis-9"), "'cis-9'", "--list-benchmarks")
    refused(imdsctl("check", "--benchmark", ","), "which benchmark?")


@pytest.mark.usefixtures("planned")
def test_a_wave_that_does_not_exist(imdsctl: Imdsctl) -> None:
    refused(imdsctl("apply", "plan.json", "--wave", "7", "--yes"), "no wave 7", "-1 is the freeze")
    refused(imdsctl("plan", "--wave", "7"), "no wave 7", "disposable")


@pytest.mark.usefixtures("planned")
def test_something_that_the_run_did_not_change(imdsctl: Imdsctl) -> None:
    assert imdsctl("apply", "plan.json", "--yes", "-q").code == 0
    refused(imdsctl("rollback", "--only", "caller", "--yes"), "no change of caller")


@pytest.mark.usefixtures("planned")
def test_a_plan_of_another_run(imdsctl: Imdsctl) -> None:
    assert imdsctl("apply", "plan.json", "--yes", "-q").code == 0
    run = imdsctl("runs", "-o", "json").json()["runs"][0]["run"]
    assert imdsctl("plan", "-f", "other.json", "--held").code == 0
    refused(imdsctl("apply", "other.json", "--resume", run), "not the plan of run", code=5)


def test_a_port_in_use(imdsctl: Imdsctl) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(imdsctl("simulate", "--port", port), str(port), "in use", "--port 0")
    refused(imdsctl("simulate", "--port", "70000"), "no port 70000")


def test_a_fleet_file_that_makes_no_sense(imdsctl: Imdsctl, tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text('[[account]]\nid = "111111111111"\ncolour = "red"\n')
    refused(imdsctl("simulate", "--fleet", "fleet.toml"), "fleet.toml", "3", "colour", "expected")
    refused(imdsctl("simulate", "--fleet", "no.toml"), "no fleet file no.toml", "demo")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["nonsense"], ['unknown command "nonsense"', "hint: imdsctl --help"]),
        (["scan", "--nonsense"], ["--nonsense", "hint: imdsctl scan --help"]),
        (["scan", "--days", "many"], ["many", "hint: imdsctl scan --help"]),
        (["status", "-o", "xml"], ["xml", "json"]),
        (["explain"], ["RESOURCE"]),
        (["show"], ["FILE"]),
    ],
)
def test_a_command_line_that_makes_no_sense(
    imdsctl: Imdsctl, command: list[str], words: list[str]
) -> None:
    refused(imdsctl(*command), *words)


@pytest.mark.usefixtures("aws")
def test_an_environment_that_makes_no_sense(
    imdsctl: Imdsctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMDSCTL_DAYS", "many")
    refused(imdsctl("scan"), "IMDSCTL_DAYS")
    monkeypatch.delenv("IMDSCTL_DAYS")
    monkeypatch.setenv("IMDSCTL_CLOCK", "sundial")
    refused(imdsctl("scan"), "IMDSCTL_CLOCK=sundial")
    monkeypatch.setenv("IMDSCTL_CLOCK", "simulated")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://ec2.eu-west-1.amazonaws.com")
    refused(imdsctl("scan"), "IMDSCTL_CLOCK=simulated", "on this machine")


@pytest.mark.usefixtures("aws")
def test_no_error_repeats_a_secret(imdsctl: Imdsctl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "IQoJb3JpZ2lu")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    said = imdsctl("scan", "-v")
    assert said.code == 6
    for secret in ("wJalrXUtnFEMI", "IQoJb3JpZ2lu"):
        assert secret not in said.out + said.err
    db = "postgresql://me:hunter2@127.0.0.1:9/fleet"
    said = imdsctl("status", "--db", db)
    assert said.code == 2
    assert "hunter2" not in said.out + said.err


@pytest.mark.parametrize(
    "command",
    [["status"], ["plan"], ["verify"], ["rollback", "--yes"], ["apply", "--resume", "a-run"]],
)
def test_a_store_that_is_not_there_is_named_and_not_made(
    imdsctl: Imdsctl, tmp_path: Path, command: list[str]
) -> None:
    refused(imdsctl(*command, "--db", "mistyped.db"), "no store at mistyped.db", "--db")
    assert not (tmp_path / "mistyped.db").exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["statu"], ['unknown command "statu"', 'Did you mean "status"?\n']),
        (["status", "more"], ["'more' is more than the command takes"]),
        (["explain"], ["RESOURCE is missing", "imdsctl explain --help"]),
        (["--no-color", "status"], ["--no-color comes before", "imdsctl status --no-color"]),
    ],
)
def test_a_command_line_that_is_wrong(
    imdsctl: Imdsctl, command: list[str], words: list[str]
) -> None:
    refused(imdsctl(*command), *words, "hint: ")


@pytest.mark.usefixtures("scanned")
def test_a_folder_that_is_not_there(imdsctl: Imdsctl) -> None:
    for command in (["plan", "-f", "no/plan.json"], ["report", "-f", "no/report.html"]):
        refused(imdsctl(*command), "no folder no", "mkdir -p no")


@pytest.mark.usefixtures("scanned")
def test_settings_that_mean_nothing_are_said_with_the_plan(
    imdsctl: Imdsctl, tmp_path: Path
) -> None:
    tables = [
        f"[[{table}]]\nresource = '{resource}'\nowner = 'o'\nreason = 'r'\n{when}"
        for resource in ("quiet*", "web", "quite")
        for table, when in (
            ("exemption", "expires = 2030-01-01"),
            ("mended", "at = 2026-10-01T10:00:00Z"),
        )
    ]
    (tmp_path / "imdsctl.toml").write_text("\n".join(tables))

    said = imdsctl("plan").err

    assert '[[exemption]] resource = "quite" in the settings' in said
    assert '[[mended]] resource = "quite" in the settings' in said
    assert said.count("in the settings") == 2
