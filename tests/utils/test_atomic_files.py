import json

import pytest

from mer.utils.atomic_files import write_json, write_whole


def test_a_file_is_there_when_the_block_ends_well(tmp_path):
    with write_whole(tmp_path / "new" / "a.txt") as file:
        file.write("één\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "één\n".encode()


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), write_whole(path) as file:
        file.write("new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_bytes(tmp_path):
    with write_whole(tmp_path / "a", "wb") as file:
        file.write(b"\x00\r\n")
    assert (tmp_path / "a").read_bytes() == b"\x00\r\n"


def test_json(tmp_path):
    write_json(tmp_path / "a.json", {"ä": [1, None]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"ä": [1, None]}
