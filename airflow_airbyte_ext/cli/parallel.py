"""The same work for many connections, some at once; one that fails does not stop the others."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = TypeVar("Item")
Result = TypeVar("Result")

_LAST_WORDS = 1.0


def run_all(
    items: Sequence[Item],
    work: Callable[[Item], Result],
    *,
    parallel: int,
    one_done: Callable[[], None] = lambda: None,
) -> list[Result | Exception]:
    """
    Return what the work gave for each item, or the error that it raised, in the order of the items.

    :param parallel: How many to work on at once.
    :param one_done: Called after each item, in the caller's thread.
    """
    state = _State(items, work)
    # Daemons, since Ctrl-C must not wait for a server that does not respond.
    threads = [threading.Thread(target=state.work_on, daemon=True) for _ in range(min(parallel, len(items)))]
    for thread in threads:
        thread.start()
    try:
        for _ in items:
            state.done.get()
            one_done()
    except KeyboardInterrupt:
        state.stopped.set()
        for thread in threads:
            thread.join(_LAST_WORDS / len(threads))  # time to finish a file
        raise
    return [state.outcomes[number] for number in range(len(items))]


class _State(Generic[Item, Result]):
    """What the threads share."""

    def __init__(self, items: Sequence[Item], work: Callable[[Item], Result]) -> None:
        self._items = items
        self._work = work
        self._waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(len(items)):
            self._waiting.put(number)
        self.done: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.outcomes: dict[int, Result | Exception] = {}
        self.stopped = threading.Event()

    def work_on(self) -> None:
        """Take items until there are no more."""
        while not self.stopped.is_set():
            try:
                number = self._waiting.get_nowait()
            except queue.Empty:
                return
            try:
                self.outcomes[number] = self._work(self._items[number])
            except Exception as error:  # another connection may still be backed up
                self.outcomes[number] = error
            self.done.put(number)
