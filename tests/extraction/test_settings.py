import pytest

from mer.extraction.apex import APEX_METHOD
from mer.extraction.settings import FACES, ExtractionSettings, check_face


def test_the_record_holds_every_setting_but_the_device():
    record = ExtractionSettings("dis", size=96, device="cpu").record()
    assert record == {
        "method": "dis", "weights": None, "weights_sha256": None, "align": "mediapipe", "size": 96,
        "stabilize": False, "face": "largest", "clips": False, "pairs": False, "apex": "flow",
        "apex_flow": record["apex_flow"],
    }  # fmt: skip
    assert record["apex_flow"]["method"] == APEX_METHOD


def test_without_a_search_there_is_no_apex_flow():
    assert ExtractionSettings("dis", apex="midpoint").record()["apex_flow"] is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "none"}, "unknown flow method 'none'"),
        ({"apex": "top"}, "unknown apex search 'top'; choose flow, strain, midpoint"),
        ({"face": "middle"}, "unknown choice of face 'middle'; choose largest, left, right"),
        ({"size": 31}, "size is 31; expected 32 to 2048"),
        ({"size": 2049}, "size is 2049"),
        ({"align": "none"}, "none"),
        ({"device": "abacus"}, "abacus"),
    ],
)
def test_invalid_settings_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        ExtractionSettings(**{"method": "dis", **wrong}).check()


def test_valid_settings_pass():
    for size in (32, 2048):
        ExtractionSettings("dis", size=size, device="cpu").check()
    for name in FACES:
        check_face(name)
