"""A world of one connection, for tests of the fake's rules without any server."""

from __future__ import annotations

import pytest

from airflow_airbyte_ext.testing import Step, Stream
from airflow_airbyte_ext.testing.eras import era_named
from airflow_airbyte_ext.testing.errors import Refusal, reply
from airflow_airbyte_ext.testing.world import World

ORDERS, USERS = Stream("orders"), Stream("users", "public")


class Setting:
    """A world with one connection, whose jobs run until somebody ends them."""

    def __init__(self, era: str, streams=()) -> None:
        self.time = 1000.0
        self.world = World(era_named(era), lambda: self.time)
        self.connection = self.world.add_connection("Orders", streams or [ORDERS, USERS])
        self.id = self.connection.connection_id
        self.world.default_script = [Step("running")]

    def refusal(self, act, *arguments) -> tuple[int, str]:
        with pytest.raises(Refusal) as caught:
            act(*arguments)
        return reply(self.world.era, caught.value, "/api/v1/x").status, caught.value.message

    def hangs(self, act, *arguments) -> bool:
        """Whether Airbyte never responds to this."""
        with pytest.raises(Refusal) as caught:
            act(*arguments)
        return caught.value.kind == "hangs"
