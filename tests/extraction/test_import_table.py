"""The table of a published set of images."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from mer.cli.program import app
from mer.datasets.samples import SamplesError, read_samples
from mer.extraction.import_flow import import_flow
from tests.datasets.copies import book
from tests.extraction.imported import imported


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def test_numbers_changed_by_a_spreadsheet_are_restored(small):
    _, table, folder = small
    table["label"] = table["label"] + ".0"
    table["apex"] = ["40.0", "", "/", "41", "42", "43"]
    table["dataset"] = ["CASME II", "CASME2", "SAMM", "samm", "SMIC-HS", "smic"]
    table.loc[2:3, "sub"] = ["6.0", "7"]
    samples, notes = imported(table, folder)
    assert (samples["status"] == "ok").all()
    assert set(samples["label"]) <= {"0", "1", "2"}
    assert samples["dataset"].tolist() == ["casme2", "casme2", "samm", "samm", "smic", "smic"]
    assert samples["subject"].tolist()[2:4] == ["006", "007"]
    assert samples["apex"].isna().tolist() == [False, True, True, False, False, False]
    assert samples["apex_source"].tolist() == ["label", "", "", "label", "label", "label"]
    assert len(notes) == 1
    assert "'apex' are not numbers, such as '/'" in notes[0]


def test_equal_rows_are_read_once(small):
    _, table, folder = small
    twice = pd.concat([table, table.iloc[:1]], ignore_index=True)
    samples, notes = imported(twice, folder)
    assert len(samples) == 6
    assert "rows 1 and 7 are equal; casme2/sub01/EP00_01f is read once" in notes[0]
    twice.loc[6, "label"] = "2" if twice.loc[0, "label"] != "2" else "1"
    with pytest.raises(SamplesError, match=r"rows 1 and 7 are both casme2/sub01/EP00_01f, and differ"):
        imported(twice, folder)


def test_the_organizers_list_is_a_table(small):
    _, table, folder = small
    table[["dataset", "sub", "filename_o", "label"]].to_csv(folder / "list.csv", index=False, header=False)
    samples = import_flow(folder / "images", folder / "list.csv", folder / "flows")
    assert samples["status"].tolist() == ["ok"] * 6
    assert samples["clip"].tolist() == table["filename_o"].tolist()


@pytest.mark.parametrize(("separator", "encoding"), [(";", "utf-8-sig"), ("\t", "cp1252"), ("\t", "utf-16")])
def test_other_separators_and_encodings(small, separator, encoding):
    _, table, folder = small
    table["note"] = "é"
    table.to_csv(folder / "list.csv", index=False, sep=separator, encoding=encoding)
    assert (import_flow(folder / "images", folder / "list.csv", folder / "flows")["status"] == "ok").all()


def test_headers_and_labels_can_be_mapped(small):
    _, table, folder = small
    table = table.rename(columns={"sub": "who", "label": "Emotion"}).drop(columns=["dataset"])
    with pytest.raises(SamplesError, match=r"no column for the subject.*--column subject=HEADER"):
        imported(table, folder)
    with pytest.raises(SamplesError, match="no column 'whom'"):
        imported(table, folder, columns={"subject": "whom"})
    table.to_csv(folder / "list.csv", index=False)
    done = run(
        "import-flow", folder / "images", "--table", folder / "list.csv", "--out", folder / "flows",
        "--column", "subject=who", "--dataset", "Mine", "--labels", "0=negative,1=positive,2=surprise",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    samples = read_samples(folder / "flows")
    assert set(samples["dataset"]) == {"mine"}
    assert set(samples["label"]) <= {"negative", "positive", "surprise"}
    assert isinstance(run("import-flow", "x", "--table", "y", "--labels", "0").exception, ValueError)


def test_a_workbook_is_a_table(small):
    _, table, folder = small
    table["sub"] = [int(sub) if sub.isdigit() else sub for sub in table["sub"]]
    with pd.ExcelWriter(folder / "list.xlsx") as writer:
        pd.DataFrame().to_excel(writer, sheet_name="nothing", index=False)
        table.astype({"label": float}).to_excel(writer, sheet_name="list", index=False)
    samples = import_flow(folder / "images", folder / "list.xlsx", folder / "flows")
    assert samples["status"].tolist() == ["ok"] * 6
    assert samples["label"].tolist() == table["label"].tolist()
    assert {"006", "007"} <= set(samples["subject"])
    (folder / "bad.xlsx").write_bytes(b"no workbook")
    with pytest.raises(SamplesError, match=r"bad\.xlsx is not a readable workbook"):
        import_flow(folder / "images", folder / "bad.xlsx", folder / "flows")
    book(folder / "blank.xlsx", nothing=[[]])
    with pytest.raises(SamplesError, match=r"blank\.xlsx is empty"):
        import_flow(folder / "images", folder / "blank.xlsx", folder / "flows")
