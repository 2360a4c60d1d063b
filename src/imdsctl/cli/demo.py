"""`imdsctl demo`: the whole story on the simulated AWS, by the commands that one would type."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from imdsctl.cli.common import FLAG, Common
from imdsctl.cli.screen import Screen, count
from imdsctl.model.diagnostics import Exit, ImdsctlError, UsageError

_ACCOUNTS = "222222222222,333333333333"
_CONFIG = """\
# How this fleet is walked. Everything else is left to the defaults.
[waves.disposable]
canaries = 3
soak_seconds = 21600    # six hours: long enough to see the turn of the month

[[exemption]]
resource = "legacy-billing*"
owner = "finance-platform"
reason = "vendor appliance, replaced in the first quarter"
expires = 2027-03-31
"""
_FILES = ("imdsctl.db", "imdsctl.db-wal", "imdsctl.db-shm", "imdsctl.db.lock", "plan.json",
          "report.html", "imdsctl.toml")  # fmt: skip


class DemoError(ImdsctlError):
    """The demo did not go as it should have."""

    exit_code = Exit.BAD_ANSWER


def demo(
    *,
    directory: Path = Path("demo"),
    keep: Annotated[bool, FLAG] = False,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """The whole story on the simulated AWS: scan, plan, apply, a bad canary, verify, report.

    Args:
        directory: Where to put the store, the plan and the report.
        keep: Leave the simulated AWS running at the end, to look around, until Ctrl-C.
        common: The options that every command has.
    """
    screen = Screen(common)
    _prepare(directory)
    with _simulated_aws() as ask, contextlib.chdir(directory):
        code = _Story(screen, ask, directory).tell()
        if keep:
            _wait(screen)
    return code


def _wait(screen: Screen) -> None:
    """Say how to reach the simulated AWS, and wait for Ctrl-C."""
    screen.line("")
    screen.line("The simulated AWS still answers; in another terminal, in that folder:")
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                 "AWS_DEFAULT_REGION", "IMDSCTL_CLOCK"):  # fmt: skip
        screen.line(f"export {name}={os.environ[name]}")
    screen.line("Ctrl-C ends it.")
    screen.out.file.flush()
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


def _prepare(directory: Path) -> None:
    """A fresh folder; only what an earlier demo left there is removed."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in _FILES:
            (directory / name).unlink(missing_ok=True)
        (directory / "imdsctl.toml").write_text(_CONFIG, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{directory} cannot be used: {error.strerror}", hint="--directory names another"
        ) from error


@contextlib.contextmanager
def _simulated_aws() -> Iterator[Callable[..., Any]]:
    """`imdsctl simulate` in a process of its own, and a way to ask its control endpoint."""
    # Proxies, profiles and real endpoints of the environment have no business here.
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.upper().startswith(("AWS_", "IMDSCTL_", "HTTP_PROXY", "HTTPS_PROXY"))
    }
    server = subprocess.Popen(
        [sys.executable, "-m", "imdsctl", "simulate", "--port", "0", "--fleet", "demo", "--quiet"],
        stdout=subprocess.PIPE,
        text=True,
        env=inherited,
    )
    assert server.stdout is not None
    before = dict(os.environ)
    try:
        line = server.stdout.readline()
        if "AWS_ENDPOINT_URL=" not in line:
            raise DemoError("the simulated AWS did not start", hint="try `imdsctl simulate`")
        url = line.partition("=")[2].strip()
        os.environ.clear()
        os.environ.update(
            inherited,
            AWS_ENDPOINT_URL=url,
            AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE",
            AWS_SECRET_ACCESS_KEY="simulated",  # noqa: S106 - the simulated AWS takes any
            AWS_DEFAULT_REGION="eu-west-1",
            AWS_CONFIG_FILE=os.devnull,
            AWS_SHARED_CREDENTIALS_FILE=os.devnull,
            IMDSCTL_CLOCK="simulated",
        )

        def ask(path: str, body: object = None) -> Any:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(f"{url}/_imdsctl/{path}", data=data)  # noqa: S310 - ours
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
                return json.load(answer)

        yield ask
    finally:
        os.environ.clear()
        os.environ.update(before)
        server.terminate()
        server.wait(timeout=10)


