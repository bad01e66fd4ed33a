"""Every release does what the documentation says of it, whether it checks tokens or not."""

from __future__ import annotations

import pytest
from capabilities import CAPABILITIES, SETUPS, STREAMS, Scene, options_of

MATRIX = [(release, setup, row) for release, setup in SETUPS for row in CAPABILITIES]


@pytest.fixture
def scene_of(start_fake, connect, clock, tmp_path):
    def make(release: str, setup: str) -> Scene:
        airbyte = start_fake(release, **options_of(release, setup))
        connection_id = airbyte.add_connection("Orders", streams=STREAMS)
        return Scene(airbyte, connect(airbyte), connection_id, clock, tmp_path)

    return make


@pytest.mark.parametrize(
    ("release", "setup", "row"), MATRIX, ids=[f"{release}-{setup}-{row.what}" for release, setup, row in MATRIX]
)
def test_a_release_does_what_is_documented(scene_of, release, setup, row):
    """It is done, or the error says since which release it can be."""
    scene = scene_of(release, setup)
    if row.is_in(release):
        row.do(scene)
        return
    with pytest.raises(row.error) as caught:
        row.do(scene)
    assert row.since in str(caught.value)
