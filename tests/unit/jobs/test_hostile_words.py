"""Words of a server that go into logs, messages and links as they are."""

from __future__ import annotations

import pytest

from airflow_airbyte_ext.api.models.jobs import AttemptRead, JobRead
from airflow_airbyte_ext.api.streams import resolve_streams, stream_name
from airflow_airbyte_ext.jobs.report import failure_reason, job_page
from airflow_airbyte_ext.tables import table_lines

ODD = "a\n2026-01-01 ERROR forged\x1b[31m\u202e"
UUID = "99999999-9999-4999-8999-999999999999"


def test_a_status_is_one_word_on_one_line():
    job = JobRead.model_validate({"id": 1, "status": ODD, "configType": ODD})
    assert job.status.isprintable()
    assert job.config_type.isprintable()


@pytest.mark.parametrize("field", ["failureOrigin", "failureType", "externalMessage", "internalMessage"])
def test_the_reason_of_a_failure_is_one_line(field):
    failure = {"timestamp": 1, "externalMessage": "It failed.", field: ODD + "x" * 10_000}
    attempt = {"id": 0, "status": "failed", "createdAt": 1, "updatedAt": 1, "failureSummary": {"failures": [failure]}}
    reason = failure_reason([AttemptRead.model_validate(attempt)])
    assert reason.isprintable()
    assert len(reason) < 3000


def test_a_password_in_the_reason_of_a_failure_is_masked():
    """Connectors quote the address that they could not reach."""
    failure = {"timestamp": 1, "externalMessage": "cannot reach postgres://me:s3cr3t@db:5432/x?sslpassword=s3cr3t"}
    attempt = {"id": 0, "status": "failed", "createdAt": 1, "updatedAt": 1, "failureSummary": {"failures": [failure]}}
    assert "s3cr3t" not in failure_reason([AttemptRead.model_validate(attempt)])


def test_a_stream_is_shown_on_one_line_and_found_by_its_whole_name():
    key = ("public", ODD)
    assert stream_name(key).isprintable()
    assert resolve_streams([f"public.{ODD}"], [key]) == resolve_streams([ODD], [key]) == [key]


def test_a_table_has_a_line_for_each_row():
    lines = table_lines(("stream", "records"), [(ODD, "1"), ("b", "2")])
    assert all(line.isprintable() for line in lines)
    assert len(lines) == 6


@pytest.mark.parametrize(
    "shown", ["javascript:alert(1)//", "https://x/\njavascript:", "data:text/html,x", "https://u:p@x", 'https://x"><b>']
)
def test_a_link_leads_to_a_page(stub, connect_to, shown):
    """What an instance says of its web app becomes a link in Airflow."""
    stub.response("/v1/instance_configuration", {"version": "2.0.0", "airbyteUrl": shown})
    page = job_page(connect_to(stub.url), connection_id=UUID, job_id=1, workspace_id="../../x")
    assert page.startswith(f"{stub.url}/workspaces/..%2F..%2Fx/connections/{UUID}/timeline?")


@pytest.mark.parametrize(
    "shown", ["https://airbyte.example.com", "http://localhost:8000/tools/airbyte/", "http://[::1]:80"]
)
def test_the_web_app_that_an_instance_names_is_taken(stub, connect_to, shown):
    stub.response("/v1/instance_configuration", {"version": "2.0.0", "airbyteUrl": shown})
    page = job_page(connect_to(stub.url), connection_id=UUID, job_id=1, workspace_id="w")
    assert page.startswith(shown.rstrip("/") + "/workspaces/w/")


def test_a_release_is_one_line(stub, connect_to):
    stub.response("/v1/instance_configuration", {"version": "2.0.0" + ODD})
    assert str(connect_to(stub.url).release()).isprintable()
