"""The fake's responses, held against Airbyte's own documents and against responses that real servers gave."""

from __future__ import annotations

import json
import uuid

import pytest
import requests
from openapi import RELEASES, SPEC_DIR, Document, DocumentError, load, without_nulls

from airflow_airbyte_ext.testing import Failure, FakeAirbyte, Step, Stream
from airflow_airbyte_ext.testing.eras import Era, era_named
from airflow_airbyte_ext.testing.fields import FIELDS, SCHEMAS, release_key, within
from airflow_airbyte_ext.testing.routes import OPERATIONS, TOKEN_OPERATIONS

# No document of 0.36 is at hand: of what the fake serves, 0.39.0 differs only in ConnectionRead.sourceCatalogId, which
# is optional. Null properties, spelt out before 0.39.9, are left out before a response is judged.
DOCUMENT_OF = {
    "0.36": "0.39.0",
    "0.40": "0.40.32",
    "0.50": "0.50.31",
    "1.0": "1.0.0",
    "2.0": "2.0.0",
    "head": "head",
}
SPOKEN = [*DOCUMENT_OF, "0.39.0", "0.63.0", "1.8.0"]
# The documents at hand are trimmed: these operations are Airbyte's, and are judged by their items' schemas, if at all.
TRIMMED = {
    "getActorDefinitionVersionForDestinationId",
    "listSourcesForWorkspace",
    "listDestinationsForWorkspace",
    "listWorkspacesPaginated",
    "listWorkspacesInOrganization",
    "getOperation",
    "listOperationsForConnection",
    "getWebappConfig",
    "publicCreateAccessToken",
}
BOTH = ["sync", "reset_connection"]
OPERATOR = {True: "webhook", False: "normalization"}
ORGANIZATION_ID = "00000000-0000-0000-0000-000000000000"
STREAMS = ["orders", ("public", "users"), Stream("events", "", "full_refresh")]


def _judge(release: str) -> Document:
    """The document, without its own mistake about events: it declares createdAt and requires created_at."""
    document = load(release)
    for name in ("ConnectionEvent", "ConnectionEventWithDetails"):
        required = document._components["schemas"].get(name, {}).get("required", [])
        required[:] = [each for each in required if each != "created_at"]
    return document


# What the documents require, and the server never fills.
UNFILLED = {"getConnectionStatuses": "nextSync", "getConnectionLastJobPerStream": "startedAt"}


def with_unfilled(operation_id: str, body):
    name = UNFILLED.get(operation_id)
    if name is None:
        return body
    assert all(name not in each for each in body)
    is_new = name == "nextSync" and any("connectionSyncStatus" in each for each in body)
    return body if is_new else [{**each, name: 1} for each in body]


