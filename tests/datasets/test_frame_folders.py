import pytest

from mer.datasets.database import numbered_subject
from mer.datasets.frame_folders import Place, by_name, by_parent, find_frames
from mer.datasets.samples import SamplesError
from tests.datasets.copies import frames

IDENTIFY = by_parent(numbered_subject("sub", 2), r"EP\w+")


@pytest.mark.parametrize("folder", ["sub01", "01", "1", "s1", "Sub01", "subject 1"])
def test_a_person_is_found_under_any_spelling(tmp_path, folder):
    frames(tmp_path / "any" / "depth" / folder / "EP02_01f", [46])
    assert find_frames(tmp_path, IDENTIFY).folders == {
        Place("sub01", "ep02_01f"): tmp_path / "any" / "depth" / folder / "EP02_01f"
    }


def test_blanks_at_the_ends_of_names_are_ignored(tmp_path):
    frames(tmp_path / "sub01 " / "EP02_01f ", [46])
    assert list(find_frames(tmp_path, IDENTIFY).folders) == [Place("sub01", "ep02_01f")]


@pytest.mark.parametrize("name", ["CASMEⅡ", "CASMEⅱ", "ＣＡＳＭＥⅡ", "casmeII"])
def test_patterns_match_special_characters(tmp_path, name):
    frames(tmp_path / name / "sub01" / "EP1", [1])
    frames(tmp_path / "CASME" / "sub02" / "EP1", [1])
    assert [place.subject for place in find_frames(tmp_path, IDENTIFY, skip=r"casme ?(2|ii)").folders] == ["sub02"]
    assert find_frames(tmp_path, IDENTIFY, prefer=(r"casmeii",)).used == f"{name}/sub01"


def test_links_to_a_folder_above_end_the_search(tmp_path):
    frames(tmp_path / "sub01" / "EP1", [1])
    (tmp_path / "sub01" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert list(find_frames(tmp_path, IDENTIFY).folders) == [Place("sub01", "ep1")]


def test_clips_are_identified_by_the_person_in_their_name(tmp_path):
    frames(tmp_path / "any" / "sub3_01", [1])
    frames(tmp_path / "any" / "other", [1])
    found = find_frames(tmp_path, by_name(lambda clip: "sub03" if clip.startswith("sub3_") else None))
    assert list(found.folders) == [Place("sub03", "sub3_01")]
    assert found.unknown == ["any/other"]


def test_only_the_preferred_version_is_used(tmp_path):
    frames(tmp_path / "RAW" / "sub01" / "EP1", [1])
    frames(tmp_path / "RAW" / "sub02" / "EP1", [1])
    frames(tmp_path / "Cropped" / "sub01" / "EP1", [1])
    frames(tmp_path / "Cropped" / "sub02" / "EP2", [1])
    found = find_frames(tmp_path, IDENTIFY, prefer=("raw", "cropped"))
    assert [place.clip for place in found.folders] == ["ep1", "ep1"]
    assert found.used == "RAW"
    assert found.others == ["Cropped"]


def test_two_folders_of_one_clip_are_refused(tmp_path):
    frames(tmp_path / "a" / "sub01" / "EP1", [1])
    frames(tmp_path / "b" / "1" / "EP1", [1])
    with pytest.raises(SamplesError, match=r"two folders hold sub01/ep1: a/sub01/EP1 and b/1/EP1"):
        find_frames(tmp_path, IDENTIFY)


def test_files_that_are_not_pictures_are_ignored_and_unknown_folders_are_listed(tmp_path):
    frames(tmp_path / "sub01", [1], "Desktop{}.lnk")
    frames(tmp_path / "sub01" / "EP1", [1])
    frames(tmp_path / "sub01" / ".thumbs", [1])
    frames(tmp_path / "person A" / "EP1", [1])
    found = find_frames(tmp_path, IDENTIFY)
    assert list(found.folders) == [Place("sub01", "ep1")]
    assert found.unknown == ["person A/EP1"]


def test_two_folders_of_one_clip_are_allowed_in_an_unused_version(tmp_path):
    frames(tmp_path / "a" / "sub01" / "EP1", [1])
    frames(tmp_path / "b" / "1" / "EP1", [1])
    frames(tmp_path / "raw" / "1" / "EP1", [1])
    assert find_frames(tmp_path, IDENTIFY, prefer=("raw",)).used == "raw/1"
