"""Inputs that once crashed a parser with an unexpected error, or were read wrongly."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import pandas as pd
import pytest

from mer.cli.evaluate import _grid
from mer.datasets.action_units import parse_aus
from mer.datasets.annotation_sheet import read_table
from mer.datasets.samples import SamplesError, conform, read_samples, write_samples
from mer.datasets.video import ClipError, frame_files, open_clip
from mer.datasets.video_folder import list_clips
from mer.evaluation.protocols.organizers_list import read_list
from mer.evaluation.protocols.protocol import ProtocolError, read_protocol
from mer.extraction.flow_folder import flow_path


def test_an_action_unit_with_five_thousand_digits():
    assert parse_aus("1" * 5000) == ([], ["1" * 5000])


@pytest.mark.parametrize("cell", ["9" * 19, "1e300", "-1e18"])
def test_a_frame_number_beyond_64_bits(cell):
    with pytest.raises(SamplesError, match="column 'onset', row 1"):
        conform(pd.DataFrame({"onset": [cell]}))


def test_a_frame_file_number_beyond_64_bits(tmp_path):
    (tmp_path / f"{'9' * 20}.png").touch()
    with pytest.raises(ClipError, match="20 digits"):
        frame_files(tmp_path)


@pytest.mark.parametrize("key", ["labels", "counts", "people", "drop", "classes", "units", "hints"])
def test_a_number_instead_of_a_protocol_section(tmp_path, key):
    (tmp_path / "p.yaml").write_text(f"{key}: 5\n")
    with pytest.raises(ProtocolError, match=rf"p\.yaml: {key}"):
        read_protocol(tmp_path / "p.yaml")


def test_a_protocol_that_is_nested_too_deeply(tmp_path):
    (tmp_path / "p.yaml").write_text("[" * 5000)
    with pytest.raises(ProtocolError, match="not YAML"):
        read_protocol(tmp_path / "p.yaml")


@pytest.mark.parametrize("text", ["C=[", "C={", "C=*a", "C=!x 1", "C='"])
def test_a_grid_whose_values_are_not_yaml(text):
    with pytest.raises(ValueError, match="--grid"):
        _grid([text])


def test_long_names_and_names_that_are_not_text():
    path = flow_path({"dataset": "é" * 250, "subject": os.fsdecode(b"\xff"), "clip": "a" * 300, "onset": 3})
    assert all(len(part.encode("utf-8", "surrogateescape")) < 230 for part in path.split("/"))
    other = flow_path({"dataset": "é" * 250, "subject": "b", "clip": "a" * 301, "onset": 3})
    assert path.split("/")[2] != other.split("/")[2]


def test_a_table_with_invalid_text_can_be_written(tmp_path):
    table = conform(pd.DataFrame({"clip": [os.fsdecode(b"caf\xe9")], "message": ["\ud800"]}))
    write_samples(table, tmp_path / "samples.csv")
    assert read_samples(tmp_path)["clip"].tolist() == ["caf�"]


@pytest.mark.parametrize("content", [b"a,b\rc,d\x00", b'"' + b"a" * 200_000, b"Subject,Filename\rs,a"])
def test_a_sheet_that_is_not_a_table(tmp_path, content):
    (tmp_path / "s.csv").write_bytes(content)
    with pytest.raises(SamplesError, match=r"s\.csv"):
        read_table(tmp_path / "s.csv")


def test_an_organizers_list_that_is_not_a_table(tmp_path):
    content = b"a,b\x00\xff"
    (tmp_path / "l.csv").write_bytes(content)
    with pytest.raises(ProtocolError, match=r"l\.csv"):
        read_list(tmp_path / "l.csv", hashlib.sha256(content).hexdigest())


def test_names_without_letters_stay_in_the_folder():
    """An empty name once made the path of the flow file start with a slash."""
    assert flow_path({"dataset": "", "subject": "..", "clip": "", "onset": 3}) == "_/_/__3.npz"


def test_a_row_with_more_cells_than_columns_shifts_none(tmp_path):
    """pandas then takes the first column as the index, so that the clip became the subject."""
    (tmp_path / "al").mkdir()
    (tmp_path / "al" / "a.mp4").touch()
    (tmp_path / "labels.csv").write_text("subject,clip\nal,a,b\n")
    with pytest.warns(pd.errors.ParserWarning):
        assert list_clips(tmp_path)[["subject", "clip"]].to_numpy().tolist() == [["al", "a"]]


def test_a_video_whose_title_is_not_utf_8(tmp_path):
    """Titles in GBK or Latin-1 are common; the frames are fine."""
    import av

    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        container.metadata["title"] = "TITLE"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    content = (tmp_path / "a.mkv").read_bytes()
    assert b"TITLE" in content
    (tmp_path / "a.mkv").write_bytes(content.replace(b"TITLE", b"\xce\xa2\xb1\xed\xff"))
    clip = open_clip(tmp_path / "a.mkv")
    assert clip.frame(1).shape == (48, 64, 3)
