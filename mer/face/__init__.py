"""Faces: found, landmarked, and aligned to a crop by one similarity transform per clip."""

from mer.face.canonical import N_LANDMARKS, canonical_landmarks
from mer.face.regions import REGIONS

__all__ = ["N_LANDMARKS", "REGIONS", "canonical_landmarks"]
