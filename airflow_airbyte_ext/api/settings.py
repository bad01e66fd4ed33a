"""How to reach one Airbyte: base URL, authentication, TLS, time-outs, headers, proxies."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError
from airflow_airbyte_ext.text import one_line

AuthKind = Literal["none", "basic", "bearer", "client_credentials"]

CLOUD_BASE_URL = "https://cloud.airbyte.com/api"
CLOUD_HOSTS = {"api.airbyte.com", "cloud.airbyte.com"}
# They say where a request ends and how it is written, which the HTTP library does: a wrong one cuts requests in two.
_FRAMING_HEADERS = {
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

# What may follow a deployment's own path prefix: the web app's pages, and the roots of both APIs.
_KNOWN_TAIL = re.compile(r"(/api(/public)?)?(/v1)?$")
_WEB_APP_PAGE = re.compile(r"/(workspaces|login|setup|user-settings|organization)(/.*)?$")


def seconds_of(value: object) -> object:
    """Turn a `timedelta` into seconds, and leave everything else to the caller's own check."""
    return value.total_seconds() if isinstance(value, timedelta) else value


Seconds = Annotated[float, BeforeValidator(seconds_of), Field(gt=0, allow_inf_nan=False)]


class ClientSettings(BaseModel):
    """
    All that `AirbyteClient` needs to know about one Airbyte.

    :param base_url: Any form in which people write an Airbyte address; it is normalised to `<prefix>/api`.
        `https://host`, `https://host/`, `.../api`, `.../api/v1`, `.../api/public/v1`, a page of the web app, and
        `https://api.airbyte.com/v1` (Airbyte Cloud) are understood, with any path prefix before them.
    :param auth: `none`, `basic` (username, password), `bearer` (token), `client_credentials` (client_id,
        client_secret), or `auto`: the one whose values are given.
    :param token_url: Where client credentials buy a token; found from the base URL when not given.
    :param verify: `False` trusts any TLS certificate; a path names a bundle of CA certificates.
    :param client_cert: Path of a PEM file with certificate and key, or the two paths.
    :param timeout: Seconds within which a response must be whole. Operations on which Airbyte itself waits (sync,
        reset, cancel) get the longer time that the operations table gives them.
    :param max_response_bytes: Bytes that a response may have, as it comes and decompressed.
    :param headers: Extra HTTP headers, sent with every request to Airbyte.
    :param proxies: Proxy URL by scheme, as in `requests`.
    :raises AirbyteConfigurationError: Names the field and what is allowed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: str
    auth: Literal["auto", "none", "basic", "bearer", "client_credentials"] = "auto"
    username: str | None = Field(None, repr=False)
    password: SecretStr | None = None
    client_id: str | None = Field(None, repr=False)
    client_secret: SecretStr | None = None
    token: SecretStr | None = None
    token_url: str | None = None
    verify: bool | str = True
    client_cert: str | tuple[str, str] | None = None
    timeout: Seconds = 30.0
    max_response_bytes: Annotated[int, Field(gt=0)] = 128 * 2**20
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    proxies: dict[str, str] = Field(default_factory=dict, repr=False)

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        return normalise_base_url(value)

    @field_validator("verify", mode="before")
    @classmethod
    def _verify(cls, value: object) -> object:
        # A form and an environment variable can only hold the words.
        return {"true": True, "false": False}.get(value.strip().lower(), value) if isinstance(value, str) else value

    @field_validator("verify", "client_cert")
    @classmethod
    def _files(cls, value: bool | str | tuple[str, str] | None) -> bool | str | tuple[str, str] | None:
        # What is given in the place of a path would be repeated as a file that is not there.
        paths = (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ()
        if not all(map(_is_path, paths)):
            raise ValueError("holds a certificate or a key itself; give the path of a file that holds it")
        if any("://" in path for path in paths):
            raise ValueError("holds an address; give the path of a file")
        return value

    @field_validator("username", "password", "client_id", "client_secret")
    @classmethod
    def _can_be_sent(cls, value: str | SecretStr | None) -> str | SecretStr | None:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value or ""
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise ValueError("holds half a character, which nothing can send")
        return value

    @field_validator("token_url")
    @classmethod
    def _token_url(cls, value: str | None) -> str | None:
        if value is not None:
            checked_url(value, "token_url")
        return value

    @field_validator("token")
    @classmethod
    def _token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        token = value.get_secret_value().strip()
        if not fits_in_a_header(token) or " " in token:
            raise ValueError("holds white space or a letter that no token has")
        return SecretStr(token)

    @field_validator("headers")
    @classmethod
    def _headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not fits_in_a_header(text):
                raise ValueError(f"{one_line(name, 50)!r} has a name or a value that HTTP does not allow")
            if name.lower() in _FRAMING_HEADERS:
                raise ValueError(f"{name} is set for each request as it has to be; leave it out")
        return value

    @field_validator("proxies")
    @classmethod
    def _proxies(cls, value: dict[str, str]) -> dict[str, str]:
        for address in value.values():
            try:
                parts = urlsplit(address if "://" in address else f"http://{address}")
                is_address = address.isprintable() and bool(parts.hostname) and parts.port != 0
            except ValueError:
                is_address = False
            if not is_address:
                raise ValueError("holds an address that cannot be used; give one such as http://proxy.example.com:3128")
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _speak_plainly(cls, values: Any, handler: ModelWrapValidatorHandler[ClientSettings]) -> ClientSettings:
        try:
            settings = handler(values)
        except ValidationError as error:
            raise AirbyteConfigurationError(_explain(error)) from None
        settings._check_credentials()
        return settings

    @property
    def auth_kind(self) -> AuthKind:
        """The kind of authentication, with `auto` decided from the values given."""
        if self.auth != "auto":
            return self.auth
        if self.token:
            return "bearer"
        if self.client_id or self.client_secret:
            return "client_credentials"
        return "basic" if self.username or self.password else "none"

    @property
    def is_cloud(self) -> bool:
        """Whether this is Airbyte Cloud, whose tokens come from another host."""
        return self.base_url == CLOUD_BASE_URL

    def _check_credentials(self) -> None:
        needed: dict[AuthKind, tuple[str, ...]] = {
            "none": (),
            "basic": ("username",),
            "bearer": ("token",),
            "client_credentials": ("client_id", "client_secret"),
        }
        missing = [name for name in needed[self.auth_kind] if not getattr(self, name)]
        if missing:
            raise AirbyteConfigurationError(
                f"Authentication {self.auth_kind!r} lacks {' and '.join(missing)}. "
                "Give what is missing, or choose another kind of authentication (auth)."
            )


def fits_in_a_header(text: str) -> bool:
    """Whether HTTP can carry the text in a header: latin-1, without control characters."""
    return re.fullmatch(r"[ -~\xa0-\xff]*", text) is not None


def looks_like_client_id(name: str) -> bool:
    """Whether a login is a client id rather than a user name: Airbyte's client ids are UUIDs."""
    return _UUID.fullmatch(name) is not None


