"""Faces that are hard to detect, with the real detector; none of them may end the run."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from mer.extraction.extract import extract_flow
from tests.extraction.test_extract import still
from tests.faults.rows import ROWS, Row


def darken(image: np.ndarray) -> np.ndarray:
    return image // 40


def cover_mouth(image: np.ndarray) -> np.ndarray:
    """The lower half of the face is gray, as if a hand cover_mouth the mouth."""
    image = image.copy()
    image[150:230, 160:300] = 128
    return image


def two_faces(image: np.ndarray) -> np.ndarray:
    """The same face twice, the left one larger."""
    small = image[::2, ::2]
    side = np.zeros((512, 256, 3), np.uint8)
    side[100:356] = small
    return np.hstack([image, side])


def no_face(image: np.ndarray) -> np.ndarray:
    return np.full_like(image, 90)


def upside_down(image: np.ndarray) -> np.ndarray:
    return image[::-1].copy()


def squeeze(image: np.ndarray) -> np.ndarray:
    """The face as narrow as in a near-profile view."""
    out = np.zeros_like(image)
    out[:, 170:341] = image[:, ::3]
    return out


# Fault -> the changes to onset and apex, and the allowed statuses.
FACES = {
    "no face": (no_face, no_face, ("no_face",)),
    "face lost before the apex": (None, no_face, ("face_lost",)),
    "two faces": (two_faces, two_faces, ("ok",)),
    "very dark image": (darken, darken, ("ok", "no_face", "face_lost")),
    "half-covered face": (cover_mouth, cover_mouth, ("ok", "no_face", "face_lost")),
    "upside-down face": (upside_down, upside_down, ("ok", "no_face", "face_lost")),
    "near-profile face (a third of the width)": (squeeze, squeeze, ("ok", "no_face", "face_lost")),
    "image of 8 x 8 pixels": (lambda image: image[::64, ::64], lambda image: image[::64, ::64], ("no_face",)),
    "gray image": (lambda image: image.mean(2).astype(np.uint8), None, ("ok",)),
    "none": (None, None, ("ok",)),
}
for _fault, (_, _, _statuses) in FACES.items():
    if _fault != "none":
        _outcome = ", ".join(f"`{status}`" for status in _statuses).replace("`, `face_lost", "` or `face_lost")
        if _fault == "two faces":
            _outcome += ": the largest, or the one chosen by `--face`; the message gives their number"
        ROWS.append(Row("faces", _fault, _outcome, "test_hard_faces_get_a_status"))


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


def test_hard_faces_get_a_status(astronaut, tmp_path):
    for name, (onset, apex, _) in FACES.items():
        images = (astronaut if change is None else change(astronaut) for change in (onset, apex or onset))
        write(tmp_path / "videos" / "al" / name, *images)
    write(tmp_path / "videos" / "al" / "zz", astronaut, astronaut)
    found = extract(tmp_path, list(FACES))
    for name, (_, _, statuses) in FACES.items():
        assert found[name][0] in statuses, (name, found[name])
        assert found[name][1] or found[name][0] == "ok"
    if sys.version_info < (3, 13):  # the landmarker of newer releases of MediaPipe finds one of the two
        assert found["two faces"][1] == "2 faces; took the largest"
