"""Who is rendered: people in photographs, varied where there are too few of them, or faces that belong to nobody."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from mer.datasets.person_split import person_of
from mer.synth.portrait import Portrait, PortraitError, find_pictures, load_portrait, unsuitable_picture
from mer.synth.skin import SIZE, generate_portrait, skin_model, warp_between
from mer.utils.atomic_files import write_whole


@dataclass(frozen=True)
class Person:
    """A usable photograph: its file, and a name that all photographs of one person share."""

    path: str
    name: str
    landmarks: tuple[tuple[float, float, float], ...] | None = None


def find_people(folder: str | Path, notes: str | Path) -> list[Person]:
    """The photographs in a folder that can be used.

    Where a picture has no landmarks beside it (`landmarks478.json`), they are found, and kept in `notes` (JSON), so
    that the next run need not look again; `notes` also says why a picture is left out.

    Pictures whose names begin with the same number and an underscore (`001_03.jpg`, `001_08.jpg`) are of one person;
    otherwise each picture is of another.
    """
    folder, notes = Path(folder), Path(notes)
    files = find_pictures(folder)
    known: dict[str, dict] = {}
    if notes.exists():
        try:
            known = json.loads(notes.read_text(encoding="utf-8"))
        except ValueError:
            known = {}  # it is only a cache
    people: list[Person] = []
    changed = False
    for file in files:
        name = file.relative_to(folder).as_posix()
        entry = known.get(name)
        if entry is None or entry.get("bytes") != file.stat().st_size:
            fault, found = unsuitable_picture(file)
            entry = {"bytes": file.stat().st_size, "fault": fault}
            if found is not None:
                entry["landmarks"] = np.round(found, 3).tolist()
            known[name], changed = entry, True
        if entry["fault"]:
            continue
        marks = entry.get("landmarks")
        people.append(Person(str(file), person_of(file.name), None if marks is None else tuple(map(tuple, marks))))
    if changed:
        with write_whole(notes) as out:
            json.dump(known, out)
    if not people:
        first = next(iter(known.values()), {"fault": ""})["fault"]
        raise PortraitError(f"{folder}: none of {len(files)} pictures can be used; the first: {first}")
    return people


def draw_portrait(person: Person | None, use: int, rng: np.random.Generator) -> Portrait:
    """The portrait of an identity: a photograph as it is, a variation of it from its second use on, or a
    generated face.
    """
    if person is None:
        return generate_portrait(rng)
    marks = None if person.landmarks is None else np.array(person.landmarks, np.float32)
    portrait = load_portrait(person.path, marks)
    return vary_portrait(portrait, rng) if use else portrait


def vary_portrait(portrait: Portrait, rng: np.random.Generator) -> Portrait:
    """Another person from a portrait: other proportions, another tint."""
    image, matte, landmarks = portrait.image, portrait.matte, portrait.landmarks
    modes = skin_model().landmarks[1:]
    weights = np.clip(rng.normal(0, 0.7, len(modes)), -1.5, 1.5).astype(np.float32)
    moved = landmarks + np.tensordot(weights, modes, 1) * (
        np.ptp(landmarks[:, 0]) / np.ptp(skin_model().landmarks[0, :, 0])
    )
    places = warp_between(landmarks[:, :2], moved[:, :2], SIZE)
    image = cv2.remap(image, places[..., 0], places[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    matte = cv2.remap(matte, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    tone = rng.uniform(0.85, 1.12) * rng.uniform(0.96, 1.04, 3)
    gamma = rng.uniform(0.85, 1.18)
    table = np.clip(255 * (np.arange(256)[:, None] / 255) ** gamma * tone, 0, 255).astype(np.uint8)
    image = np.stack([table[image[..., c], c] for c in range(3)], axis=-1)
    return replace(portrait, image=image, matte=matte, landmarks=moved.astype(np.float32))
