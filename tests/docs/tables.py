"""
The tables in the documentation that are made: of the client's operations, of Airbyte's documents, of the fake's tables.

python -m tests.docs.tables --write
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))
sys.path.insert(0, str(Path(__file__).parent))
import capabilities
from openapi import RELEASES, SPEC_DIR
from pages import ROOT, text_of
from request_samples import NOT_IN_THE_DOCUMENTS, SPREAD, fields_of, method_of
from schema_samples import schemas_of
from typing_extensions import is_typeddict

from airflow_airbyte_ext.api.client import OPERATIONS
from airflow_airbyte_ext.api.connections import ConnectionMethods
from airflow_airbyte_ext.api.jobs import JobMethods
from airflow_airbyte_ext.api.releases import Release
from airflow_airbyte_ext.api.state import StateMethods
from airflow_airbyte_ext.api.validation import released_fields
from airflow_airbyte_ext.api.web_backend import WebBackendMethods
from airflow_airbyte_ext.api.workspaces import WorkspaceMethods
from airflow_airbyte_ext.hooks.airbyte import AirbyteConfigHook
from airflow_airbyte_ext.hooks.target import ConnectionTask
from airflow_airbyte_ext.operators.airbyte import (
    AirbyteRefreshConnectionOperator,
    AirbyteResetConnectionOperator,
    AirbyteSyncConnectionOperator,
)
from airflow_airbyte_ext.operators.base import AirbyteJobOperator
from airflow_airbyte_ext.operators.connections import (
    AirbyteCheckSchemaOperator,
    AirbyteListConnectionsOperator,
    AirbyteUpdateConnectionOperator,
)
from airflow_airbyte_ext.operators.state import (
    AirbyteBackupStateOperator,
    AirbyteForgetSnapshotsOperator,
    AirbyteRestoreStateOperator,
)
from airflow_airbyte_ext.sensors.airbyte import AirbyteConnectionSensor, AirbyteJobSensor
from airflow_airbyte_ext.sensors.base import AirbyteSensor
from airflow_airbyte_ext.testing.behaviour import BEHAVIOUR_BY_NAME, BEHAVIOURS
from airflow_airbyte_ext.testing.eras import ERAS
from airflow_airbyte_ext.testing.fields import FIELDS, PROPERTY_BY_NAME, release_key
from airflow_airbyte_ext.testing.model import SETTINGS
from airflow_airbyte_ext.testing.routes import OPERATIONS as SERVED
from airflow_airbyte_ext.triggers.airbyte import AirbyteConnectionTrigger, AirbyteJobTrigger
from airflow_airbyte_ext.triggers.events import AirbyteSyncEventTrigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_airbyte_ext.api.fields import Released
    from airflow_airbyte_ext.api.operation import Operation

OLDEST = "0.36.0"
GROUPS = {
    "Connections": ConnectionMethods,
    "Jobs": JobMethods,
    "State": StateMethods,
    "Web backend": WebBackendMethods,
    "The instance, and what stands around connections": WorkspaceMethods,
}
OF_METHOD = {method_of(name): operation for name, operation in OPERATIONS.items()}


def table(head: list[str], lines: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def operations() -> str:
    """Which release has which operation."""
    lines = [
        [f"`{method}`", f"`{operation.path}`", *(mark(operation, release) for release in RELEASES)]
        for method, operation in OF_METHOD.items()
        if method != "application_token_request"
    ]
    return table(["method", "path", *RELEASES], lines)


def mark(operation: Operation, release: str) -> str:
    """Whether a release has an operation; in brackets where no document can tell."""
    if operation.operation_id in NOT_IN_THE_DOCUMENTS:
        requested = Release(release)
        is_gone = operation.removed_in is not None and requested.is_at_least(operation.removed_in)
        return "(yes)" if requested.is_at_least(operation.since) and not is_gone else "(no)"
    return "yes" if schemas_of(release).has(operation.operation_id) else "no"


def fields() -> str:
    """Which arguments not every release takes."""
    found: dict[tuple[str, Released], list[str]] = {}
    for method, operation in OF_METHOD.items():
        for name, one in marked(operation.request):
            if Release(operation.since).is_before(one.since) or one.removed_in:
                found.setdefault((name, one), []).append(f"`{method}`")
    lines = [
        [f"`{name}`", ", ".join(methods), since(one.since), one.removed_in or "", one.alternative]
        for (name, one), methods in sorted(found.items(), key=lambda item: item[0][0])
        if since(one.since) or one.removed_in
    ]
    return table(["argument", "of", "since", "gone in", "elsewhere"], lines)


def marked(request: type | None) -> list[tuple[str, Released]]:
    """The arguments of an operation that not every release takes, those within its groups too."""
    if request is None:
        return []
    found = list(released_fields(request).items())
    for name, (_, kind) in fields_of(request).items():
        if is_typeddict(kind):
            before = "" if name in SPREAD else f"{name}."
            found += [(f"{before}{inner}", one) for inner, one in marked(kind)]
    return found


def since(release: str) -> str:
    """The first release, where it is not before all that we know."""
    return "" if Release(release).is_before(OLDEST) or release == OLDEST else release


def methods() -> str:
    """All methods of the client, by group, with their releases."""
    parts = []
    for heading, group in GROUPS.items():
        lines = [
            [f"`{name}`", summary(method), releases(method.operation)]
            for name, method in vars(group).items()
            if hasattr(method, "operation")
        ]
        parts.append(f"### {heading}\n\n" + table(["method", "", "releases"], lines))
    return "\n\n".join(parts)


def summary(method: Any) -> str:
    """The first sentence of a method's docstring, without the release that stands in the next column."""
    paragraph = (inspect.getdoc(method) or "").split("\n\n")[0].replace("\n", " ")
    first = re.split(r"(?<=[.)])(?: |$)", paragraph)[0] if ". " in paragraph else paragraph
    return re.sub(r" \((?:(?:since|before) )?[\d.]+(?: to [\d.]+)?\)|; since [\d.]+(?=\))", "", first)


