from pathlib import Path

import pytest

from mer.datasets import DATASETS, read_copy
from mer.datasets.check import check_copy, counts
from tests.datasets.copies import casme2
from tests.test_cli import mer  # noqa: F401

PUBLISHED = DATASETS["casme2"].published[0].labels


def whole_casme2(root):
    """As many clips of each label, and as many people, as were published."""
    labels = [label for label, n in PUBLISHED.items() for _ in range(n)]
    rows = [(i % 26 + 1, f"EP{i // 26:02d}_{i:03d}", 10, 12, 14, "4", label) for i, label in enumerate(labels)]
    return casme2(root, rows)


def findings(root):
    return list(check_copy(DATASETS["casme2"], read_copy(DATASETS["casme2"], root)))


def test_a_whole_copy_is_as_published(tmp_path, mer):  # noqa: F811
    status, out, _ = mer("doctor", "--dataset", "casme2", str(whole_casme2(tmp_path)))
    assert status == 0
    assert "as published" in out
    assert "255 of 255 rows can be used" in out


def test_what_is_off_is_in_the_table_and_in_the_exit_status(tmp_path, mer):  # noqa: F811
    root = whole_casme2(tmp_path)
    clip = next((root / "CASME2_RAW_selected" / "sub03").iterdir())
    for frame in clip.iterdir():
        frame.unlink()
    status, out, err = mer("doctor", "--dataset", "casme2", str(root))
    assert status == 1
    assert err == ""
    assert "WRONG" in out
    assert "missing_clip" in out
    assert clip.name in out


def test_counts_stand_beside_those_of_the_nearest_edition(tmp_path):
    rows = [(i + 1, "EP01_01", 10, 12, 14, "4", "happiness") for i in range(3)]
    copy = read_copy(DATASETS["casme2"], casme2(tmp_path, rows))
    table = {label: (here, published) for label, here, published in counts(DATASETS["casme2"], copy.samples)}
    assert table["happiness"] == (3, "32 (-29)")
    assert table["all"] == (3, "255 (-252)")
    states = {(finding.what, finding.state) for finding in findings(tmp_path)}
    assert {("counts", "WRONG"), ("people", "WRONG"), ("clips", "ok")} <= states


def test_folders_without_a_row_and_odd_cells_are_notes(tmp_path):
    rows = [(1, "EP01_01", 10, 12, 14, "4+soft focus", "happiness"), (1, "EP01_02", 10, 12, 14, "4", "joy"),
            (1, "EP01_03", 10, 12, 14, "4", "fear")]  # fmt: skip
    root = casme2(tmp_path, rows)
    extra = root / "CASME2_RAW_selected" / "sub02" / "EP77"
    extra.mkdir(parents=True)
    (extra / "img1.jpg").touch()
    (root / "other").mkdir()
    (root / "other" / "picture1.png").touch()
    notes = {finding.what: finding.detail for finding in findings(root) if finding.state == "note"}
    assert notes["odd labels"].startswith("joy (1); expected others")
    assert "4+soft focus" in notes["odd units"]
    assert notes["not in the sheet"] == "1 folders: sub02/EP77"
    assert notes["unknown folders"] == "1 folders: other"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dataset", "casme9", "."), "no dataset 'casme9'"),
        (("--dataset", "casme2"), "give the folder of the database"),
        (("somewhere",), "name the database as well"),
        (("--dataset", "samm", "nowhere"), "nowhere is not a folder"),
    ],
)
def test_wrong_usage_is_one_message(mer, tmp_path, monkeypatch, arguments, message):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    status, _, err = mer("doctor", *arguments)
    assert status == 2
    assert message in " ".join(err.split())


def test_every_database_states_its_facts():
    for name, database in DATASETS.items():
        assert name == database.name
        assert all(label == label.casefold() for label in database.labels)
        assert database.fps > 0
        assert database.layout
        for edition in database.published:
            assert set(edition.labels) <= set(database.labels) or not database.labels
            assert edition.source
    for name in ("casme", "casme2", "samm", "smic", "casme-sq", "samm-lv", "casme3", "mmew", "4dme", "dfme"):
        assert name in DATASETS


def test_the_docs_name_every_database_and_label():
    text = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    for name, database in DATASETS.items():
        row = next(row for row in rows if f"`{name}`" in row.split("|")[1])
        if "the same" not in row and "as SAMM" not in row:
            assert set(database.labels) <= {label.strip() for label in row.split("|")[5].split(",")}
