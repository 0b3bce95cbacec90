"""`docs/faults.md` contains the table of the tests, and every test that it names exists."""

from __future__ import annotations

from pathlib import Path

from tests.faults.rows import AREAS, ROWS, table

ROOT = Path(__file__).parents[2]


def test_the_page_contains_the_table():
    expected = table()
    page = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    assert expected in page, "run `python -m tests.faults.rows` and put the table into docs/faults.md"
    assert f"{len(ROWS)} rows" in page


def test_every_row_names_an_existing_test():
    table()
    assert len({(row.area, row.fault) for row in ROWS}) == len(ROWS)
    for row in ROWS:
        if row.test.endswith(".py"):
            assert (ROOT / row.test).is_file()
        else:
            source = (ROOT / "tests" / "faults" / f"test_{row.area}.py").read_text(encoding="utf-8")
            assert f"def {row.test.split('[')[0]}(" in source
    assert {row.area for row in ROWS} == set(AREAS)
