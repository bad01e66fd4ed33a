"""Every row of the table of behaviours can be noticed: with it and without it, some response is another one."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import requests

from airflow_airbyte_ext.testing import Failure, FakeAirbyte, Fault, Step, Stream
from airflow_airbyte_ext.testing.behaviour import BEHAVIOURS
from airflow_airbyte_ext.testing.eras import Era

ROWS = {row.name: (section, row) for section, rows in BEHAVIOURS.items() for row in rows}
UNKNOWN = "00000000-0000-4000-8000-00000000dead"
BOTH = ["sync", "reset_connection"]
FAILED = Failure("source", "system_error", "no")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


@dataclass(frozen=True)
class Forced(Era):
    """A release of which one row of the table says something else."""

    row: str = ""
    holds: bool = False

    def has(self, behaviour: str) -> bool:
        return self.holds if behaviour == self.row else super().has(behaviour)


class Airbyte:
    """A fake, and what it responded to whom."""

    def __init__(self, fake: FakeAirbyte, scene: Scene) -> None:
        self.fake = fake
        self.scene = scene
        self.session = requests.Session()

    def ask(self, path, /, **body):
        return self.send(f"/api/v1/{path}", json=body)

    def ask_in_vain(self, path, /, **body):
        """The same where some releases never respond."""
        return self.send(f"/api/v1/{path}", json=body, timeout=1.0)

    def send(self, path, method="POST", timeout=20.0, **more):
        try:
            response = self.session.request(method, self.fake.url + path, timeout=timeout, **more)
        except requests.Timeout:
            self.scene.shown.append((path, "hangs"))
            return {}
        found: dict[str, str] = {}
        text = response.text.replace(self.fake.url, "URL")
        text = UUID.sub(lambda match: found.setdefault(match.group(), f"<{len(found)}>"), text)
        headers = [response.headers.get(name) for name in ("Content-Type", "Allow", "WWW-Authenticate")]
        self.scene.shown.append((path, response.status_code, headers, text))
        try:
            return response.json()
        except ValueError:
            return {}


class Scene:
    """Asks fakes of one era, and keeps what they responded."""

    def __init__(self, era: Era) -> None:
        self.era = era
        self.time = 1_700_000_000.0
        self.shown: list[object] = []

    @contextmanager
    def airbyte(self, **options):
        try:
            fake = FakeAirbyte(self.era, now=lambda: self.time, **options)
        except ValueError as error:
            self.shown.append(str(error))
            return
        with fake:
            yield Airbyte(fake, self)

    def airbytes(self, *options):
        """One after the other; what this era cannot be is left out."""
        for each in options:
            manager = self.airbyte(**each)
            try:
                airbyte = manager.__enter__()
            except RuntimeError:
                continue
            yield airbyte
            manager.__exit__(None, None, None)


def paths(scene: Scene) -> None:
    for airbyte in scene.airbytes({}, {"auth": "basic"}, {"auth": "bearer"}):
        if airbyte.fake.auth == "basic":
            airbyte.session.auth = (airbyte.fake.username, airbyte.fake.password)
            airbyte.send("/api/v1/health", "GET", data=b" " * 1_500_000, headers={"Content-Type": "application/json"})
        elif airbyte.fake.auth == "bearer":
            airbyte.session.headers["Authorization"] = f"Bearer {airbyte.fake.token}"
        else:
            airbyte.send(
                "/api/v1/connections/get", data=b" " * 11_000_000, headers={"Content-Type": "application/json"}
            )
        airbyte.ask("nothing/here")
        airbyte.send("/api/v1/connections/get", "GET")
        airbyte.send("/api/v1/connections/get", data=b"x", headers={"Content-Type": "text/plain"})
        airbyte.send("/elsewhere", "GET")
        airbyte.send("/elsewhere")


def bodies(scene: Scene) -> None:
    for airbyte in scene.airbytes({}, {"strict": True}):
        connection_id = airbyte.fake.add_connection()
        airbyte.ask("connections/get", connectionId=connection_id, nonsense=1)
        airbyte.ask("connections/get", connectionId="abc")
        airbyte.ask("connections/get")
        for change in ({"status": "INACTIVE"}, {"geography": "mars"}, {"name": "New"}):
            airbyte.ask("connections/update", connectionId=connection_id, **change)


def errors(scene: Scene) -> None:
    for airbyte in scene.airbytes({}, {"auth": "bearer"}):
        for path, body in {
            "connections/get": {"connectionId": UNKNOWN},
            "jobs/get": {"id": 99},
            "sources/get": {"sourceId": UNKNOWN},
            "workspaces/get_by_connection_id": {"connectionId": UNKNOWN},
            "state/create_or_update": {
                "connectionId": UNKNOWN,
                "connectionState": {"stateType": "stream", "connectionId": UNKNOWN, "streamState": []},
            },
            "nothing": {},
        }.items():
            airbyte.ask(path, **body)
        connection_id = airbyte.fake.add_connection()
        airbyte.ask("connections/get", connectionId=connection_id)
        airbyte.ask("connections/update", connectionId="abc")
        airbyte.ask("connections/delete", connectionId=connection_id)
        if airbyte.fake.era not in ("0.40.28", "0.40.29") and scene.era.declares("ConnectionStatus.locked"):
            locked = airbyte.fake.add_connection(status="locked")
            airbyte.ask("connections/update", connectionId=locked, name="New")


def callers(scene: Scene) -> None:
    tokens = [{"auth": "client_credentials", "issuer": issuer} for issuer in ("community", "keycloak", "database")]
    for airbyte in scene.airbytes(
        {}, {"auth": "basic"}, {"auth": "bearer"}, {"auth": "bearer", "issuer": "keycloak"}, *tokens
    ):
        airbyte.send("/api/v1/health", "GET")
        airbyte.send("/api/v1/instance_configuration", "GET")
        airbyte.ask("connections/get", connectionId=UNKNOWN)
        airbyte.send("/api/v1/jobs/get", json={"id": 1}, auth=(airbyte.fake.username, airbyte.fake.password))
        wrong = {"client_id": "x", "client_secret": "y"}
        right = {"client_id": airbyte.fake.client_id, "client_secret": airbyte.fake.client_secret}
        for path in ("/api/v1/applications/token", "/api/public/v1/applications/token"):
            airbyte.send(path, json=wrong)
            response = airbyte.send(path, json=right)
            scene.shown.pop()
            scene.shown.append((path, sorted(response), response.get("expires_in")))
            airbyte.session.headers["Authorization"] = f"Bearer {response.get('access_token')}"
            for minutes in (4, 16, 60):
                scene.time += 60 * minutes
                airbyte.ask("workspaces/get", workspaceId=airbyte.fake.workspace_id)
        airbyte.fake.add_connection(workspace_id=(other := airbyte.fake.add_workspace("Other")))
        airbyte.session.headers["Authorization"] = f"Bearer {airbyte.fake.token}"
        ids = [airbyte.fake.workspace_id, other]
        airbyte.ask("jobs/list_for_workspaces", configTypes=BOTH, workspaceIds=ids)


def slow_tokens(scene: Scene) -> None:
    for airbyte in scene.airbytes({"auth": "client_credentials"}):
        right = {"client_id": airbyte.fake.client_id, "client_secret": airbyte.fake.client_secret}
        for operation, path in {
            "applicationTokenRequest": "/api/v1/applications/token",
            "publicCreateAccessToken": "/api/public/v1/applications/token",
        }.items():
            airbyte.fake.fail_next(operation, Fault.delay(1.2))
            response = requests.post(airbyte.fake.url + path, json=right, timeout=5)
            scene.shown.append((operation, response.status_code))


def jobs(scene: Scene) -> None:
    first = [_syncs, _resets, _cancels, _inactive_runs]
    for act in [*first, _updates, _refreshes, _refreshes_without_a_flag]:
        with scene.airbyte() as airbyte:
            act(airbyte)
            for job in airbyte.fake.jobs():
                scene.shown.append((job["kind"], job["status"], sorted(map(str, job["streams"]))))


def _syncs(airbyte: Airbyte) -> None:
    airbyte.fake.default_script = [Step("running")]
    connection_id = airbyte.fake.add_connection()
    for _ in range(2):
        airbyte.ask("connections/sync", connectionId=connection_id)
    airbyte.ask_in_vain("connections/sync", connectionId=UNKNOWN)
    waiting = airbyte.fake.add_connection()
    airbyte.fake.script(waiting, [Step("incomplete"), Step("running")])
    for _ in range(2):
        airbyte.ask("connections/sync", connectionId=waiting)


def _resets(airbyte: Airbyte) -> None:
    pending = airbyte.fake.add_connection()
    airbyte.fake.script(pending, [Step("pending")])
    airbyte.ask("connections/sync", connectionId=pending)
    airbyte.ask_in_vain("connections/reset", connectionId=pending)
    failing = airbyte.fake.add_connection()
    airbyte.fake.script(failing, [Step("failed")])
    airbyte.ask("connections/reset", connectionId=failing)
    airbyte.ask("connections/sync", connectionId=failing)
    airbyte.ask("connections/reset/stream", connectionId=airbyte.fake.add_connection(), streams=[])


def _cancels(airbyte: Airbyte) -> None:
    airbyte.fake.default_script = [Step("running")]
    connection_id = airbyte.fake.add_connection(schedule=(6, "hours"))
    job_id = airbyte.fake.start_job(connection_id)
    for _ in range(2):
        airbyte.ask("jobs/cancel", id=job_id)
    manual = airbyte.fake.start_job(airbyte.fake.add_connection())
    for _ in range(2):
        airbyte.ask("jobs/cancel", id=manual)


def _inactive_runs(airbyte: Airbyte) -> None:
    connection_id = airbyte.fake.add_connection(status="inactive")
    airbyte.fake.default_script = [Step("running")]
    airbyte.ask("connections/reset", connectionId=connection_id)
    airbyte.ask("connections/sync", connectionId=connection_id)


def _updates(airbyte: Airbyte) -> None:
    for supports in (True, False):
        lake = airbyte.fake.add_destination(f"Lake {supports}", supports_refreshes=supports)
        connection_id = airbyte.fake.add_connection(streams=["a", "b"], destination=lake)
        whole = airbyte.ask("connections/get", connectionId=connection_id)
        catalog = whole["syncCatalog"]
        catalog["streams"][0]["config"]["cursorField"] = ["id"]
        body = {"connectionId": connection_id, "syncCatalog": catalog, "status": "active"}
        airbyte.ask("web_backend/connections/update", **body)
        airbyte.fake.advance(airbyte.fake.jobs(connection_id)[0]["id"], "succeeded")
        airbyte.ask("web_backend/connections/update", **body, withRefreshedCatalog=True)


def _refreshes(airbyte: Airbyte) -> None:
    airbyte.fake.refreshes_activated = True
    for word in ("running", "pending"):
        connection_id = airbyte.fake.add_connection()
        airbyte.fake.script(connection_id, [Step(word)])
        airbyte.fake.start_job(connection_id)
        airbyte.ask("connections/refresh", connectionId=connection_id, refreshMode="Merge")
    idle = airbyte.fake.add_connection()
    airbyte.ask("connections/refresh", connectionId=idle, refreshMode="Merge")


def _refreshes_without_a_flag(airbyte: Airbyte) -> None:
    airbyte.ask("connections/refresh", connectionId=airbyte.fake.add_connection(), refreshMode="Merge")


def states(scene: Scene) -> None:
    rows = [{"streamDescriptor": {"name": name}, "streamState": {"cursor": "1"}} for name in ("a", "full")]
    orphan = {"streamDescriptor": {"name": "orphan"}, "streamState": {"cursor": "1"}}
    streams = ["a", Stream("full", sync_mode="full_refresh")]
    with scene.airbyte() as airbyte:
        airbyte.fake.refreshes_activated = True
        for kept in (rows, [*rows, orphan]):
            shared = {"shared_state": {"lsn": 1}, "streamStates": kept}
            for state in (
                {"stateType": "stream", "streamState": kept},
                {"stateType": "global", "globalState": shared},
            ):
                for path, status in (("sync", "running"), ("reset", "running"), ("refresh", "pending")):
                    connection_id = airbyte.fake.add_connection(streams=streams)
                    airbyte.fake.set_state(connection_id, state)
                    airbyte.fake.script(connection_id, [Step(status)])
                    airbyte.ask(f"connections/{path}", connectionId=connection_id, refreshMode="Truncate")
                    airbyte.ask("state/get", connectionId=connection_id)
        connection_id = airbyte.fake.add_connection(streams=["a", "b"])
        airbyte.fake.set_state(connection_id, {"stateType": "stream", "streamState": rows})
        catalog = airbyte.ask("connections/get", connectionId=connection_id)["syncCatalog"]
        catalog["streams"][0]["config"]["syncMode"] = "full_refresh"
        airbyte.ask("connections/update", connectionId=connection_id, syncCatalog=catalog)
        airbyte.ask("state/get", connectionId=connection_id)


def lists(scene: Scene) -> None:
    with scene.airbyte() as airbyte:
        fake, workspaces = airbyte.fake, {"workspaceIds": [airbyte.fake.workspace_id]}
        connection_id = fake.add_connection("One", streams=[("public", "a"), Stream("b", sync_mode="full_refresh")])
        for count in (1, 3, 2):
            retries = [Step("incomplete", failure=FAILED), Step("running", records=5)] * (count - 1)
            fake.script(connection_id, [Step("running", records=3), *retries, Step("succeeded", records=7)])
            job_id = fake.start_job(connection_id)
            scene.time += 60
            for _ in range(2 * count):
                airbyte.ask("jobs/get", id=job_id)
        for path in ("jobs/list", "jobs/list_for_workspaces"):
            body = {"configTypes": BOTH} | ({"configId": connection_id} if path == "jobs/list" else workspaces)
            for page in range(4):
                airbyte.ask(path, **body, pagination={"pageSize": 2, "rowOffset": 2 * page})
            airbyte.ask(path, **body, pagination={"pageSize": 2, "rowOffset": 1})
            airbyte.ask(path, **body, createdAtEnd="2001-01-01T00:00:00Z")
            ascending = {"orderByField": "createdAt", "orderByMethod": "ASC"}
            airbyte.ask(path, **body, **ascending, pagination={"pageSize": 2})
        airbyte.ask("jobs/list", configTypes=BOTH)
        for path in ("get_without_logs", "get_debug_info"):
            airbyte.ask(f"jobs/{path}", id=job_id)
        for kind in ("refresh", "reset_connection", "sync"):
            fake.script(connection_id, [Step("running")])
            running = fake.start_job(connection_id, kind)
            airbyte.ask("connections/sync_progress", connectionId=connection_id)
            airbyte.ask("web_backend/connections/list", workspaceId=fake.workspace_id)
            airbyte.ask("jobs/list", configTypes=BOTH, configId=connection_id, pagination={"pageSize": 1})
            fake.advance(running, "succeeded")


def catalogs(scene: Scene) -> None:
    with scene.airbyte() as airbyte:
        fake = airbyte.fake
        one, two = (fake.add_connection(name, ["a", "b"], source="Shop") for name in ("One", "Two"))
        catalog = airbyte.ask("connections/get", connectionId=one)["syncCatalog"]
        settings = {"targetField": "id", "key": "0123"}
        catalog["streams"][0]["config"]["mappers"] = [{"type": "encryption", "mapperConfiguration": settings}]
        airbyte.ask("connections/update", connectionId=one, syncCatalog=catalog)
        fake.set_discovered_catalog(one, [Stream("a", columns={"id": "integer"}), "new"])
        source = airbyte.ask("connections/get", connectionId=one).get("sourceId")
        airbyte.ask("sources/discover_schema", sourceId=source, disable_cache=True)
        airbyte.ask("sources/discover_schema", sourceId=source, disable_cache=True, connectionId=one)
        airbyte.ask("web_backend/connections/get", connectionId=one, withRefreshedCatalog=True)
        airbyte.ask("connections/get", connectionId=two)
        fake.fail_discovery(source)
        airbyte.ask("web_backend/connections/get", connectionId=one, withRefreshedCatalog=True)


SCENES = {
    "Paths, methods and sizes": paths,
    "Requests": bodies,
    "Errors": errors,
    "Authentication": callers,
    "Starting and cancelling jobs": jobs,
    "State": states,
    "Lists and logs": lists,
    "Catalogs and discovery": catalogs,
}
OF_THEIR_OWN = {"token_endpoint_times_out": slow_tokens, "public_token_endpoint_times_out": slow_tokens}


def shown(play, era: Era) -> list[object]:
    scene = Scene(era)
    play(scene)
    return scene.shown


@pytest.mark.parametrize("name", ROWS)
def test_a_row_can_be_noticed(name):
    """In its first release, or in the first without it."""
    section, row = ROWS[name]
    play = OF_THEIR_OWN.get(name, SCENES[section])
    assert any(
        shown(play, Forced(release, release, row=name, holds=True))
        != shown(play, Forced(release, release, row=name, holds=False))
        for release in (row.since, row.until)
        if release
    )


@pytest.mark.parametrize("section", SCENES)
def test_a_scene_is_the_same_twice(section):
    """So that a difference is that of the row."""
    for release in ("0.40.27", "0.63.9", "2.1.0"):
        assert shown(SCENES[section], Era(release, release)) == shown(SCENES[section], Era(release, release))
