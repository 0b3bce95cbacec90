"""From two frames of a clip to the flow between them: face, alignment, crops, flow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mer.datasets.video import Clip, size_change
from mer.extraction.methods import estimate_flow
from mer.extraction.settings import FACES, ExtractionSettings
from mer.face import Alignment, Face, align, crop, detect_faces, transform
from mer.flow import Flow


class ClipFault(Exception):
    """A clip that cannot be used: its `status` and a message for the samples table."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, eq=False)
class Onset:
    """The onset of an expression: frame number, image, face, and the number of faces in it.

    `tracked` says whether the face was chosen by where a tracker last saw it.
    """

    number: int
    image: np.ndarray
    face: Face
    n_faces: int
    tracked: bool


@dataclass(frozen=True, eq=False)
class Expression:
    """The motion of one face from an onset to an apex.

    Attributes
    ----------
    onset, apex : int
        Frame numbers.
    alignment : Alignment
        From the video to the crop of the onset.
    landmarks : float32 (478, 3)
        Face-mesh points of the onset, pixels of the crop.
    crops : (uint8 (H, W, 3), uint8 (H, W, 3))
        Onset and apex, aligned.
    flow : Flow
        From onset to apex.
    n_faces : int
        Faces in the onset.
    """

    onset: int
    apex: int
    alignment: Alignment
    landmarks: NDArray[np.float32]
    crops: tuple[np.ndarray, np.ndarray]
    flow: Flow
    n_faces: int = 1


def find_onset(clip: Clip, number: int, settings: ExtractionSettings, tracked: Face | None = None) -> Onset:
    """Read the onset and choose its face.

    Parameters
    ----------
    clip : Clip
    number : int
        Frame number of the onset.
    settings : ExtractionSettings
    tracked : Face, optional
        The face as a tracker last saw it: the closest face is taken, or `tracked` itself if none is found. Without it,
        `settings.face` decides.

    Raises
    ------
    ClipFault
        `no_face`, if there is none and `tracked` is not given.
    """
    image = clip.frame(number)
    faces = detect_faces(image, settings.align)
    if tracked is not None:
        face = closest_face(faces, tracked) if faces else tracked
    elif faces:
        face = min(faces, key=FACES[settings.face])
    else:
        raise ClipFault("no_face", f"no face in frame {number}")
    return Onset(number, image, face, len(faces), tracked is not None)


def measure_expression(clip: Clip, onset: Onset, apex: int, settings: ExtractionSettings) -> Expression:
    """Align onset and apex, and estimate the flow between them.

    Both are aligned by the onset's face; with `settings.stabilize`, the apex is aligned by its own. Unless the face is
    tracked, the apex must show a face too.

    Raises
    ------
    ClipFault
        `face_lost`, if there is no face in the apex; `unreadable`, if the frames differ in size.
    """
    image = clip.frame(apex)
    if image.shape != onset.image.shape:
        raise ClipFault("unreadable", size_change((onset.number, apex), (onset.image.shape, image.shape)))
    alignment = apex_alignment = align(onset.face.landmarks, settings.size)
    if not onset.tracked:
        faces = detect_faces(image, settings.align)
        if not faces:
            raise ClipFault("face_lost", f"a face in frame {onset.number}, none in frame {apex}")
        if settings.stabilize:
            apex_alignment = align(closest_face(faces, onset.face).landmarks, settings.size)
    crops = crop(onset.image, alignment), crop(image, apex_alignment)
    landmarks = transform(onset.face.landmarks, alignment.matrix)
    flow = estimate_flow(*crops, method=settings.method, landmarks=landmarks, device=settings.device)
    return Expression(onset.number, apex, alignment, landmarks, crops, flow, onset.n_faces)


def closest_face(faces: list[Face], other: Face) -> Face:
    """The face whose box is closest to that of `other`."""
    return min(faces, key=lambda face: float(np.abs(face.box - other.box).sum()))
