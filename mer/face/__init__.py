"""Face detection, landmarks, and alignment to a square crop by one similarity transform per clip."""

from mer.face.align import (
    Alignment,
    align,
    crop,
    crop_landmarks,
    face_box,
    face_mask,
    frame_mask,
    region_mask,
    transform,
)
from mer.face.canonical import N_LANDMARKS, canonical_landmarks
from mer.face.detect import DETECTORS, Face, check_detector, detect_faces, detector_status
from mer.face.regions import REGIONS

__all__ = [
    "DETECTORS",
    "N_LANDMARKS",
    "REGIONS",
    "Alignment",
    "Face",
    "align",
    "canonical_landmarks",
    "check_detector",
    "crop",
    "crop_landmarks",
    "detect_faces",
    "detector_status",
    "face_box",
    "face_mask",
    "frame_mask",
    "region_mask",
    "transform",
]