class Driver:
    """Calls a fake by the document's paths, and lets the document judge every response."""

    def __init__(self, era: str) -> None:
        self.era = era_named(era)
        self.document = _judge(DOCUMENT_OF.get(era, era))
        self.time = 1_700_000_000.0
        auth = "client_credentials" if self.is_at_least("0.63.9") else "none"
        self.airbyte = FakeAirbyte(era, auth, now=lambda: self.time, token_lifetime=24 * 3600)
        self.session = requests.Session()
        self.judged: set[str] = set()

    def __enter__(self) -> Driver:
        self.airbyte.start()
        if self.airbyte.auth == "client_credentials":
            token = self.call("applicationTokenRequest", **self.credentials)["access_token"]
            self.session.headers["Authorization"] = f"Bearer {token}"
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()
        self.airbyte.stop()

    @property
    def credentials(self) -> dict[str, str]:
        return {"client_id": self.airbyte.client_id, "client_secret": self.airbyte.client_secret}

    def is_at_least(self, release: str) -> bool:
        return release_key(self.era.release) >= release_key(release)

    def served(self, operation_id: str) -> bool:
        return any(operation.operation_id == operation_id and operation.served_by(self.era) for operation in OPERATIONS)

    def send(self, operation_id: str, **body: object) -> requests.Response:
        operation = self.document.operations[operation_id]
        url = self.airbyte.base_url + operation.path
        if operation.method == "GET":
            return self.session.get(url)
        if operation.request is None and not body:
            return self.session.post(url)
        self.document.validate_request(operation_id, body)
        return self.session.post(url, json=body)

    def call(self, operation_id: str, **body: object):
        response = self.send(operation_id, **body)
        assert response.status_code == (204 if operation_id == "deleteConnection" else 200), (
            f"{operation_id}: {response.status_code} {response.text[:300]}"
        )
        return self.judge(operation_id, response)

    def items(self, path: str, name: str, schema: str, least: int, **body: object) -> None:
        """A list of which the document has only the items."""
        if any(row.path == f"/v1/{path}" and row.served_by(self.era) for row in OPERATIONS):
            response = self.session.post(f"{self.airbyte.base_url}/v1/{path}", json=body)
            assert response.status_code == 200, response.text
            assert len(response.json()[name]) >= least
            for item in response.json()[name]:
                self.document.validate(schema, without_nulls(item) if self.era.has("explicit_nulls") else item)

    def judge(self, operation_id: str, response: requests.Response):
        body = response.json() if response.content else None
        judged = without_nulls(body) if self.era.has("explicit_nulls") else body
        judged = with_unfilled(operation_id, judged)
        self.document.validate_response(operation_id, response.status_code, judged)
        self.judged.add(operation_id)
        return body

    def read_job(self, job_id: int, connection_id: str) -> None:
        """Every way to read a job."""
        for operation_id in ("getJobInfo", "getJobInfoLight", "getJobInfoWithoutLogs", "getJobDebugInfo"):
            if self.served(operation_id):
                self.call(operation_id, id=job_id)
        kinds = [*BOTH, "refresh"] if self.is_at_least("0.57.2") else BOTH
        self.call("listJobsFor", configTypes=kinds, configId=connection_id, pagination={"pageSize": 5})
        if self.served("listJobsForWorkspaces"):
            self.call("listJobsForWorkspaces", configTypes=BOTH, workspaceIds=[self.airbyte.workspace_id])
        if self.served("getLastReplicationJob"):
            self.call("getLastReplicationJob", connectionId=connection_id)
        if self.served("getConnectionStatuses") and self.airbyte.jobs()[0]["status"] == "succeeded":
            self.call("getConnectionStatuses", connectionIds=[connection_id])


@pytest.fixture(params=SPOKEN)
def driver(request):
    with Driver(request.param) as driver:
        yield driver


def _scenario_jobs(driver: Driver, connection_id: str) -> None:
    failure = Failure("destination", "system_error", "no", "why", "at ...", retryable=True, partial_success=True)
    script = [
        Step("pending", polls=3),
        Step("running", polls=3, records=7, bytes=70),
        Step("incomplete", polls=3, failure=failure),
        Step("running"),
        Step("succeeded", records=10, bytes=100),
    ]
    driver.airbyte.script(connection_id, script)
    job_id = driver.call("syncConnection", connectionId=connection_id)["job"]["id"]
    for _ in range(8):
        driver.time += 60
        driver.read_job(job_id, connection_id)
        if driver.served("getConnectionSyncProgress") and driver.airbyte.jobs()[-1]["status"] == "running":
            driver.call("getConnectionSyncProgress", connectionId=connection_id)
    assert driver.airbyte.jobs()[-1]["status"] == "succeeded"
    if driver.served("getAttemptForJob"):
        driver.call("getAttemptForJob", jobId=job_id, attemptNumber=0)
    if driver.served("getAttemptCombinedStats"):
        driver.call("getAttemptCombinedStats", jobId=job_id, attemptNumber=0)
    driver.airbyte.advance(driver.airbyte.start_job(connection_id), "failed", failure)
    driver.read_job(job_id + 1, connection_id)


def _scenario_resets(driver: Driver, connection_id: str) -> None:
    for operation_id in ("resetConnection", "clearConnection"):
        if driver.served(operation_id):
            job = driver.call(operation_id, connectionId=connection_id)["job"]
            driver.airbyte.advance(job["id"], "running")
            driver.read_job(job["id"], connection_id)
    streams = [{"streamName": "users", "streamNamespace": "public"}]
    for operation_id in ("resetConnectionStream", "clearConnectionStream"):
        if driver.served(operation_id):
            job = driver.call(operation_id, connectionId=connection_id, streams=streams)["job"]
            driver.airbyte.advance(job["id"], "running")
    job_id = driver.airbyte.jobs()[-1]["id"]
    driver.call("cancelJob", id=job_id)
    driver.read_job(job_id, connection_id)


