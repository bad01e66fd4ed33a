"""A submission does what is written down: the same end with the same requests, in every scene."""

from __future__ import annotations

import pytest
from submission_record import FOLDER, KINDS, scenes_of


@pytest.mark.parametrize("release", KINDS)
def test_a_submission_is_as_recorded(release):
    """A failure shows the scenes that differ; `submission_record` says how to renew them."""
    recorded = (FOLDER / f"{release}.txt").read_text().split("\n\n")
    played = [scene.rstrip("\n") for scene in scenes_of(release)]
    differing = [
        f"{now}\n  was:\n{before}"
        for now, before in zip(played, (each.rstrip("\n") for each in recorded), strict=True)
        if now != before
    ]
    assert not differing, "\n\n".join(differing)
