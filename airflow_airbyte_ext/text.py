"""Names and texts from elsewhere, made fit for a message or a log: one line, no control characters, no secrets."""

from __future__ import annotations

import re

MAX_NAME = 200
MAX_ADDRESS = 4_096
MAX_MESSAGE = 8_000
MASK = "***"

# Compiled when they are first used, since every DAG file imports them.
_URL = r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<rest>[^\s\"'<>|]+)"
# A password may hold any character, also a slash that nobody has quoted; a port may not.
_WITH_PASSWORD = r"(?s)[^/@]*?:(?!\d{1,5}(?:[/?#]|$)).*@"
_USER = r"[^/?#@]*@"
_SENTENCE_END = r"[.,;:!?)\]}]*$"


def one_line(text: object, limit: int = MAX_NAME) -> str:
    """
    Return a text on one line, without what could steer a terminal or forge a line of a log.

    :param limit: How many characters it has at most; the rest is cut.
    """
    text = str(text)
    if not text.isprintable():
        text = "".join(map(_fit, text))
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}"


def fit_message(message: object) -> str:
    """Return what an error says, of whatever kind it is: on one line, without the secrets of addresses, not endless."""
    return one_line(without_secrets(str(message)[: 2 * MAX_MESSAGE]), MAX_MESSAGE)


def without_secrets(text: str) -> str:
    """Return a text whose URLs have lost their credentials, the values of their queries, and their fragments."""
    return re.sub(_URL, _masked_in_text, text) if "://" in text else text


def shown_address(address: object) -> str:
    """Return a path or URL as it may be shown: as `without_secrets`, for a text that is an address and nothing else."""
    scheme, separator, rest = str(address).partition("://")
    return one_line(scheme + separator + _masked(scheme, rest) if separator else scheme, MAX_ADDRESS)


def without_password(address: str) -> str:
    """Return a path or URL that leads to the same place, without the password before its host."""
    scheme, separator, rest = address.partition("://")
    found = _user_of(scheme, rest) if separator else None
    return f"{scheme}://{MASK}@{rest[found.end() :]}" if found else address


def has_password(address: str) -> bool:
    """Whether a URL holds a password, or a token, before its host."""
    return without_password(address) != address


def _fit(char: str) -> str:
    return char if char.isprintable() else " " if char.isspace() else "\N{REPLACEMENT CHARACTER}"


def _masked_in_text(found: re.Match[str]) -> str:
    rest = found["rest"]
    end = re.search(_SENTENCE_END, rest)
    length = end.start() if end else len(rest)
    return found["scheme"] + _masked(found["scheme"].removesuffix("://"), rest[:length]) + rest[length:]


def _user_of(scheme: str, rest: str) -> re.Match[str] | None:
    # A name alone is a token over HTTP; elsewhere it is the id of an Airflow Connection, or a container.
    return re.match(_WITH_PASSWORD, rest) or (re.match(_USER, rest) if scheme.lower() in ("http", "https") else None)


def _masked(scheme: str, rest: str) -> str:
    if user := _user_of(scheme, rest):
        rest = f"{MASK}@{rest[user.end() :]}"
    rest, mark, _ = rest.partition("#")
    fragment = f"#{MASK}" if mark else ""
    rest, mark, _ = rest.partition("?")
    return rest + (f"?{MASK}" if mark else "") + fragment
