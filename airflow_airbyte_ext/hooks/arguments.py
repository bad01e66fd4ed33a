"""Arguments of tasks, checked as soon as they are known: when the DAG is parsed, else when the task runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_airbyte_ext.api.arguments import TEMPLATE_HINT
from airflow_airbyte_ext.exceptions import AirbyteConfigurationError

if TYPE_CHECKING:
    from airflow_airbyte_ext.api.arguments import Check


def is_template(value: object) -> bool:
    """Whether a value is known only when the task runs: it is a Jinja template or another task's output, or has one."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(is_template(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple | set):
        return any(map(is_template, value))
    return hasattr(value, "iter_references")  # what Airflow resolves, such as an XComArg


class CheckedArguments:
    """
    A task that checks its arguments.

    `argument_checks` says how, by name. `__init__` ends with `check_parsed`; what runs begins with `check_rendered`.
    """

    argument_checks: ClassVar[Mapping[str, Check]] = {}

    @classmethod
    def partial(cls, **arguments: Any) -> Any:
        """Begin a mapped task, once the arguments that are not mapped are checked."""
        cls._check_known(arguments)
        return super().partial(**arguments)  # type: ignore[misc]

    def check_parsed(self) -> None:
        """
        Check what is no template.

        :raises AirbyteConfigurationError: Names the argument, and what is allowed.
        """
        # Airflow rebuilds a mapped task when it runs: that is the time to fail, as any task fails.
        if not getattr(self, "_BaseOperator__from_mapped", False):
            self._check_known(vars(self))

    def check_rendered(self) -> dict[str, Any]:
        """
        Check all arguments, now that their templates are rendered, and return what they mean.

        :return: By name, what each check returns: seconds for a timedelta, and so on.
        :raises AirbyteConfigurationError: Names the argument, and what is allowed.
        """
        return {name: check(name, getattr(self, name)) for name, check in self.argument_checks.items()}

    @classmethod
    def _check_known(cls, arguments: Mapping[str, Any]) -> None:
        for name in cls.argument_checks.keys() & arguments.keys():
            if name in getattr(cls, "template_fields", ()) and is_template(arguments[name]):
                continue
            try:
                cls.argument_checks[name](name, arguments[name])
            except AirbyteConfigurationError as error:
                raise AirbyteConfigurationError(str(error).removesuffix(f" {TEMPLATE_HINT}")) from None