def normalise_base_url(url: str) -> str:
    """
    Return the Config API's base, `scheme://host[:port][/prefix]/api`, for any way to write an Airbyte's address.

    :raises AirbyteConfigurationError: The URL is empty, is not http(s), or carries credentials, a query or a fragment.
    """
    parts = checked_url(url.strip(), "base_url")
    if parts.hostname in CLOUD_HOSTS:
        return CLOUD_BASE_URL
    path = re.sub(r"/+", "/", parts.path).rstrip("/")
    prefix = _KNOWN_TAIL.sub("", _WEB_APP_PAGE.sub("", path))
    return f"{parts.scheme}://{parts.netloc}{prefix}/api"


def checked_url(url: str, field: str) -> SplitResult:
    """
    Return the parts of an http(s) URL that holds no secret.

    :param field: What to call it in the error, which does not repeat it: something else may stand in its place.
    :raises AirbyteConfigurationError: It is none.
    """
    example = "Give an address such as https://airbyte.example.com."
    if not url:
        raise AirbyteConfigurationError(f"{field} is empty. {example}")
    if "@" in url:
        raise AirbyteConfigurationError(
            f"{field} holds credentials. Take them out, and give them as username and password."
        )
    if "?" in url or "#" in url:
        raise AirbyteConfigurationError(f"{field} has a query or a fragment. Give the address alone, without ? and #.")
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port != 0
    except ValueError:
        raise AirbyteConfigurationError(f"{field} is not a URL. {example}") from None
    is_sound = parts.scheme in ("http", "https") and port_is_valid and url.isprintable()
    if not parts.hostname or not is_sound:
        raise AirbyteConfigurationError(f"{field} is not an http or https URL. {example}")
    _check_host(parts.hostname, field)
    return parts


def _check_host(host: str, field: str) -> None:
    """Check that DNS can carry a host's name: the parts between its dots have 1 to 63 letters."""
    if re.search(r"[\s{}<>\"|\\^`]", host):
        raise AirbyteConfigurationError(f"{field} has a host with a character that no host's name has.")
    try:
        host.encode("idna")
    except UnicodeError:
        raise AirbyteConfigurationError(
            f"{field} has a host that no name server can know: a part between its dots is empty, or has more than 63 "
            "letters."
        ) from None


def _is_path(value: str) -> bool:
    return "-----BEGIN" not in value and "\n" not in value


def _explain(error: ValidationError) -> str:
    """Say which fields are wrong and what is allowed, without repeating any value: it may be a secret."""
    problems = []
    for detail in error.errors(include_input=False, include_url=False):
        field = ".".join(
            one_line(part, 50) for part in detail["loc"] if not str(part).startswith(("bool", "str", "tuple"))
        )
        if detail["type"] == "extra_forbidden":
            known = ", ".join(sorted(ClientSettings.model_fields))
            problems.append(f"{field!r} is not a setting (allowed: {known})")
        else:
            message = detail["msg"].removeprefix("Value error, ")  # pydantic's words before ours
            is_ours = detail["type"] == "value_error"
            problems.append(f"{field}: {message if is_ours else message[0].lower() + message[1:]}")
    return "Airbyte settings are wrong: " + "; ".join(problems) + "."