def releases(operation: Operation) -> str:
    first = since(operation.since)
    if operation.removed_in:
        return f"since {first}, before {operation.removed_in}" if first else f"before {operation.removed_in}"
    return f"since {first}" if first else "all"


def span(row: Any) -> str:
    """The releases of a row of the fake's tables."""
    parts = [f"since {row.since}"] if row.since else []
    return ", ".join([*parts, *([f"before {row.until}"] if row.until else [])]) or "all"


def arguments(owner: type) -> str:
    """What a class documents of its arguments, with their defaults."""
    defaults = defaults_of(owner)
    templates = getattr(owner, "template_fields", None)
    head = ["argument", "default", *([] if templates is None else ["templated"]), "means"]
    lines = []
    for name, text in documented_arguments(owner).items():
        mark = [] if templates is None else ["yes" if name in templates else "no"]
        lines.append([f"`{name}`", defaults[name], *mark, text.removesuffix(" (templated)").replace("|", "\\|")])
    return table(head, lines)


def documented_arguments(owner: type) -> dict[str, str]:
    """The arguments in a class's own docstring, and what it says of each."""
    found = re.findall(r":param (\w+): (.*?)(?=\n\s*:param|\Z)", inspect.cleandoc(owner.__doc__ or ""), re.DOTALL)
    return {name: " ".join(text.split()) for name, text in found}


def defaults_of(owner: type) -> dict[str, str]:
    """The default of each argument, as it stands in the table."""
    found: dict[str, str] = {}
    for kind in owner.__mro__:
        if kind.__module__.startswith("airflow_airbyte_ext") and "__init__" in vars(kind):
            for name, parameter in inspect.signature(vars(kind)["__init__"]).parameters.items():
                found.setdefault(name, default_of(parameter))
    return found


def default_of(parameter: inspect.Parameter) -> str:
    if parameter.default is inspect.Parameter.empty:
        return "required"
    if parameter.name == "deferrable":
        return "`False`, or what Airflow's `[operators] default_deferrable` says"
    return f"`{parameter.default!r}`".replace("'", '"')


def presets() -> str:
    """The releases that the fake has a name for."""
    lines = [[f"`{era.name}`", era.release, era.about] for era in ERAS.values()]
    return table(["era", "release", "what is special about it"], lines)


def signing_in() -> str:
    """The kinds of authentication that the fake can play, and where real servers have them."""
    kinds = {
        ("basic", ""): "basic_proxy",
        ("bearer", "keycloak"): "keycloak",
        ("client_credentials", "keycloak"): "keycloak_applications",
        ("bearer", "community"): "community_checks_tokens",
        ("client_credentials", "community"): "community_checks_tokens",
        ("bearer", "database"): "database_applications",
        ("client_credentials", "database"): "database_applications",
    }
    lines = [["`none`", "", "all", "Everybody may call."]]
    for (auth, issuer), name in kinds.items():
        row = BEHAVIOUR_BY_NAME[name]
        lines.append([f"`{auth}`", f"`{issuer}`" if issuer else "", span(row), row.does])
    return table(["`auth`", "`issuer`", "releases", "the server"], lines)