def _scenario_state(driver: Driver, connection_id: str) -> None:
    bare = [{"streamDescriptor": {"name": "orders"}}]
    full = [{"streamDescriptor": {"name": "users", "namespace": "public"}, "streamState": {"cursor": "3"}}]
    shared = {"shared_state": {"lsn": 1}, "streamStates": full}
    for written in (
        {"stateType": "stream", "streamState": full + bare},
        {"stateType": "global", "globalState": shared},
        {"stateType": "legacy", "state": {"any": ["thing"]}},
    ):
        for operation_id in ("createOrUpdateState", "createOrUpdateStateSafe"):
            if driver.served(operation_id):
                driver.airbyte.set_state(connection_id, {"stateType": "not_set"})
                state = {"connectionId": connection_id, **written}
                driver.call(operation_id, connectionId=connection_id, connectionState=state)
        for known in (connection_id, str(uuid.uuid4())):
            driver.call("getState", connectionId=known)
            if driver.served("getStateType"):
                driver.call("getStateType", connectionId=known)


def _scenario_things(driver: Driver, connection_id: str) -> None:
    driver.call("getHealthCheck")
    if driver.served("getInstanceConfiguration"):
        driver.call("getInstanceConfiguration")
    if driver.served("getWebappConfig"):
        assert driver.session.get(f"{driver.airbyte.base_url}/v1/web_backend/config").json()["edition"] == "community"
    workspace = {"workspaceId": driver.airbyte.workspace_id}
    driver.airbyte.add_workspace("Elsewhere")
    driver.call("getWorkspace", **workspace)
    if driver.served("getWorkspaceByConnectionId"):
        driver.call("getWorkspaceByConnectionId", connectionId=connection_id)
    if driver.served("listWorkspaces"):
        assert len(driver.call("listWorkspaces")["workspaces"]) == 2
    driver.items("workspaces/list_paginated", "workspaces", "WorkspaceRead", 1, workspaceIds=list(workspace.values()))
    organization = {"organizationId": ORGANIZATION_ID, "nameContains": "else"}
    driver.items("workspaces/list_by_organization_id", "workspaces", "WorkspaceRead", 1, **organization)
    connection = driver.call("getConnection", connectionId=connection_id)
    driver.call("getSource", sourceId=connection["sourceId"])
    driver.call("getDestination", destinationId=connection["destinationId"])
    for kind, schema in (("sources", "SourceRead"), ("destinations", "DestinationRead")):
        driver.items(f"{kind}/list", kind, schema, 1, **workspace)
    webhook = {"operatorType": "webhook", "webhook": {"executionUrl": "https://example.com", "executionBody": "{}"}}
    dbt = {"operatorType": "dbt", "dbt": {"gitRepoUrl": "https://example.com/x.git", "dbtArguments": "run"}}
    normalization = {"operatorType": "normalization", "normalization": {"option": "basic"}}
    configurations = [webhook] if driver.is_at_least("1.0.0") else [normalization, dbt]
    ids = [driver.airbyte.add_operation(each["operatorType"], each) for each in configurations]
    other = driver.airbyte.add_connection("Other", settings={"operationIds": ids})
    driver.items("operations/list", "operations", "OperationRead", len(ids), connectionId=other)
    response = driver.session.post(f"{driver.airbyte.base_url}/v1/operations/get", json={"operationId": ids[0]})
    driver.document.validate("OperationRead", response.json())
    driver.call("webBackendGetConnection", connectionId=other)


