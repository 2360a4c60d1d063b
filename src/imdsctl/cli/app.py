"""The commands and their one-line helps; nothing of a command is imported before it is called."""

from typing import Final

import cyclopts

from imdsctl import __version__

COMMANDS: Final[dict[str, str]] = {
    "scan": "Read accounts and regions into the store.",
    "status": "Posture and progress: what allows v1, who calls it, what could not be read.",
    "explain": "Everything known of one resource, its verdict, why, and what to do.",
    "check": "Control results: CIS, Security Hub, AWS Config, Prowler.",
    "plan": "Build and seal the plan; nothing is changed.",
    "show": "Read a plan back.",
    "apply": "Apply a plan, wave by wave.",
    "verify": "A fresh look at what a run changed.",
    "rollback": "Restore what a run changed.",
    "runs": "Past and open runs.",
    "report": "The report: HTML, JSON or CSV.",
    "simulate": "The simulated AWS over HTTP, on loopback.",
    "demo": "The whole story on the simulated AWS.",
}
"""Every command, in the order in which one uses them."""


def build_app() -> cyclopts.App:
    """The command line's parser."""
    app = cyclopts.App(
        name="imdsctl",
        help="Take AWS EC2 fleets from IMDSv1 to IMDSv2 only, with evidence at every step, "
        "and back.",
        version=__version__,
        config=cyclopts.config.Env("IMDSCTL_", command=False),
        suppress_keyboard_interrupt=False,
        help_epilogue="Start with `imdsctl demo`, or read your own account: `imdsctl scan`.",
    )
    for order, (name, text) in enumerate(COMMANDS.items()):
        app.command(f"imdsctl.cli.{name}:{name}", name=name, help=text, sort_key=order)
    return app