def behaviours() -> str:
    """What Airbyte does in some releases and not in others, by topic."""
    head = ["what Airbyte does", "releases", "set-up", "evidence", "what this package does about it"]
    parts = []
    for topic, found in BEHAVIOURS.items():
        lines = [[row.does, span(row), row.setup, row.evidence.strip("[]"), row.client] for row in found]
        parts.append(f"### {topic}\n\n{table(head, lines)}")
    return "\n\n".join(parts)


def response_fields() -> str:
    """The fields and words of responses that not every release has."""
    bounded = [(f"ConnectionRead.{each.name}", each) for each in SETTINGS if each.since or each.until]
    found = sorted([*((field.name, field) for field in FIELDS), *bounded], key=lambda item: item[0])
    lines = [[f"`{name}`", span(row), row.evidence.strip("[]")] for name, row in found]  # type: ignore[attr-defined]
    return table(["field or word", "releases", "evidence"], lines)


def request_properties() -> str:
    """The fields of requests that not every release declares."""
    found = [(name, row) for name, row in sorted(PROPERTY_BY_NAME.items()) if row.since or row.until]
    return table(["field", "releases"], [[f"`{name}`", span(row)] for name, row in found])


def served_operations() -> str:
    """The operations that not every release has."""
    found = [each for each in SERVED if each.since or each.until]
    found.sort(key=lambda each: release_key(each.since or OLDEST))
    lines = [[f"`{each.path}`", span(each), each.evidence.strip("[]")] for each in found]
    return table(["path", "releases", "evidence"], lines)


def what_works() -> str:
    """What users do, with each release that a test does it with."""
    rows = [
        [row.what, *("yes" if row.is_in(release) else "no" for release in capabilities.RELEASES)]
        for row in capabilities.CAPABILITIES
    ]
    return table(["", *capabilities.RELEASES], rows)


ARGUMENTS: list[type] = [
    ConnectionTask,
    AirbyteJobOperator,
    AirbyteSensor,
    AirbyteSyncConnectionOperator,
    AirbyteResetConnectionOperator,
    AirbyteRefreshConnectionOperator,
    AirbyteJobSensor,
    AirbyteConnectionSensor,
    AirbyteBackupStateOperator,
    AirbyteRestoreStateOperator,
    AirbyteForgetSnapshotsOperator,
    AirbyteListConnectionsOperator,
    AirbyteUpdateConnectionOperator,
    AirbyteCheckSchemaOperator,
    AirbyteJobTrigger,
    AirbyteConnectionTrigger,
    AirbyteSyncEventTrigger,
    AirbyteConfigHook,
]
SECTIONS: dict[str, dict[str, Callable[[], str]]] = {
    "docs/operators.md": {f"arguments of {owner.__name__}": partial(arguments, owner) for owner in ARGUMENTS},
    "docs/compatibility.md": {"capabilities": what_works, "operations": operations, "arguments": fields},
    "docs/client.md": {"methods": methods},
    "docs/testing.md": {"presets": presets, "authentication": signing_in},
    "docs/airbyte-behaviour.md": {
        "behaviours": behaviours,
        "operations": served_operations,
        "responses": response_fields,
        "requests": request_properties,
    },
}
NEEDS_DOCUMENTS = {("docs/compatibility.md", "operations")}


def renewed(page: str) -> str:
    """The page with its tables as they should be."""
    text = text_of(page)
    for name, make in SECTIONS[page].items():
        begin, end = f"<!-- {name}: begin -->\n", f"\n<!-- {name}: end -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        if not after:
            raise SystemExit(f"{page} lacks its {name} between two comments")
        text = before + begin + make() + end + after
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare the tables in the documentation with the code.")
    parser.add_argument("--write", action="store_true", help="write them again")
    arguments = parser.parse_args()
    if not SPEC_DIR.is_dir():
        raise SystemExit("Airbyte's OpenAPI documents are not here: set AIRBYTE_SPEC_DIR to their folder")
    stale = [page for page in SECTIONS if renewed(page) != text_of(page)]
    for page in stale if arguments.write else ():
        (ROOT / page).write_text(renewed(page))
    print("\n".join(stale) or "all as they should be")
    return 1 if stale and not arguments.write else 0


if __name__ == "__main__":
    sys.exit(main())
