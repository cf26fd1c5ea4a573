"""Showing how far a run has come: a bar on a terminal, or JSON lines for a scheduler."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from veilleur.batch.work import Journal

INTERVAL = 10.0  # seconds between two log lines


@contextmanager
def bar(total: int | None) -> Iterator[Callable[[Journal], None]]:
    """Show a bar with the rate and the time left on a terminal's stderr; none where stderr is no terminal.

    Parameters
    ----------
    total : int or None
        Bytes to read; without it the bar only counts.
    """
    if not sys.stderr.isatty():
        yield lambda journal: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("tagging"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[inputs]:,} inputs, {task.fields[rate]:.1f} a second"),
        TextColumn("{task.fields[rejects]:,} rejected", style="red"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        pace = _Pace()
        task = progress.add_task("", total=total, inputs=0, rate=0.0, rejects=0)

        def report(journal: Journal) -> None:
            rate, _ = pace(journal, total)
            progress.update(
                task, completed=journal.bytes, inputs=journal.inputs, rate=rate, rejects=journal.rejects, refresh=True
            )

        yield report


def json_lines(total: int | None) -> Callable[[Journal], None]:
    """Return a report that writes a line to stderr at the start and every `INTERVAL` seconds."""
    pace = _Pace()
    last: float | None = None

    def report(journal: Journal) -> None:
        nonlocal last
        rate, left = pace(journal, total)
        if last is not None and monotonic() - last < INTERVAL:
            return
        event = "start" if last is None else "progress"
        last = monotonic()
        log(event, **figures(journal), bytes_total=total, inputs_per_second=round(rate, 2), seconds_left=left)

    return report


def log(event: str, **content: Any) -> None:
    """Write one event as a line of JSON to stderr."""
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "event": event, **content}
    print(json.dumps(line, ensure_ascii=False), file=sys.stderr, flush=True)


def figures(journal: Journal) -> dict[str, int]:
    """Return the counts that are logged."""
    return {
        "inputs": journal.inputs,
        "records": journal.records,
        "rejects": journal.rejects,
        "bytes": journal.bytes,
    }


class _Pace:
    """The rate since this run began, which may have been in the middle of the work."""

    def __init__(self) -> None:
        self.began: tuple[float, Journal] | None = None

    def __call__(self, journal: Journal, total: int | None) -> tuple[float, int | None]:
        """Return inputs a second, and the seconds left where that can be told."""
        if self.began is None:
            self.began = monotonic(), journal
        start, first = self.began
        seconds = max(monotonic() - start, 1e-3)
        read = journal.bytes - first.bytes
        left = round(seconds * (total - journal.bytes) / read) if total is not None and read else None
        return (journal.inputs - first.inputs) / seconds, left