class _Story:
    """The steps, each with the command that a person would type."""

    def __init__(self, screen: Screen, ask: Callable[..., Any], directory: Path) -> None:
        self._screen = screen
        self._ask = ask
        self._directory = directory

    def tell(self) -> int:
        """All of it."""
        truth = self._ask("truth")["instances"]
        accounts = {i["account"] for i in truth.values()}
        present = [i for i in truth.values() if i["state"] != "terminated"]
        self._say(
            f"A simulated AWS with {count(len(present), 'instance')} in "
            f"{count(len(accounts), 'account')} answers at {os.environ['AWS_ENDPOINT_URL']}.",
            f"It is {self._ask('clock')['now'][:16].replace('T', ' ')} UTC there; "
            "waiting moves its clock, so that days pass in seconds.",
        )
        self._say("1. What is there, and who calls v1? One region of one account is closed to us.")
        self._run(
            ["scan", "--regions", "all", "--accounts", _ACCOUNTS, "--role-name", "imdsctl-read"],
            expect=(0, 3),
        )
        self._say("2. What could be changed, in which order, and what has to wait?")
        self._run(["plan", "-f", "plan.json"], expect=(0, 3))
        self._say(
            "3. Apply it. One of the canaries runs a v1 job on the first of each month only: no",
            "   metric of the last two weeks shows it. The soak runs into that night.",
        )
        self._run(["apply", "plan.json", "--yes"], expect=(4,))
        run = self._newest_run()
        caught = self._caught(run)
        self._say(f"4. {caught} was refused its v1 calls and is back on its recorded options.")
        self._run(["scan", "--regions", "all", "--accounts", _ACCOUNTS, "--role-name",
                   "imdsctl-read", "--quiet"], expect=(0, 3), silent=True)  # fmt: skip
        self._run(["explain", caught])
        self._say("5. The rest is fine. Go on without it.")
        self._run(["apply", "--resume", run, "--yes"])
        self._say("6. Look again: the API's view and the metric's.")
        self._run(["verify", run])
        self._say("7. Every group starts one more instance. Which options are they born with?")
        self._scale_out(truth)
        self._say("8. Three days have passed: what was too young to judge is old enough now.")
        self._run(["scan", "--regions", "all", "--accounts", _ACCOUNTS, "--role-name",
                   "imdsctl-read", "--quiet"], expect=(0, 3), silent=True)  # fmt: skip
        self._run(["plan", "-f", "plan.json"], expect=(0, 3))
        self._run(["apply", "plan.json", "--yes"])
        self._say("9. Where do we stand?")
        self._run(["scan", "--regions", "all", "--accounts", _ACCOUNTS, "--role-name",
                   "imdsctl-read", "--quiet"], expect=(0, 3), silent=True)  # fmt: skip
        self._run(["status"], expect=(0, 3))
        self._run(["check", "--benchmark", "cis-5.6", "-o", "csv"], expect=(1,), silent=True)
        self._run(["report", "-f", "report.html"])
        return self._truth()

    def _say(self, *lines: str) -> None:
        self._screen.out.print()
        for line in lines:
            self._screen.out.print(line, style="bold")

    def _run(
        self, command: Sequence[str], *, expect: Sequence[int] = (0,), silent: bool = False
    ) -> None:
        """Run one command in this process, as the `imdsctl` script would."""
        from imdsctl.cli import main  # noqa: PLC0415 - the entry imports this module lazily

        if not silent:
            self._screen.out.print(f"$ imdsctl {' '.join(command)}", style="cyan")
        sink = open(os.devnull, "w", encoding="utf-8") if silent else sys.stdout  # noqa: SIM115, PTH123 - closed below
        try:
            with contextlib.redirect_stdout(sink):
                code = main(list(command))
        finally:
            if silent:
                sink.close()
        if code not in expect:
            raise DemoError(
                f"imdsctl {command[0]} ended with exit code {code}",
                detail=f"the demo expected {' or '.join(map(str, expect))}",
                hint=f"everything is in {self._directory}/imdsctl.db",
            )

    def _newest_run(self) -> str:
        return str(self._journal()["runs"][0]["run"])

    def _journal(self, *arguments: str) -> Any:
        """The JSON of `imdsctl runs`."""
        found = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "imdsctl", "runs", *arguments, "-o", "json"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return json.loads(found.stdout)

    def _caught(self, run: str) -> str:
        changes = self._journal(run)["changes"]
        back = [str(c["resource"]) for c in changes if c["state"] == "rolled-back"]
        if len(back) != 1:
            raise DemoError(f"one canary should have been rolled back, not {len(back)}")
        return back[0]

    def _scale_out(self, truth: dict[str, Any]) -> None:
        groups = sorted({(i["account"], i["region"], i["asg"]) for i in truth.values() if i["asg"]})
        for account, region, group in groups:
            self._ask("scale", {"asg": group, "account": account, "region": region, "by": 1})
        born = {k: v for k, v in self._ask("truth")["instances"].items() if k not in truth}
        fresh = [i for i in born.values() if i["state"] == "running"]
        v2 = [i for i in fresh if i["options"]["http_tokens"] == "required"]
        self._ask("clock", {"advance_seconds": 900})
        self._screen.out.print(
            f"{count(len(groups), 'group')}, {count(len(fresh), 'new instance')}: "
            f"{len(v2)} on V2 only"
        )
        if len(v2) != len(fresh) or len(fresh) < len(groups):
            raise DemoError("a group started an instance that is not on V2 only")

    def _truth(self) -> int:
        """What the simulated AWS knows of every program on every instance."""
        instances = self._ask("truth")["instances"]
        cut = {k: v for k, v in instances.items() if v["cut_off"]}
        self._say("What the simulated AWS knows, and no scan can:")
        for key, one in cut.items():
            for gap in one["cut_off"]:
                until = gap["to"][11:16] if gap["to"] else "now"
                self._screen.out.print(
                    f"  cut off: {gap['program']} on {key} ({one['name']}), "
                    f"{gap['from'][11:16]} to {until} UTC"
                )
        self._screen.out.print(
            f"  {count(len(cut), 'instance')} of {len(instances)} had a program cut off at any "
            "time" + (": the canary that was caught" if len(cut) == 1 else "")
        )
        report = Path.cwd() / "report.html"
        self._screen.out.print(f"\nThe report: {report}", style="bold")
        self._screen.out.print(f"The store:  {Path.cwd() / 'imdsctl.db'}")
        if shutil.which("imdsctl") is None:
            self._screen.out.print("(the command is .venv/bin/imdsctl)")
        return Exit.OK if len(cut) == 1 else Exit.BAD_ANSWER
