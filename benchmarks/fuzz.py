"""Run many inputs through all that reads others' files: `python -m benchmarks.fuzz [--inputs 2000] [NAME ...]`.

For each parser of `tests/fuzz/parsers.py`: how many inputs were run, taken, and refused in words; and those after which
anything else came, as a program to add to `tests/fuzz/test_regressions.py`. The exit status is 1 if there are any.
"""

from __future__ import annotations

import argparse
import sys
import traceback
import warnings
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.parsers import PARSERS, check


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(PARSERS))
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    faults = Counter[str]()
    print("| parser | inputs | taken | refused | other errors |\n|---|---|---|---|---|")
    total = 0
    for name in options.names:
        counts = run(name, options.inputs, options.seed, faults)
        total += counts.total()
        print(
            f"| {name} | {counts.total()} | {counts['taken']} | {counts['refused']} | {counts['error']} |", flush=True
        )
    print(f"\n{total} inputs, {len(faults)} kinds of other errors")
    for fault, times in faults.most_common():
        print(f"\n{times} times: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


def run(name: str, inputs: int, number: int, faults: Counter[str]) -> Counter[str]:
    """Counts of one parser; each place that raised what it must not is entered once, with its first input."""
    counts = Counter[str]()
    seen: dict[str, str] = {}

    @seed(number)
    @settings(
        max_examples=inputs,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(PARSERS[name].inputs)
    def each(content: Any) -> None:
        try:
            counts["taken" if check(name, content) else "refused"] += 1
        except Exception as error:
            counts["error"] += 1
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{name}: {type(error).__name__} in {last.filename.rpartition('/')[2]}:{last.lineno}"
            seen.setdefault(place, f"{place} ({str(error)[:100]})\n    check({name!r}, {content!r})")
            faults[seen[place]] += 1

    each()
    return counts


if __name__ == "__main__":
    main()