def _scenario_lists(driver: Driver) -> None:
    workspace = {"workspaceId": driver.airbyte.workspace_id}
    schedules = ("manual", ("0 0 3 * * ?", "Europe/Berlin"), (6, "hours"))
    for schedule in schedules:
        settings = {"resourceRequirements": {"cpu_limit": "2"}, "namespaceDefinition": "customformat"}
        driver.airbyte.add_connection(
            str(schedule), schedule=schedule, status="inactive", tags=["daily", "finance"], settings=settings
        )
    driver.airbyte.add_connection("Gone", status="deprecated")
    if driver.is_at_least("head"):
        driver.airbyte.add_connection("Locked", status="locked")
    for operation_id in (
        "listConnectionsForWorkspace",
        "listAllConnectionsForWorkspace",
        "webBackendListConnectionsForWorkspace",
        "webBackendListAllConnectionsForWorkspace",
    ):
        if driver.served(operation_id):
            shown = driver.call(operation_id, **workspace)["connections"]
            assert len(shown) >= 4
            assert ("Gone" in {each["name"] for each in shown}) == ("All" in operation_id)
    if driver.served("listConnectionsForWorkspacesPaginated"):
        body = {"workspaceIds": list(workspace.values()), "userId": str(uuid.uuid4())}
        page = {"pageSize": 2, "rowOffset": 1}
        assert len(driver.call("listConnectionsForWorkspacesPaginated", **body, pagination=page)["connections"]) == 2
    if driver.served("getConnectionLastJobPerStream"):
        streams = {"streams": [{"streamName": "users", "streamNamespace": "public"}]}
        one = driver.airbyte.add_connection("Users", [("public", "users")])
        driver.airbyte.advance(driver.airbyte.start_job(one), "succeeded")
        body = streams if not driver.is_at_least("0.64.0") else {}  # type: ignore[assignment]
        assert driver.call("getConnectionLastJobPerStream", connectionId=one, **body)


def _scenario_small(driver: Driver) -> None:
    for operation_id in ("searchConnections", "webBackendSearchConnections"):
        if driver.served(operation_id):
            assert driver.call(operation_id, name="Orders") == {"connections": []}
    for operation_id in ("webBackendCheckUpdates", "webBackendListGeographies"):
        if driver.served(operation_id):
            driver.call(operation_id)
    if driver.served("webBackendGetWorkspaceState"):
        driver.call("webBackendGetWorkspaceState", workspaceId=driver.airbyte.workspace_id)


def _scenario_discovery(driver: Driver, connection_id: str) -> None:
    orders = {"id": "string", "updated_at": "string", "note": {"type": ["null", "string"]}}
    found = [Stream("orders", columns=orders, primary_key=(("note",),)), "added", ("public", "users")]
    driver.airbyte.set_discovered_catalog(connection_id, found)
    source_id = driver.call("getConnection", connectionId=connection_id)["sourceId"]
    driver.call("discoverSchemaForSource", sourceId=source_id, disable_cache=True)
    if driver.is_at_least("0.40.17"):
        connection = {"connectionId": connection_id}
        response = driver.call("discoverSchemaForSource", sourceId=source_id, disable_cache=True, **connection)
        kinds = {each["transformType"] for each in response["catalogDiff"]["transforms"]}
        assert kinds == {"add_stream", "remove_stream", "update_stream"}
    for refreshed in (False, True):
        driver.call("webBackendGetConnection", connectionId=connection_id, withRefreshedCatalog=refreshed)
    driver.airbyte.fail_discovery(source_id)
    response = driver.call("discoverSchemaForSource", sourceId=source_id, disable_cache=True)
    assert response["jobInfo"]["succeeded"] is False
    assert "catalog" not in response
    driver.airbyte.fail_discovery(source_id, None)
    driver.airbyte.set_connection_status(connection_id, "active")


