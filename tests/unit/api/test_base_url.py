"""Every way in which people write an Airbyte's address."""

from __future__ import annotations

import pytest

from airflow_airbyte_ext.api import ClientSettings
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

UUID = "11111111-1111-4111-8111-111111111111"
TAILS = ["", "/", "/api", "/api/", "/api/v1", "/api/v1/", "/api/public", "/api/public/v1", "/api/public/v1/"]
PAGES = [
    f"/workspaces/{UUID}",
    f"/workspaces/{UUID}/connections",
    f"/workspaces/{UUID}/connections/{UUID}/timeline",
    f"/workspaces/{UUID}/connections/{UUID}/job-history/",
    "/login",
    "/setup",
    f"/organization/{UUID}/settings",
]


def base_url(given: str) -> str:
    return ClientSettings(base_url=given).base_url


@pytest.mark.parametrize("tail", TAILS + PAGES)
@pytest.mark.parametrize("prefix", ["", "/airbyte", "/tools/data-api", "/api-gateway", "/v1x"])
@pytest.mark.parametrize("host", ["http://localhost:8000", "https://airbyte.example.com", "http://[::1]:8001"])
def test_every_form_of_an_address_means_the_same_base(host, prefix, tail):
    """Whatever follows the deployment's own prefix, the base is <host><prefix>/api."""
    assert base_url(host + prefix + tail) == f"{host}{prefix}/api"


@pytest.mark.parametrize("tail", TAILS)
def test_normalising_twice_changes_nothing(tail):
    """What was normalised is a valid address of the same Airbyte."""
    once = base_url(f"https://airbyte.example.com/x{tail}")
    assert base_url(once) == once


@pytest.mark.parametrize(
    "given",
    [
        "https://api.airbyte.com/v1",
        "https://api.airbyte.com/v1/",
        "https://api.airbyte.com",
        "https://cloud.airbyte.com",
        "https://cloud.airbyte.com/api",
        "https://cloud.airbyte.com/api/v1/",
        f"https://cloud.airbyte.com/workspaces/{UUID}/connections",
    ],
)
def test_cloud_is_reached_where_its_config_api_is(given):
    """The public API's address means the Config API of Airbyte Cloud."""
    assert base_url(given) == "https://cloud.airbyte.com/api"


@pytest.mark.parametrize(
    "given", ["  https://airbyte.example.com  ", "https://airbyte.example.com//", "HTTPS://airbyte.example.com"]
)
def test_small_slips_are_forgiven(given):
    """Blanks, doubled slashes and capitals in the scheme do not matter."""
    assert base_url(given) == "https://airbyte.example.com/api"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "   ",
        "ftp://airbyte.example.com",
        "http://",
        "https:///api",
        "http://host:port",
        "http://host:99999",
        "file:///etc",
    ],
)
def test_what_is_no_address_is_refused_by_name(given):
    """The error names the field and shows how an address looks."""
    with pytest.raises(AirbyteConfigurationError, match=r"base_url.*https://airbyte\.example\.com"):
        base_url(given)


def test_an_address_without_scheme_is_refused_by_name():
    """A bare host could be http or https: the error says that one of them is missing."""
    with pytest.raises(AirbyteConfigurationError, match=r"base_url.*http"):
        base_url("localhost:8000")


@pytest.mark.parametrize("given", ["https://airbyte.example.com/?x=1", "https://airbyte.example.com/#job"])
def test_a_query_or_a_fragment_is_refused_by_name(given):
    """Nothing can be appended to such an address."""
    with pytest.raises(AirbyteConfigurationError, match="base_url"):
        base_url(given)


@pytest.mark.parametrize(
    "given",
    [
        "https://user:hunter2@airbyte.example.com",
        "http://hunter2@airbyte.example.com/api/v1",
        "https://user:hun@ter2@airbyte.example.com",
        "ftp://user:hunter2@airbyte.example.com",
        "user:hunter2@airbyte.example.com",
        "airbyte.example.com/?token=hunter2",
        "ftp://airbyte.example.com/?token=hunter2",
        "https://user:hunter2@[bad",
        "https://airbyte.example.com/?token=hunter2",
    ],
)
def test_a_secret_inside_an_address_is_refused_and_not_repeated(given):
    """The error names the field, and the secret is in neither the message nor what led to it."""
    with pytest.raises(AirbyteConfigurationError, match="base_url") as caught:
        base_url(given)
    assert "ter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
