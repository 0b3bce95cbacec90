"""Progress of long work: a bar on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")
# (items, total, description) -> the same items, with progress shown while they are consumed.
Track = Callable[[Iterable[Any], int, str], Iterable[Any]]
SECONDS_PER_LINE = 10.0  # in a log


def untracked(items: Iterable[Item], total: int, description: str) -> Iterable[Item]:
    """Return `items`; the default, which shows no progress."""
    return items


def track(items: Iterable[Item], total: int, description: str) -> Iterator[Item]:
    """Yield `items` and show on stderr how many of `total` are done, and an estimate of the remaining time."""
    if sys.stderr.isatty():
        yield from _bar(items, total, description)
        return
    start = last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if done == total or now - last > SECONDS_PER_LINE:
            left = (now - start) / done * (total - done)
            print(f"{description}: {done}/{total}, {now - start:.0f} s, {left:.0f} s left", file=sys.stderr, flush=True)
            last = now


def _bar(items: Iterable[Item], total: int, description: str) -> Iterator[Item]:
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
        yield from bar.track(items, total=total, description=description)
