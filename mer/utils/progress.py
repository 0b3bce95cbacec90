"""Progress of long work: a bar on a terminal, plain lines when piped."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")
# (items, total, description) -> the same items, while their progress is shown.
Track = Callable[[Iterable[Any], int, str], Iterable[Any]]
LINE_EVERY = 10.0  # seconds between two lines when piped


def untracked(items: Iterable[Item], total: int, what: str) -> Iterable[Item]:
    """Return `items`; the default where no progress is shown."""
    return items


def track(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Yield `items`, and show on stderr how many of `total` are done and how long the rest will take."""
    if sys.stderr.isatty():
        yield from _bar(items, total, what)
        return
    start = last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if done == total or now - last > LINE_EVERY:
            left = (now - start) / done * (total - done)
            print(f"{what}: {done}/{total}, {now - start:.0f} s, {left:.0f} s left", file=sys.stderr, flush=True)
            last = now


def _bar(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        yield from bar.track(items, total=total, description=what)
