"""What the network did, in words: from the errors of `requests` to ours."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import ReadTimeoutError

from airflow_airbyte_ext.exceptions import (
    AirbyteConfigurationError,
    AirbyteError,
    AirbyteRequestTimeoutError,
    AirbyteUnreachableError,
)

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.operation import Operation
    from airflow_airbyte_ext.api.settings import ClientSettings


def network_error(
    operation: Operation, url: str, error: Exception, settings: ClientSettings, *, was_sent: bool
) -> AirbyteError:
    """
    Return the error for a request that got no response, or none that could be read.

    The texts of errors choose the words alone: a server may have written them.

    :param was_sent: Whether any of the request may have left.
    """
    name = operation.operation_id
    cause = _innermost(error)
    if not was_sent and (mistake := _configuration_mistake(error, cause, settings)):
        return mistake
    if isinstance(error, requests.exceptions.ProxyError):
        return AirbyteUnreachableError(
            f"{name}: the proxy did not give a response of {url}. Check `proxies`, and the proxy.",
            operation=name,
            was_sent=was_sent,
        )
    if isinstance(error, requests.exceptions.SSLError):
        return _tls_failed(name, url, cause, was_sent)
    if not was_sent:
        return AirbyteUnreachableError(
            f"{name}: cannot connect to {url}. Is the address right, and Airbyte running?",
            operation=name,
            was_sent=False,
        )
    if isinstance(error, requests.Timeout | ReadTimeoutError | TimeoutError):
        return AirbyteRequestTimeoutError(f"{name}: no response from {url} in time.", operation=name)
    return AirbyteUnreachableError(
        f"{name}: the connection to {url} broke before the response was complete.", operation=name
    )


def _tls_failed(name: str, url: str, cause: BaseException, was_sent: bool) -> AirbyteUnreachableError:
    is_plain = not was_sent and re.search("WRONG_VERSION_NUMBER|HTTP_REQUEST", str(cause))
    if is_plain:
        advice = "This port does not speak TLS: try http:// in the address."
    else:
        advice = (
            "Give the CA of its certificate as a bundle in `verify`, or set `verify` to false where that is acceptable."
        )
    failed = AirbyteUnreachableError(
        f"{name}: the TLS connection to {url} failed ({_in_short(cause)}). {advice}", operation=name, was_sent=was_sent
    )
    failed.retryable = not (is_plain or isinstance(cause, ssl.SSLCertVerificationError))
    return failed


def _configuration_mistake(
    error: Exception, cause: BaseException, settings: ClientSettings
) -> AirbyteConfigurationError | None:
    """Return the error for a setting that cannot work, whatever Airbyte does."""
    broken_proxy = isinstance(error, requests.exceptions.InvalidProxyURL | requests.exceptions.InvalidSchema)
    if broken_proxy or ("proxy" in str(cause).lower() and isinstance(error, ValueError)):
        return AirbyteConfigurationError(
            "proxies holds an address that cannot be used. Give one such as http://proxy.example.com:3128."
        )
    if isinstance(error, requests.exceptions.InvalidHeader):
        return AirbyteConfigurationError("headers holds a name or a value that HTTP does not allow.")
    is_file = isinstance(error, OSError) and not isinstance(error, requests.RequestException)
    bad_pem = isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLCertVerificationError)
    if is_file or (bad_pem and re.search("PEM|X509", str(cause))):
        files = {name: getattr(settings, name) for name in ("verify", "client_cert")}
        named = [f"{name} ({path})" for name, path in files.items() if isinstance(path, str | tuple)]
        return AirbyteConfigurationError(
            f"{' or '.join(named) or 'verify'} names a file that is not there, or holds no PEM certificates: "
            f"{_in_short(cause)}."
        )
    return None


def _innermost(error: BaseException) -> BaseException:
    """Follow the layers in which `requests` and urllib3 wrap a cause."""
    for _ in range(10):
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = getattr(error, "original_error", None) or next(iter(error.args), None)
        if not isinstance(inner, BaseException):
            return error
        error = inner
    return error


def _in_short(cause: BaseException) -> str:
    return str(cause).split("\n")[0][:300]
