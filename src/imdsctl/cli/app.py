"""The commands and their one-line helps; nothing of a command is imported before it is called."""

from typing import Any, Final

import cyclopts

from imdsctl import __version__

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "The migration": (
        "scan",
        "status",
        "explain",
        "plan",
        "show",
        "apply",
        "verify",
        "rollback",
        "runs",
        "report",
    ),
    "Rules, and who may do what": ("check", "guard", "permissions"),
    "Software, before it breaks": ("lint", "rehearse", "emulate", "host"),
    "To try it without AWS": ("demo", "simulate"),
}
"""Which commands belong together, in the order in which one uses them."""

COMMANDS: Final[dict[str, str]] = {
    "scan": "Read accounts and regions into the store.",
    "status": "Posture and progress: what allows v1, who calls it, what could not be read.",
    "explain": "Everything known of one resource, its verdict, why, and what to do.",
    "check": "Control results: CIS, Security Hub, AWS Config, Prowler.",
    "plan": "Build and seal the plan; nothing is changed.",
    "show": "Read a plan back.",
    "apply": "Apply a plan, wave by wave; stops at the first gate (health check) that fails.",
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
"""Every command, in a line."""

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
        "group_parameters": cyclopts.Group("Options", sort_key=-1),
        "help_epilogue": "Each option can also be set as IMDSCTL_NAME: --role-name as "
        "IMDSCTL_ROLE_NAME.",
    }
    app = cyclopts.App(
        name="imdsctl",
        help="Take AWS EC2 fleets from IMDSv1 to IMDSv2 only, with evidence at every step, "
        "and back.\n\nIMDS is an instance's metadata service, which hands out its role's "
        "credentials: version 1 to any HTTP GET, version 2 only to who has asked for a token.",
        version=__version__,
        group_commands=cyclopts.Group("About imdsctl", sort_key=len(GROUPS)),
        config=_Environment("IMDSCTL_", command=False, show=False),
        suppress_keyboard_interrupt=False,
        help_epilogue="Start with `imdsctl demo`, or read your own account: `imdsctl scan`.\n\n"
        "Exit codes: 0 did all it was asked · 1 did it, and the answer is bad · 2 used wrongly · "
        "3 something could not be read · 4 stopped at a gate, or a change failed · 5 refused · "
        "6 no AWS, or no credentials · 130 interrupted.",
    )
    groups = {
        name: group
        for place, (title, names) in enumerate(GROUPS.items())
        for group in [cyclopts.Group(title, sort_key=place)]
        for name in names
    }
    for order, (name, group) in enumerate(groups.items()):
        text = COMMANDS[name]
        if name in SUBCOMMANDS:
            several = cyclopts.App(
                name=name,
                help=text,
                group=group,
                group_commands=cyclopts.Group("Commands"),
                sort_key=order,
                help_epilogue=f"What each of them takes: `imdsctl {name} COMMAND --help`.",
            )
            for place, (sub, sub_text) in enumerate(SUBCOMMANDS[name].items()):
                where = f"imdsctl.cli.{name}:{sub}"
                several.command(where, name=sub, help=sub_text, sort_key=place, **settings)
            app.command(several)
            continue
        where = f"imdsctl.cli.{name}:{name}"
        app.command(where, name=name, help=text, group=group, sort_key=order, **settings)
    return app
