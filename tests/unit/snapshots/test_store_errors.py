"""What a store says of a place that cannot be used."""

from __future__ import annotations

import traceback

import pytest

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError, AirbyteSnapshotStoreError
from airflow_airbyte_ext.snapshots.store import SnapshotStore

CONNECTION = "11111111-1111-4111-8111-111111111111"


@pytest.mark.parametrize("address", ["ftp://me:s3cr3t@127.0.0.1:9/x", "ftp://me:s3cr3t/s3cr3t@127.0.0.1:9/x"])
def test_the_password_of_an_address_is_in_no_traceback(address):
    """A file system's own error may repeat the address, so it is not kept as the cause."""
    with pytest.raises(
        (AirbyteSnapshotStoreError, AirbyteConfigurationError), match="holds a password, so more is not said"
    ) as caught:
        SnapshotStore(address).snapshots(CONNECTION)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))
