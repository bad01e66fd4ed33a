"""From an Airflow Connection to a client of Airbyte's Config API."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import BaseHook

from airflow_airbyte_ext.exceptions import AirbyteConfigurationError, AirbyteError, AirbytePermissionError
from airflow_airbyte_ext.provider_info import CONNECTION_FIELDS, CONNECTION_TYPE, FORM_BEHAVIOUR, HOOK_NAME

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_airbyte_ext.api.client import AirbyteClient
    from airflow_airbyte_ext.api.clock import Clock
    from airflow_airbyte_ext.api.settings import ClientSettings

DEFAULT_CONN_ID = "airbyte_config_default"
_TEST_TIMEOUT = 10.0
# Airflow warns, in the task log, of each shorter word that it is to mask.
_MIN_MASKED = 5
_NO_CONNECTION = "00000000-0000-0000-0000-000000000000"


class AirbyteConfigHook(BaseHook):
    """
    Speaks to the Airbyte that an Airflow Connection names.

    :param airbyte_conn_id: Airflow Connection of type `airbyteconfig`, or `airbyte`.
    :param clock: Waits between tries; a task's own ends all waiting when the task is killed.
    """

    conn_name_attr = "airbyte_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = CONNECTION_TYPE
    hook_name = HOOK_NAME

    def __init__(self, airbyte_conn_id: str = DEFAULT_CONN_ID, *, clock: Clock | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.airbyte_conn_id = airbyte_conn_id
        self._clock = clock

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the form shows its standard fields, for Airflow 2, which does not read the provider info."""
        keys = {"hidden-fields": "hidden_fields", "relabeling": "relabeling", "placeholders": "placeholders"}
        return {keys[key]: value for key, value in FORM_BEHAVIOUR.items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """
        Return the form's fields of the extra, for Airflow before 3.2, which draws them with flask-appbuilder.

        Fields of JSON are not among them, since that form would write them back as Python.
        """
        from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
        from wtforms import IntegerField, PasswordField, StringField
        from wtforms.validators import Optional, any_of

        kinds = {"password": (PasswordField, BS3PasswordFieldWidget), "integer": (IntegerField, BS3TextFieldWidget)}
        widgets = {}
        for name, form in CONNECTION_FIELDS.items():
            schema = form["schema"]
            if (kind := schema.get("format", schema["type"][0])) == "json":
                continue
            field, widget = kinds.get(kind, (StringField, BS3TextFieldWidget))
            choices = [any_of(schema["enum"])] if "enum" in schema else []
            widgets[name] = field(
                form["label"], description=form["description"], validators=[Optional(), *choices], widget=widget()
            )
        return widgets

    @cached_property
    def settings(self) -> ClientSettings:
        """
        The settings that the Airflow Connection holds.

        :raises AirbyteConfigurationError: Names the field of the Connection that is wrong.
        """
        return self._settings_now()

    @cached_property
    def client(self) -> AirbyteClient:
        """A client of this Airbyte; its connections are pooled, and it may be used from several threads."""
        from airflow_airbyte_ext.api.client import AirbyteClient  # keeps `requests` out of the DAG's parsing

        return AirbyteClient(self.settings, clock=self._clock, renew=self._settings_now)

    def _settings_now(self) -> ClientSettings:
        """Read the Airflow Connection, whose credentials may have been changed since it was read first."""
        check_conn_id(self.airbyte_conn_id)
        return settings_from_connection(self.get_connection(self.airbyte_conn_id))

    def get_conn(self) -> AirbyteClient:
        """Return the client."""
        return self.client

    def test_connection(self) -> tuple[bool, str]:
        """Say whether Airbyte responds and takes the credentials: the form's test button."""
        from airflow_airbyte_ext.api.client import AirbyteClient

        try:
            settings = self.settings.model_copy(update={"timeout": min(self.settings.timeout, _TEST_TIMEOUT)})
            with AirbyteClient(settings, attempts=1) as client:
                return True, _greeting(client)
        except AirbyteError as error:
            return False, str(error)


def check_conn_id(conn_id: str) -> None:
    """
    Refuse a URI or JSON given as `airbyte_conn_id`: Airflow would log it, password included.

    :raises AirbyteConfigurationError: It is a URI or JSON.
    """
    if any(mark in conn_id for mark in ("://", "@", "{")):
        raise AirbyteConfigurationError(
            "airbyte_conn_id is not the id of an Airflow Connection, but perhaps the Connection itself, which then "
            "is in the DAG and in the task's rendered templates: change its password. Keep the Connection in "
            "Airflow, and give its id."
        )


def settings_from_connection(connection: Connection) -> ClientSettings:
    """
    Return the settings that an Airflow Connection holds.

    :raises AirbyteConfigurationError: Names the field of the Connection that is wrong.
    """
    from airflow_airbyte_ext.api.airflow_connection import AirflowConnection, extra_object, settings_of

    name = f"Airflow Connection {connection.conn_id!r}"
    try:
        # Airflow's own reading makes an extra that is no JSON an empty one, and warns of each short word in it.
        extra = extra_object(connection.extra)
    except AirbyteConfigurationError as error:
        raise AirbyteConfigurationError(f"{name}: {error}") from None
    fields = AirflowConnection(
        conn_type=connection.conn_type,
        host=connection.host,
        schema=connection.schema,
        port=connection.port,
        login=connection.login,
        password=connection.password,
        extra=extra,
    )
    settings = settings_of(fields, name=name)
    _mask(settings)
    return settings


def _mask(settings: ClientSettings) -> None:
    """Keep the extra's secrets out of task logs; Airflow does so with the password alone."""
    from airflow_airbyte_ext.api.origins import is_secret_header

    secrets = [settings.token.get_secret_value()] if settings.token else []
    secrets += [value for name, value in settings.headers.items() if is_secret_header(name)]
    secrets += [password for proxy in settings.proxies.values() if (password := urlsplit(proxy).password)]
    mask_secret = _masker()
    for secret in secrets:
        if len(secret) >= _MIN_MASKED:
            mask_secret(secret)


def _masker() -> Any:
    """Return Airflow's `mask_secret`, from where each release has it: common-compat 1.14 does not."""
    for module in (
        "airflow.providers.common.compat.sdk",
        "airflow.sdk.log",
        "airflow.sdk.execution_time.secrets_masker",
    ):
        with suppress(ImportError, AttributeError):
            return import_module(module).mask_secret
    return import_module("airflow.utils.log.secrets_masker").mask_secret


def _greeting(client: AirbyteClient) -> str:
    """Request what needs credentials in every release and changes nothing: the jobs of no connection."""
    release = client.release()
    client.get_health_check()
    signed_in = f"signed in with authentication {client.settings.auth_kind!r}"
    try:
        client.list_jobs_for(config_types=["sync"], config_id=_NO_CONNECTION, page_size=1)
    except AirbytePermissionError:
        signed_in += ", with a role that does not see the whole instance"
    return f"Airbyte {release} at {client.settings.base_url}: {signed_in}."
