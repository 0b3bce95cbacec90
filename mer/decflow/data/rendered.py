"""Training pairs rendered on the fly by `mer.synth`: heads of a face model, with exact flows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mer.decflow.data.degradation import degrade
from mer.decflow.data.pairs import Pair
from mer.decflow.data.warped_photos import Photo, read_photos

IDENTITIES = 256  # generated people per split


class Rendered:
    """Pairs of one face model.

    Parameters
    ----------
    model : str
        `makehuman`, `ict` or `flame`.
    split : {"train", "val", "test"}
        No identity is in two splits.
    file : str or Path, optional
        File of the face model, for models that do not come with mer.
    faces : sequence of folders, optional
        Portraits (with `landmarks478.json`) whose skin is used; by default generated skin.
    large : float
        Share of pairs with FacialFlowNet's large motion; the others are micro-expressions.
    """

    def __init__(
        self,
        model: str,
        split: str,
        file: str | Path | None = None,
        faces: Sequence[str | Path] = (),
        large: float = 0.15,
    ) -> None:
        from mer.synth.face_model_registry import load_face_model

        if file is None and model in ("ict", "flame"):
            raise ValueError(f"render:{model} needs the face model's file: render:{model}=FILE")
        self.name, self.large = model, large
        self.model = load_face_model(model, file)
        self.photos: list[Photo] = read_photos(faces, split) if faces else []
        self.stream = ("train", "val", "test").index(split)
        self._person = lru_cache(maxsize=IDENTITIES)(self._make_person)

    def _make_person(self, identity: int) -> tuple[Any, Any]:
        """`(portrait, head)` of an identity; unusable photographs are replaced by a generated face."""
        from mer.synth.head import make_head
        from mer.synth.portrait import PortraitError, load_portrait
        from mer.synth.skin import generate_portrait

        portrait = None
        if self.photos:
            photo = self.photos[identity]
            try:
                portrait = load_portrait(photo.file, photo.landmarks)
            except PortraitError:
                portrait = None
        if portrait is None:
            portrait = generate_portrait(np.random.default_rng([20, self.stream, identity]))
        return portrait, make_head(portrait, self.model)

    def __call__(self, rng: np.random.Generator, size: int) -> Pair:
        from mer.synth.animation import ffn_clip, micro_clip
        from mer.synth.background import draw_background
        from mer.synth.camera import frame_camera
        from mer.synth.scene import Scene, label_pair, landmarks_at, render

        portrait, head = self._person(int(rng.integers(len(self.photos) or IDENTITIES)))
        if rng.random() < self.large:
            clip = ffn_clip(head, self.name, rng, 10)
            start = int(rng.integers(8))
            first, second = clip.states[start], clip.states[start + 1]
        else:
            first, second = micro_clip(head, self.name, rng, 2, head_motion=float(rng.choice([0, 1, 1, 2, 3]))).states
        center = (size * (0.5 + rng.normal(0, 0.02)), size * (0.36 + rng.normal(0, 0.02)))
        camera = frame_camera(rng.uniform(0.36, 0.48) * size, center)
        background = draw_background(size, camera, portrait, rng, from_portrait=False)
        scene = Scene(head, self.name, background, camera, size)
        truth = label_pair(scene, first, second)
        frames = [np.clip(np.rint(render(scene, state)), 0, 255).astype(np.uint8) for state in (first, second)]
        onset, apex = degrade(frames, rng, light=0.03)  # less than by default: the scene's light changes too
        flow, visible = truth.flow, (truth.occlusion == 0).astype(np.uint8)
        return Pair(onset, apex, flow.facial, flow.head, flow.mask, landmarks_at(scene, first), visible)


def open_rendered(text: str, split: str) -> Rendered:
    """The source `render:MODEL[=FILE][@FACES]`; FACES is a folder of portraits, or holds such folders."""
    specification, _, faces = text.removeprefix("render:").partition("@")
    model, _, file = specification.partition("=")
    folders: list[Path] = []
    if faces:
        folders = face_folders(faces)
        if not folders:
            raise FileNotFoundError(f"{faces}: no faces (landmarks478.json there or one level down)")
    return Rendered(model, split, file or None, folders)


def face_folders(folder: str | Path) -> list[Path]:
    """The folder itself if it holds portraits with `landmarks478.json`, otherwise its subfolders that do."""
    folder = Path(folder)
    if (folder / "landmarks478.json").exists():
        return [folder]
    return sorted(table.parent for table in folder.glob("*/landmarks478.json"))
