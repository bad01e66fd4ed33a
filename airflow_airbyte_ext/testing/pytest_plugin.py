"""A pytest plugin with one fixture, `fake_airbyte`: a fresh `FakeAirbyte` for each test that requests it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_airbyte_ext.testing.fake import FakeAirbyte


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known to `--strict-markers`."""
    config.addinivalue_line("markers", 'airbyte(era="2.0", auth="none", ...): arguments of the fake_airbyte fixture')


@pytest.fixture
def fake_airbyte(request: pytest.FixtureRequest) -> Iterator[FakeAirbyte]:
    """A running fake Airbyte; `@pytest.mark.airbyte(era="1.0", auth="basic")` gives its arguments."""
    # pytest loads this plugin for everybody who has the package, with or without the extra that brings a server.
    from airflow_airbyte_ext.testing.fake import FakeAirbyte

    marker = request.node.get_closest_marker("airbyte")
    with FakeAirbyte(**(marker.kwargs if marker else {})) as airbyte:
        yield airbyte
