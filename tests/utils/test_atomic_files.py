import json

import pytest

from mer.utils.atomic_files import write_json, write_whole


def test_the_file_appears_if_the_block_succeeds(tmp_path):
    with write_whole(tmp_path / "new" / "a.txt") as file:
        file.write("één\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "één\n".encode()


def test_a_block_that_fails_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), write_whole(path) as file:
        file.write("new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_binary_content_is_written_unchanged(tmp_path):
    with write_whole(tmp_path / "a", "wb") as file:
        file.write(b"\x00\r\n")
    assert (tmp_path / "a").read_bytes() == b"\x00\r\n"


def test_json_keeps_unicode(tmp_path):
    write_json(tmp_path / "a.json", {"ä": [1, None]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"ä": [1, None]}
