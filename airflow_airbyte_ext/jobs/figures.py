"""How much a job moved, from what its release says of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_airbyte_ext.api.models.jobs import AttemptRead, AttemptStats, JobAggregatedStats, JobRead
    from airflow_airbyte_ext.api.streams import StreamKey

    SyncModes = Mapping[StreamKey, str | None]

# Records and bytes; None where Airbyte does not say.
Figures = tuple[int | None, int | None]
UNKNOWN: Figures = (None, None)


def figures_of(
    job: JobRead, attempts: Sequence[AttemptRead], modes: SyncModes | None
) -> tuple[Figures, list[tuple[StreamKey, Figures]]]:
    """
    Return what a job moved as a whole, and of each stream.

    Airbyte's own sum over the attempts, where it makes one: since 0.52.0. Before, the same from the attempts: of a
    stream that is read incrementally their sum, and of one that is read in full what the last attempt moved, since
    each began again. Without its mode a stream that several attempts moved has no figure.

    :param attempts: By their numbers.
    :param modes: How each stream is read; None where that is not known.
    """
    stats = _own_sum(job)
    streams = (
        [((each.stream_namespace, each.stream_name), _committed(each)) for each in job.stream_aggregated_stats]
        if stats and job.stream_aggregated_stats
        else _streams(job, attempts, modes)
    )
    return _committed(stats) if stats else _total(attempts, [each for _, each in streams], modes), streams


def needs_sync_modes(job: JobRead, attempts: Sequence[AttemptRead]) -> bool:
    """Say whether the figures depend on how the streams are read."""
    return not _own_sum(job) and len([each for each in attempts if _moved(each) != UNKNOWN or _read_only(each)]) > 1


def needs_namespaces(job: JobRead, attempts: Sequence[AttemptRead]) -> bool:
    """Say whether streams of one name cannot be distinguished: `get_without_logs` has no namespaces (before 0.52.0)."""
    return not _own_sum(job) and any(_repeated(attempt) for attempt in attempts)


def _own_sum(job: JobRead) -> JobAggregatedStats | None:
    """Return Airbyte's own sum; where it keeps no statistics of any stream, its zeros say nothing."""
    stats = job.aggregated_stats
    is_empty = "stream_aggregated_stats" in job.model_fields_set and not job.stream_aggregated_stats
    return None if stats is None or (is_empty and not stats.records_emitted and not stats.records_committed) else stats


def _streams(job: JobRead, attempts: Sequence[AttemptRead], modes: SyncModes | None) -> list[tuple[StreamKey, Figures]]:
    if any(_repeated(attempt) for attempt in attempts):
        # Streams without namespaces have rows of their own, which cannot be matched with other attempts'.
        rows = zip(_keys(job, attempts[-1]), attempts[-1].stream_stats, strict=True)
        return [(key, _committed(each.stats) if len(attempts) == 1 else UNKNOWN) for key, each in rows]
    found: dict[StreamKey, list[Figures]] = defaultdict(list)
    for attempt in attempts:
        for key, entry in zip(_keys(job, attempt), attempt.stream_stats, strict=True):
            found[key].append(_committed(entry.stats))
    return [(key, _over_attempts(each, (modes or {}).get(key))) for key, each in found.items()]


def _over_attempts(figures: Sequence[Figures], mode: str | None) -> Figures:
    known = [each for each in figures if each != UNKNOWN]
    if len(known) < 2 or mode == "full_refresh":
        return known[-1] if known else UNKNOWN
    return _sums(known) if mode == "incremental" else UNKNOWN


def _total(attempts: Sequence[AttemptRead], streams: Sequence[Figures], modes: SyncModes | None) -> Figures:
    moved = [figures for attempt in attempts if (figures := _moved(attempt)) != UNKNOWN]
    if len(moved) > 1 and streams:
        return UNKNOWN if UNKNOWN in streams else _sums(streams)
    kinds = set((modes or {}).values())
    mode = kinds.pop() if len(kinds) == 1 else None
    # What a failed attempt read (before 0.40) it need not have committed.
    is_sure = mode == "full_refresh" or not any(_read_only(attempt) for attempt in attempts[:-1])
    return _over_attempts(moved, mode) if is_sure else UNKNOWN


def _moved(attempt: AttemptRead) -> Figures:
    figures = _committed(attempt.total_stats) if attempt.total_stats else UNKNOWN
    return (
        figures
        if attempt.status == "failed"
        else (_first(figures[0], attempt.records_synced), _first(figures[1], attempt.bytes_synced))
    )


def _read_only(attempt: AttemptRead) -> bool:
    """Whether nothing but what the source gave is known of an attempt."""
    return _moved(attempt) == UNKNOWN and bool(attempt.records_synced)


def _committed(stats: AttemptStats | JobAggregatedStats) -> Figures:
    # Where Airbyte does not know the bytes that were committed its own sums take them for none.
    has_bytes = stats.bytes_committed or not stats.records_committed
    return stats.records_committed, _first(stats.bytes_committed if has_bytes else None, stats.bytes_emitted)


def _keys(job: JobRead, attempt: AttemptRead) -> list[StreamKey]:
    """Return the streams of an attempt, with the namespace of the job's only stream of that name where it lacks one."""
    namespaces: dict[str, set[str | None]] = defaultdict(set)
    for stream in job.enabled_streams:
        namespaces[stream.name].add(stream.namespace)
    return [
        (next(iter(known)), each.stream_name)
        if each.stream_namespace is None and len(known := namespaces[each.stream_name]) == 1
        else (each.stream_namespace, each.stream_name)
        for each in attempt.stream_stats
    ]


def _repeated(attempt: AttemptRead) -> bool:
    names = Counter((each.stream_namespace, each.stream_name) for each in attempt.stream_stats)
    return any(count > 1 for count in names.values())


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _sums(figures: Iterable[Figures]) -> Figures:
    records, sizes = zip(*figures, strict=True)
    return _sum(records), _sum(sizes)


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
