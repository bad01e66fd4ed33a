"""What Airflow registers of this package. It is read at every start of Airflow, and imports nothing but the version."""

from __future__ import annotations

from typing import Any

from airflow_airbyte_ext import __version__

# One word: Airflow warns about an underscore in a type whenever the Connection is used. The official provider owns
# "airbyte", and Airflow lets one package alone claim a type.
CONNECTION_TYPE = "airbyteconfig"
HOOK_NAME = "Airbyte (Config API)"


def _text(label: str, description: str, *, secret: bool = False) -> dict[str, Any]:
    # Without "null" the form marks the field as required.
    schema: dict[str, Any] = {"type": ["string", "null"]}
    return {
        "label": label,
        "description": description,
        "schema": {**schema, "format": "password"} if secret else schema,
    }


def _json(label: str, description: str) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["object", "null"], "format": "json"}}


CONNECTION_FIELDS: dict[str, dict[str, Any]] = {
    "auth": {
        "label": "Authentication",
        "description": "auto: a token if one is given below; client credentials if the login is a UUID; Basic if "
        "there is another login; else none",
        # "auto" is stored as nothing: Airflow takes each value of the extra for a secret, and warns in task logs of
        # those that are too short to be masked.
        "schema": {
            "type": ["string", "null"],
            "enum": [None, "none", "basic", "bearer", "client_credentials"],
            "default": None,
            "values_display": {"null": "auto"},
        },
    },
    "token": _text("Token", "A bearer token that you keep valid yourself (authentication bearer)", secret=True),
    "token_url": _text("Token URL", "Where client credentials buy a token; found by itself for Airbyte's own"),
    "verify": _text("Verify TLS", "true, false, or the path of a bundle of CA certificates (true if empty)"),
    "client_cert": _text("Client certificate", "Path of a PEM file that holds certificate and key"),
    "timeout": {
        "label": "Timeout (seconds)",
        "description": "Time for a whole response; syncs, resets and cancellations get more by themselves",
        "schema": {"type": ["number", "null"], "minimum": 1, "default": 30},
    },
    "max_response_bytes": {
        "label": "Largest response (bytes)",
        "description": "A larger response is an error, so that no server can fill the memory; 134217728 is 128 MiB",
        "schema": {"type": ["integer", "null"], "minimum": 1, "default": 134217728},
    },
    "headers": _json("Headers", 'Extra HTTP headers, such as {"X-Team": "data"}'),
    "proxies": _json("Proxies", 'Proxy by scheme, such as {"https": "http://proxy.example.com:3128"}'),
}

FORM_BEHAVIOUR: dict[str, Any] = {
    # Not the port: Airflow 3.3's test button sends 0 for none, and refuses that where 0 is not what is stored.
    "hidden-fields": ["schema"],
    "relabeling": {
        "host": "Airbyte URL",
        "login": "User name or client ID",
        "password": "Password or client secret",
    },
    "placeholders": {
        "host": "https://airbyte.example.com",
        "login": "empty where Airbyte needs none",
        "port": "0 where the URL has it",
    },
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, as Airflow's schema of it demands."""
    return {
        "package-name": "airflow-airbyte-ext",
        "name": "Airbyte (Config API)",
        "description": "Airbyte's Config API: syncs that run exactly once, and exact state.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": "Airbyte Config API",
                "external-doc-url": "https://docs.airbyte.com/",
                "tags": ["service"],
            }
        ],
        "hooks": [{"integration-name": "Airbyte Config API", "python-modules": ["airflow_airbyte_ext.hooks.airbyte"]}],
        "operators": [
            {
                "integration-name": "Airbyte Config API",
                "python-modules": [
                    "airflow_airbyte_ext.operators.airbyte",
                    "airflow_airbyte_ext.operators.connections",
                    "airflow_airbyte_ext.operators.state",
                ],
            }
        ],
        "sensors": [
            {"integration-name": "Airbyte Config API", "python-modules": ["airflow_airbyte_ext.sensors.airbyte"]}
        ],
        "triggers": [
            {
                "integration-name": "Airbyte Config API",
                "python-modules": [
                    "airflow_airbyte_ext.triggers.airbyte",
                    "airflow_airbyte_ext.triggers.events",
                ],
            }
        ],
        "extra-links": ["airflow_airbyte_ext.links.airbyte.AirbyteJobLink"],
        "connection-types": [
            {
                "connection-type": CONNECTION_TYPE,
                "hook-class-name": "airflow_airbyte_ext.hooks.airbyte.AirbyteConfigHook",
                "hook-name": HOOK_NAME,
                "ui-field-behaviour": FORM_BEHAVIOUR,
                "conn-fields": CONNECTION_FIELDS,
            }
        ],
    }
