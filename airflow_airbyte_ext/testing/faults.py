"""Ways for a call to go wrong, and the queue of those to come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Fault:
    """One way for a call to go wrong; made by the class methods.

    `effect` says whether Airbyte does what was asked before the answer goes wrong.
    """

    kind: str
    effect: bool = False
    code: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @classmethod
    def drop_before(cls) -> Fault:
        """The connection is closed without an answer, and nothing has happened."""
        return cls("drop")

    @classmethod
    def drop_after(cls) -> Fault:
        """The call takes effect, then the connection is closed without an answer."""
        return cls("drop", effect=True)

    @classmethod
    def delay(cls, seconds: float) -> Fault:
        """The call takes effect at once; its normal answer comes N seconds of real time later."""
        return cls("delay", effect=True, seconds=seconds)

    @classmethod
    def status(
        cls, code: int, body: Any = None, headers: Mapping[str, str] | None = None, *, effect: bool = False
    ) -> Fault:
        """Another status instead of the answer.

        `body` is JSON (a dict or a list) or text; without one a proxy's HTML page is sent.
        """
        return cls("status", effect=effect, code=code, body=body, headers=dict(headers or {}))

    @classmethod
    def html(cls, status: int = 200) -> Fault:
        """The page of the web app instead of an answer, as when a base URL is not quite right."""
        return cls("html", code=status)

    @classmethod
    def truncated(cls) -> Fault:
        """The call takes effect, and the answer stops in the middle."""
        return cls("truncated", effect=True)

    @classmethod
    def redirect(cls, location: str, status: int = 302) -> Fault:
        """A redirect, as to a login page."""
        return cls("redirect", code=status, headers={"Location": location})


@dataclass
class PendingFault:
    """A fault that waits for `times` more calls of `operation_id` ("*": of any)."""

    operation_id: str
    fault: Fault
    times: int


class FaultQueue:
    """The faults that wait for their calls, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._pending: list[PendingFault] = []

    def add(self, operation_id: str, fault: Fault, times: int) -> None:
        """Let the next `times` calls of this operation go wrong."""
        if times < 1:
            raise ValueError("a fault happens at least once: use times=1 or more")
        self._pending.append(PendingFault(operation_id, fault, times))

    def take(self, operation_id: str | None) -> Fault | None:
        """The fault of the call that is just being made, if one waits for it."""
        for pending in self._pending:
            if pending.operation_id in ("*", operation_id):
                pending.times -= 1
                if pending.times == 0:
                    self._pending.remove(pending)
                return pending.fault
        return None

    def pending(self) -> list[PendingFault]:
        """What has not happened yet."""
        return list(self._pending)

    def clear(self) -> None:
        """Forget all."""
        self._pending.clear()
