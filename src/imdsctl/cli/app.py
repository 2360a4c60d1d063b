"""The commands and their one-line helps; nothing of a command is imported before it is called."""

from typing import Any, Final

import cyclopts

from imdsctl import __version__

COMMANDS: Final[dict[str, str]] = {
    "scan": "Read accounts and regions into the store.",
    "status": "Posture and progress: what allows v1, who calls it, what could not be read.",
    "explain": "Everything known of one resource, its verdict, why, and what to do.",
    "check": "Control results: CIS, Security Hub, AWS Config, Prowler.",
    "plan": "Build and seal the plan; nothing is changed.",
    "show": "Read a plan back.",
    "apply": "Apply a plan, wave by wave; stops at the first gate that fails.",
    "verify": "A fresh look at what a run changed.",
    "rollback": "Restore what a run changed.",
    "runs": "Past and open runs.",
    "report": "The report: HTML, JSON or CSV.",
    "guard": "Guardrail policies, and what they would break if attached today.",
    "lint": "Code, scripts, templates and dependencies that would call or launch IMDSv1.",
    "permissions": "The least IAM policy that a command needs.",
    "host": "On the instance itself: what IMDS answers, who calls it, what is too old for v2.",
    "emulate": "An instance's metadata service (IMDS) to test software against.",
    "rehearse": "Run a command where only IMDSv2 answers; says what it called and what broke.",
    "simulate": "The simulated AWS over HTTP, on loopback.",
    "demo": "The whole story on the simulated AWS.",
}
"""Every command, in the order in which one uses them."""

SUBCOMMANDS: Final[dict[str, dict[str, str]]] = {
    "host": {
        "probe": "v1, v2, credentials, containers: what IMDS answers here.",
        "audit": "Software on this host, or in an unpacked image, that is too old for v2.",
        "trace": "Who calls IMDS on this host, live, and what each program has to do.",
    },
    "guard": {
        "policies": "The guardrails as IAM, service control and declarative policies.",
        "preflight": "Which launch paths and instances they would deny today.",
    },
}
"""The commands that are several; each is a function of its name in the command's module."""


class _Environment(cyclopts.config.Env):
    """`IMDSCTL_*` for options; what a command is about (a plan, a run) is named on its line."""

    def __call__(
        self,
        app: cyclopts.App,
        commands: tuple[str, ...],
        arguments: cyclopts.ArgumentCollection,
    ) -> None:
        """Fill in the options that the environment has and the command line has not."""
        options = [a for a in arguments if a.field_info.kind is not a.field_info.POSITIONAL_ONLY]
        if commands[:1] == ("verify",):
            # IMDSCTL_HOST is the address on which `emulate` listens.
            options = [a for a in options if a.name != "--host"]
        super().__call__(app, commands, arguments.__class__(options))


def build_app() -> cyclopts.App:
    """The command line's parser."""
    settings: dict[str, Any] = {
        "default_parameter": cyclopts.Parameter(show_env_var=False),
        "help_epilogue": "Each option can also be set as IMDSCTL_NAME: --role-name as "
        "IMDSCTL_ROLE_NAME.",
    }
    app = cyclopts.App(
        name="imdsctl",
        help="Take AWS EC2 fleets from IMDSv1 to IMDSv2 only, with evidence at every step, "
        "and back.",
        version=__version__,
        config=_Environment("IMDSCTL_", command=False, show=False),
        suppress_keyboard_interrupt=False,
        help_epilogue="Start with `imdsctl demo`, or read your own account: `imdsctl scan`.",
    )
    for order, (name, text) in enumerate(COMMANDS.items()):
        if name in SUBCOMMANDS:
            several = cyclopts.App(name=name, help=text, sort_key=order)
            for sub, sub_text in SUBCOMMANDS[name].items():
                where = f"imdsctl.cli.{name}:{sub}"
                several.command(where, name=sub, help=sub_text, **settings)
            app.command(several)
            continue
        app.command(f"imdsctl.cli.{name}:{name}", name=name, help=text, sort_key=order, **settings)
    return app
