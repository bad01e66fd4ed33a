"""What may go to which origin: extra headers and the client certificate are for Airbyte's alone."""

from __future__ import annotations

import ipaddress
import logging
import re
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_airbyte_ext.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_airbyte_ext.api.settings import ClientSettings

log = logging.getLogger(__name__)

_SECRET_NAME = re.compile(r"auth|cookie|credential|key|pass|secret|token", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}

_warned: set[str] = set()
_warning = threading.Lock()


def meant_for(url: str, settings: ClientSettings) -> tuple[Mapping[str, str], str | tuple[str, str] | None]:
    """
    Return the extra headers and the client certificate for a request.

    :param url: Where it goes: to Airbyte, or to another origin that tokens come from, which gets neither.
    """
    if url.startswith(settings.base_url) or origin_of(url) == origin_of(settings.base_url):
        return settings.headers, settings.client_cert
    return {}, None


def origin_of(url: str) -> tuple[str, str | None, int | None]:
    """Return a URL's scheme, host and port, which make up its origin."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def is_secret_header(name: str) -> bool:
    """Whether the value of a header of this name may be a secret."""
    return _SECRET_NAME.search(name) is not None


def warn_of_plain_http(settings: ClientSettings) -> None:
    """Say, once for each host in the life of a process, that credentials go there over plain http."""
    secret_headers = any(map(is_secret_header, settings.headers))
    if settings.auth_kind == "none" and not secret_headers:
        return
    for url in filter(None, (settings.base_url, settings.token_url)):
        scheme, host, _ = origin_of(url)
        if scheme == "http" and host and not _is_loopback(host):
            _warn(host)


def _warn(host: str) -> None:
    with _warning:
        if host in _warned:
            return
        _warned.add(host)
    log.warning(
        "Credentials go to %s over plain http, where anybody on the way can read them: use https.", one_line(host)
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