def _scenario_changes(driver: Driver, connection_id: str) -> None:
    seen = driver.call("webBackendGetConnection", connectionId=connection_id)
    parts = {"sourceId": seen["sourceId"], "destinationId": seen["destinationId"], "status": "active"}
    made = driver.call("createConnection", **parts, syncCatalog=seen["syncCatalog"])["connectionId"]
    operation = {"name": "hook", "operatorConfiguration": {"operatorType": OPERATOR[driver.is_at_least("1.0.0")]}}
    operation["workspaceId"] = driver.airbyte.workspace_id
    body = {"syncCatalog": seen["syncCatalog"], "operations": [operation]}
    driver.call("webBackendCreateConnection", **parts, **body)
    whole = {"syncCatalog": seen["syncCatalog"], "status": "active"}
    basic = {"units": 3, "timeUnit": "hours"}
    schedule = {"scheduleType": "basic", "scheduleData": {"basicSchedule": basic}}
    fields = {**whole, **(schedule if driver.is_at_least("0.40.8") else {"schedule": basic}), "prefix": "x_"}
    driver.call("updateConnection", connectionId=made, **fields)
    driver.call("webBackendUpdateConnection", connectionId=made, **whole)
    fewer = {"streams": seen["syncCatalog"]["streams"][:1]}
    driver.call("webBackendUpdateConnection", connectionId=made, **(whole | {"syncCatalog": fewer}))
    kind = "refresh" if driver.is_at_least("0.61.0") else "reset_connection"
    assert [job["kind"] for job in driver.airbyte.jobs(made)] == [kind]
    if driver.served("updateConnectionWithReason"):
        update = {"connectionId": made, "name": "Renamed"}
        driver.call("updateConnectionWithReason", connectionUpdate=update, updateReason="because")
    if driver.served("refreshConnectionStream"):
        driver.airbyte.refreshes_activated = True
        for _ in range(2):
            driver.call("refreshConnectionStream", connectionId=connection_id, refreshMode="Merge")
        (job,) = [job for job in driver.airbyte.jobs(connection_id) if job["kind"] == "refresh"]
        driver.read_job(job["id"], connection_id)
    if driver.served("listConnectionEvents"):
        events = driver.call("listConnectionEvents", connectionId=made)["events"]
        driver.call("getConnectionEvent", connectionId=made, connectionEventId=events[0]["id"])
    if driver.served("listConnectionEventsForJob"):
        driver.call("listConnectionEventsForJob", id=driver.airbyte.jobs(made)[0]["id"])
    assert driver.call("deleteConnection", connectionId=made) is None
    assert driver.call("getConnection", connectionId=made)["status"] == "deprecated"


def test_every_answer_is_what_the_document_of_the_era_says(driver):
    connection_id = driver.airbyte.add_connection("Orders", STREAMS, schedule_type="basic")
    _scenario_jobs(driver, connection_id)
    _scenario_resets(driver, connection_id)
    _scenario_state(driver, connection_id)
    _scenario_things(driver, connection_id)
    _scenario_lists(driver)
    _scenario_small(driver)
    _scenario_discovery(driver, connection_id)
    _scenario_changes(driver, connection_id)
    served = {operation.operation_id for operation in OPERATIONS if operation.served_by(driver.era)}
    # The community edition issues no tokens before 0.63.9.
    unasked = set() if driver.is_at_least("0.63.9") else set(TOKEN_OPERATIONS)
    assert served - TRIMMED - unasked == driver.judged


@pytest.mark.parametrize("release", RELEASES)
def test_an_operation_is_served_where_the_document_has_it(release):
    """The table serves an operation in the releases whose document has it."""
    document = load(release)
    era = Era(release, release)
    for operation in OPERATIONS:
        if operation.operation_id in TRIMMED:
            continue
        documented = document.operations.get(operation.operation_id)
        assert operation.served_by(era) == (documented is not None), operation.operation_id
        if documented:
            assert (documented.method, documented.path) == (operation.method, operation.path)


@pytest.mark.parametrize("release", RELEASES)
def test_no_operation_that_a_document_has_is_left_unjudged(release):
    assert not TRIMMED & set(load(release).operations)


# What sources/list and its like declare was trimmed away.
NOT_AT_HAND = {
    "ActorListCursorPaginatedRequestBody",
    "ActorListFilters",
    "ListResourcesForWorkspacesRequestBody",
    "ListWorkspacesInOrganizationRequestBody",
    "OperationIdRequestBody",
}
# Schemas without a name of their own: where they are.
INLINE = {
    "ConnectionScheduleDataBasicSchedule": ("ConnectionScheduleData", "basicSchedule"),
    "ConnectionScheduleDataCron": ("ConnectionScheduleData", "cron"),
    "OperatorWebhookDbtCloud": ("OperatorWebhook", "dbtCloud"),
}


