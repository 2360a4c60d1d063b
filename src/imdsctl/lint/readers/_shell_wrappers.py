"""Programs that run the program that follows them, as sudo, env, timeout and docker do."""

import re
from typing import Final

from imdsctl.lint.readers._shell_words import Word

# Options that take a word of their own, and how many words stand before the command.
_WRAPPERS: Final[dict[str, tuple[str, int]]] = {
    "sudo": ("-u -g -h -p -C -D -R -T -U --user --group --host --prompt --chdir", 0),
    "doas": ("-u -C", 0), "env": ("-u -C --unset --chdir", 0), "nohup": ("", 0),
    "time": ("-o -f", 0),
    "setsid": ("", 0), "nice": ("-n --adjustment", 0), "ionice": ("-c -n -p", 0),
    "exec": ("-a", 0),
    "command": ("", 0), "builtin": ("", 0), "stdbuf": ("-i -o -e", 0), "unbuffer": ("", 0),
    "timeout": ("-k -s --kill-after --signal", 1), "chroot": ("", 1), "flock": ("-w -E", 1),
    "watch": ("-n -d --interval", 0), "chronic": ("", 0), "busybox": ("", 0),
    "runuser": ("-u -g", 0),
    "xargs": ("-I -n -P -L -d -a -s -E --max-args --max-procs --delimiter --replace", 0),
    "then": ("", 0), "do": ("", 0), "else": ("", 0), "!": ("", 0),
}  # fmt: skip
ELSEWHERE: Final = {
    "ssh", "docker", "podman", "nerdctl", "kubectl", "oc", "crictl", "lxc-attach", "nsenter",
    "chroot", "docker-compose", "vagrant",
}  # fmt: skip
"""Programs that run a command in another system or container."""

SAYS_ONLY: Final = {
    ":", "true", "false", "exit", "return", "cd", "wait", "sleep", "[", "[[",
    "log", "logger", "die", "warn", "info", "error", "fail", "usage", "debug", "grep", "egrep",
    "sed", "awk", "which", "type", "hash", "apt-get", "apt", "yum", "dnf", "apk", "brew",
    "pip", "zypper",
    "iptables", "ip6tables", "nft", "ufw", "firewall-cmd", "ip", "route", "ping", "ping6", "nmap",
    "traceroute", "alias", "whereis", "man", "rpm", "dpkg", "touch", "mkdir", "rm",
    "git", "tcpdump",
}  # fmt: skip
"""Programs that only talk of a program or an address, or route to it, and ask nothing."""


def unwrapped(name: str, words: list[Word], environment: dict[str, Word]) -> list[Word] | None:
    """The command behind a wrapper, None where the first word is none.

    Args:
        name: of the program that stands first.
        words: the whole command.
        environment: takes the variables that `env` and `sudo` set.
    """
    if name not in _WRAPPERS:
        return None
    taking, before = _WRAPPERS[name]
    options = set(taking.split())
    at = 1
    while at < len(words):
        text = words[at].text
        if name in {"command", "builtin"} and text in {"-v", "-V"}:
            return []
        if text.startswith("-"):
            at += 2 if text in options else 1
        elif name in {"env", "sudo", "doas"} and (found := re.match(r"([A-Za-z_]\w*)=", text)):
            first = words[at].parts[0]
            rest = first[found.end() :] if isinstance(first, str) else ""
            environment[found[1]] = Word((rest, *words[at].parts[1:]), words[at].node)
            at += 1
        elif before:
            before -= 1
            at += 1
        else:
            break
    return words[at:]
