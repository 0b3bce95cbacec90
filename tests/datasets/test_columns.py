from pathlib import Path

import pytest

from mer.datasets.columns import find_columns, normalize, refuse_times, suggest
from mer.datasets.tables import SamplesError


def test_a_column_of_frames_comes_before_one_of_milliseconds():
    header = ["Subject", "Filename", "OnsetF", "Onset", "Total"]
    assert find_columns(header)["onset"] == 2
    assert find_columns(header[:2] + header[3:])["onset"] == 2  # the only one


def test_headers_are_compared_by_letters_and_digits():
    assert normalize(" Onset-Frame (No.) ") == "onsetframeno"
    assert find_columns(["SUBJECT ID", "file name"]) == {"subject": 0, "clip": 1}


@pytest.mark.parametrize("cell", ["onset_ms", "Onset (s)", "onset time [ms]", "Onset seconds"])
def test_times_without_frames_are_refused(cell):
    with pytest.raises(SamplesError, match="add a column onset with frame numbers"):
        refuse_times(Path("a.csv"), ["clip", cell], {})
    refuse_times(Path("a.csv"), ["onset", cell], {"onset": 0})


def test_a_misspelt_or_foreign_header_has_a_likely_field():
    assert suggest(["emotion", "framerate", "ofset", "notes"], ["label", "fps", "offset"]) == {
        "emotion": "label", "framerate": "fps", "ofset": "offset",
    }  # fmt: skip
