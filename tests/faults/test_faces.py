"""Faces that are hard to see, by the real detector; nothing here may end the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mer.extraction.extract import extract_flow
from tests.extraction.test_extract import still
from tests.faults.rows import ROWS, Row


def in_black(image: np.ndarray) -> np.ndarray:
    return image // 40


def covered(image: np.ndarray) -> np.ndarray:
    """A hand before the mouth: the lower half of the face is gray."""
    image = image.copy()
    image[150:230, 160:300] = 128
    return image


def two(image: np.ndarray) -> np.ndarray:
    """The same face twice, the left one larger."""
    small = image[::2, ::2]
    side = np.zeros((512, 256, 3), np.uint8)
    side[100:356] = small
    return np.hstack([image, side])


def lost(image: np.ndarray) -> np.ndarray:
    return np.full_like(image, 90)


def upside_down(image: np.ndarray) -> np.ndarray:
    return image[::-1].copy()


def narrow(image: np.ndarray) -> np.ndarray:
    """As wide as a head that is turned far away."""
    out = np.zeros_like(image)
    out[:, 170:341] = image[:, ::3]
    return out


# Fault -> what is done to onset and apex, and the statuses that may come of it.
FACES = {
    "no face": (lost, lost, ("no_face",)),
    "face lost before the apex": (None, lost, ("face_lost",)),
    "two faces": (two, two, ("ok",)),
    "very dark picture": (in_black, in_black, ("ok", "no_face", "face_lost")),
    "face half covered": (covered, covered, ("ok", "no_face", "face_lost")),
    "face upside down": (upside_down, upside_down, ("ok", "no_face", "face_lost")),
    "face near profile (a third of its width)": (narrow, narrow, ("ok", "no_face", "face_lost")),
    "picture of 8 x 8 pixels": (lambda image: image[::64, ::64], lambda image: image[::64, ::64], ("no_face",)),
    "gray picture": (lambda image: image.mean(2).astype(np.uint8), None, ("ok",)),
    "none": (None, None, ("ok",)),
}
for _fault, (_, _, _statuses) in FACES.items():
    if _fault != "none":
        _happens = " or ".join(f"`{status}`" for status in _statuses)
        if _fault == "two faces":
            _happens += ": the largest, or as `--face` says; a message tells how many there were"
        ROWS.append(Row("faces", _fault, _happens, "test_hard_faces_have_a_status"))


def write(folder: Path, *images: np.ndarray) -> None:
    from PIL import Image

    folder.mkdir(parents=True)
    for k, image in enumerate(images, 1):
        Image.fromarray(image).save(folder / f"{k}.png")


def extract(root: Path, names: list[str]) -> dict[str, tuple[str, str]]:
    rows = "".join(f"al,{name},2\n" for name in names)
    (root / "videos" / "labels.csv").write_text(f"subject,clip,apex\n{rows}")
    table = extract_flow(root / "videos", root / "flows", method=still, size=64).set_index("clip")
    return {name: (table.loc[name, "status"], table.loc[name, "message"]) for name in names}


def test_hard_faces_have_a_status(astronaut, tmp_path):
    for name, (onset, apex, _) in FACES.items():
        images = (astronaut if change is None else change(astronaut) for change in (onset, apex or onset))
        write(tmp_path / "videos" / "al" / name, *images)
    write(tmp_path / "videos" / "al" / "zz", astronaut, astronaut)
    found = extract(tmp_path, list(FACES))
    for name, (_, _, statuses) in FACES.items():
        assert found[name][0] in statuses, (name, found[name])
        assert found[name][1] or found[name][0] == "ok"
    assert found["two faces"][1] == "2 faces; took the largest"
