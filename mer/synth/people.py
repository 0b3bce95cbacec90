"""The people who are rendered: from photographs, varied if there are too few, or generated."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mer.datasets.person_split import person_of
from mer.synth.portrait import SIZE, Portrait, PortraitError, find_pictures, load_portrait, picture_fault
from mer.synth.skin import generate_portrait, skin_model, warp_map
from mer.utils.atomic_files import write_whole


@dataclass(frozen=True)
class Person:
    """A usable photograph: its file, the name shared by all photographs of this person, and detected landmarks."""

    path: str
    name: str
    landmarks: tuple[tuple[float, float, float], ...] | None = None


def find_people(folder: str | Path, cache: str | Path) -> list[Person]:
    """The usable photographs in a folder; `PortraitError` if there are none.

    Pictures whose names start with the same number and an underscore (`001_03.jpg`, `001_08.jpg`) show one person;
    otherwise each picture shows another person. `cache` is a JSON file for detected landmarks and for the reasons why
    pictures were rejected, so that the next run need not look at the pictures again.
    """
    folder, cache = Path(folder), Path(cache)
    files = find_pictures(folder)
    entries = _read_cache(cache)
    people: list[Person] = []
    changed = False
    for file in files:
        name = file.relative_to(folder).as_posix()
        entry = entries.get(name)
        if entry is None or entry.get("bytes") != file.stat().st_size:
            fault, detected = picture_fault(file)
            entry = {"bytes": file.stat().st_size, "fault": fault}
            if detected is not None:
                entry["landmarks"] = np.round(detected, 3).tolist()
            entries[name], changed = entry, True
        if entry["fault"]:
            continue
        points = entry.get("landmarks")
        people.append(Person(str(file), person_of(file.name), None if points is None else tuple(map(tuple, points))))
    if changed:
        with write_whole(cache) as out:
            json.dump(entries, out)
    if not people:
        first = next(iter(entries.values()), {"fault": ""})["fault"]
        raise PortraitError(f"{folder}: none of {len(files)} pictures can be used; the first: {first}")
    return people


def _read_cache(path: Path) -> dict[str, dict[str, Any]]:
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError:
        return {}  # a damaged cache is rebuilt


def draw_portrait(person: Person | None, use: int, rng: np.random.Generator) -> Portrait:
    """The portrait of an identity: generated, or from a photograph, which is varied if it is in use already."""
    if person is None:
        return generate_portrait(rng)
    landmarks = None if person.landmarks is None else np.array(person.landmarks, np.float32)
    portrait = load_portrait(person.path, landmarks)
    return vary_portrait(portrait, rng) if use else portrait


def vary_portrait(portrait: Portrait, rng: np.random.Generator) -> Portrait:
    """Make another person from a portrait: other proportions, another tint."""
    image, matte, landmarks = portrait.image, portrait.matte, portrait.landmarks
    mean, *modes = skin_model().landmarks
    coefficients = np.clip(rng.normal(0, 0.7, len(modes)), -1.5, 1.5).astype(np.float32)
    scale = np.ptp(landmarks[:, 0]) / np.ptp(mean[:, 0])
    moved = landmarks + np.tensordot(coefficients, modes, 1) * scale
    position = warp_map(landmarks[:, :2], moved[:, :2], SIZE)
    image = cv2.remap(image, position[..., 0], position[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    matte = cv2.remap(matte, position[..., 0], position[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    tint = rng.uniform(0.85, 1.12) * rng.uniform(0.96, 1.04, 3)
    gamma = rng.uniform(0.85, 1.18)
    table = np.clip(255 * (np.arange(256)[:, None] / 255) ** gamma * tint, 0, 255).astype(np.uint8)
    image = np.stack([table[image[..., c], c] for c in range(3)], axis=-1)
    return replace(portrait, image=image, matte=matte, landmarks=moved.astype(np.float32))
