"""Errors and logs of the layers below in the words of the shell: an option in the place of an argument."""

from __future__ import annotations

import re
from functools import partial

_OPTIONS = {
    "auth": "--auth",
    "base_url": "--url",
    "client_id": "--client-id",
    "client_secret": "--client-secret-file",
    "if_running": "--if-running",
    "if_stream_missing": "--if-stream-missing",
    "mode": "--mode",
    "password": "--password-file",
    "proxies": "the environment's HTTP_PROXY or HTTPS_PROXY",
    "timeout": "--timeout",
    "token": "--token-file",
    "token_url": "--token-url",
    "username": "--username",
    "verify": "--verify-tls",
    "wait_timeout": "--wait-timeout",
}
_NAMES = "|".join(sorted(_OPTIONS, key=len, reverse=True))
# Those that mean nothing else in a sentence.
_PLAIN_NAMES = "|".join(name for name in _OPTIONS if "_" in name)

# Each is applied to what the ones above it have left; {0} is the option of the argument that group 1 names.
_RULES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r" ?If it is templated, check what the template rendered to\.", ""),
        (r", or take this task out", ""),
        (r", or allow to attach to it \(if_running=\"\w+\"\)", ""),
        (r"Clear the task to wait for it", "Check it in Airbyte"),
        (r"the Airflow Connection points at the", "--url (or --airflow-conn-env) names the"),
        (r"The host field holds base_url", "It is the Connection's host"),
        (r"allow_plain=True, ", ""),
        (r"give them as username and password", "give them by --username and --password-file"),
        (r"\bkeep\['within_days'\]", "--keep-within-days"),
        (r"\bkeep\['(\w+)'\]", r"--keep-\1"),
        (rf"\b({_NAMES})=\"(\w+)\"", r"{0} \2"),
        (r"\b(auth) (none|basic|bearer|client_credentials)\b", r"{0} \2"),
        (rf"\b({_PLAIN_NAMES})\b", "{0}"),
        (rf"`({_NAMES})`", "{0}"),
        (rf"\(({_NAMES})\)", "({0})"),
        (rf"(?<=\blacks )({_NAMES})\b", "{0}"),
        (rf"(?<=\bwrong: )({_NAMES})(?=:)", "{0}"),
        (rf"(?<=; )({_NAMES})(?=:)", "{0}"),
        (r"^(proxies)(?= holds)", "{0}"),
    )
]


def in_shell_words(text: str) -> str:
    """Return a message for somebody who gives options, and knows no arguments, tasks or templates."""
    for pattern, replacement in _RULES:
        text = pattern.sub(partial(_shown, replacement), text)
    return text


def _shown(replacement: str, match: re.Match[str]) -> str:
    argument = match[1] if match.re.groups else ""
    return match.expand(replacement).format(_OPTIONS.get(argument, ""))