def _documented(release: str, name: str) -> dict | None:
    schemas = json.loads((SPEC_DIR / f"config-{release}.json").read_text())["components"]["schemas"]
    if name in INLINE:
        outer, inner = INLINE[name]
        return schemas.get(outer, {}).get("properties", {}).get(inner)
    return schemas.get(name)


@pytest.mark.parametrize("release", RELEASES)
def test_a_request_declares_what_the_document_of_the_release_has(release):
    load(release)
    compared = 0
    for name, properties in SCHEMAS.items():
        documented = _documented(release, name)
        if documented is None or name in NOT_AT_HAND:
            continue
        declared = {each.name for each in properties if within(release, each.since, each.until)}
        assert declared == set(documented["properties"]), name
        compared += 1
    assert compared > 20


@pytest.mark.parametrize("release", RELEASES)
def test_an_operation_takes_the_request_that_the_document_names(release):
    """But where the schema's name changed and nothing of it could tell."""
    renamed = {"webBackendListConnectionsForWorkspace": "WorkspaceIdRequestBody"} if release == "0.39.0" else {}
    document = load(release)
    for operation in OPERATIONS:
        if operation.operation_id in document.operations:
            request = document.operations[operation.operation_id].request
            named = (request or {}).get("$ref", "").rpartition("/")[2]
            assert renamed.get(operation.operation_id, operation.request) == named, operation.operation_id


@pytest.mark.parametrize("release", RELEASES)
def test_a_field_or_word_is_declared_where_the_document_has_it(release):
    load(release)
    era = era_named(release)
    # 0.41.0 gave this schema its name.
    earlier = {"FailureReason": "AttemptFailureReason"}
    for field in FIELDS:
        name, _, member = field.name.partition(".")
        documented = _documented(release, name) or _documented(release, earlier.get(name, "")) or {}
        has = member in documented.get("properties", {}) or member in documented.get("enum", ())
        if field.name == "SynchronousJobRead.failureReason" or documented:
            assert era.declares(field.name) == has, field.name


def test_a_property_that_the_document_does_not_declare_is_noticed():
    document = load("2.0.0")
    job = {
        "id": 1,
        "configType": "sync",
        "configId": "x",
        "createdAt": 1,
        "updatedAt": 1,
        "status": "running",
    }
    document.validate("JobRead", job)
    for wrong in ({**job, "created_at": 1}, {**job, "status": "done"}, {**job, "id": None}):
        with pytest.raises(DocumentError):
            document.validate("JobRead", wrong)


# What real servers returned.


def _properties(value, path="") -> set[str]:
    """All property paths, but those inside the user's JSON schemas."""
    if path.endswith("jsonSchema"):
        return set()
    if isinstance(value, dict):
        inner = [_properties(item, f"{path}.{name}") for name, item in value.items()]
        return {f"{path}.{name}" for name in value}.union(*inner)
    return set().union(*(_properties(item, path) for item in value)) if isinstance(value, list) else set()


@pytest.mark.parametrize(
    ("era", "file", "path"),
    [
        ("0.36", "connections_get_0.36", "connections/get"),
        ("0.50", "connections_list_0.50", "connections/list"),
    ],
)
def test_a_connection_has_the_properties_of_a_recorded_one(era, file, path):
    """Nulls included, which only the oldest server spells out."""
    recorded = SPEC_DIR.parent / "recorded" / f"{file}.json"
    if not recorded.is_file():
        pytest.skip("the recorded responses are not here")
    whole = json.loads(recorded.read_text())
    real = whole["json"] if "json" in whole else whole["response"]["json"]
    with FakeAirbyte(era) as airbyte:
        schedule = "manual" if era == "0.36" else "basic"
        connection_id = airbyte.add_connection(streams=[("public", "orders")], schedule_type=schedule)
        body = {"connectionId": connection_id} if era == "0.36" else {"workspaceId": airbyte.workspace_id}
        response = requests.post(f"{airbyte.base_url}/v1/{path}", json=body, timeout=10).json()
    assert _properties(response) == _properties(real)
