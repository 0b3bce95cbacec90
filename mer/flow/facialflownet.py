"""FacialFlowNet's folder layout, written and read (Lu et al., ACM MM 2024; github.com/RIA1159/FacialFlowNet).

    ROOT/image/facial/<split>/<emotion>/<sequence>/0000.jpg ...   the frames
    ROOT/image/head/<split>/<emotion>/<sequence>/0001.jpg ...     where only the head has moved on (optional)
    ROOT/flow/facial/<split>/<emotion>/<sequence>/0000.flo ...    from each frame to the next
    ROOT/flow/head/<split>/<emotion>/<sequence>/0000.flo ...
    ROOT/mask/<split>/<emotion>/<sequence>/0000.npy ...           the face in each first frame, uint8

A sequence of n frames has n - 1 pairs. mer adds, where the original has nothing of the kind:

    ROOT/label/<split>/<emotion>/<sequence>.json      action units, pose, light of each frame; identity, seed
    ROOT/label/<split>/<emotion>/<sequence>.npz       `landmarks` (n, 478, 3), `occlusion` (n - 1, H, W) as bits
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mer.flow import Flow, read_flo, write_flo
from mer.utils.atomic_files import write_whole

SPLITS = ("train", "val", "test")


class FacialFlowNetError(ValueError):
    """A folder that is not a complete FacialFlowNet copy; the message says what is missing."""


@dataclass(frozen=True)
class PairFiles:
    """One pair of frames of a FacialFlowNet folder, on disk."""

    emotion: str
    sequence: str
    number: int
    first: Path
    second: Path
    facial: Path
    head: Path
    mask: Path
    label: Path | None

    def load(self) -> tuple[np.ndarray, np.ndarray, Flow]:
        """The two frames, uint8 (H, W, 3) RGB, and the flow between them; `FacialFlowNetError` for damaged files."""
        first, second = read_picture(self.first), read_picture(self.second)
        try:
            mask = np.load(self.mask, allow_pickle=False)
            flow = Flow.split(read_flo(self.facial), read_flo(self.head), mask.reshape(mask.shape[:2]))
        except (ValueError, OSError, EOFError) as error:
            raise FacialFlowNetError(f"{self.facial.parent}, pair {self.number}: {error}") from error
        if first.shape != second.shape or first.shape[:2] != flow.mask.shape:
            raise FacialFlowNetError(
                f"{self.first}: {first.shape[:2]}, its next frame {second.shape[:2]}, their flow {flow.mask.shape}"
            )
        return first, second, flow

    def landmarks(self) -> np.ndarray | None:
        """The 478 landmarks of the first frame, float32 (478, 3), where mer has written them."""
        if self.label is None:
            return None
        with np.load(self.label.with_suffix(".npz"), allow_pickle=False) as arrays:
            return arrays["landmarks"][self.number]

    def occlusion(self) -> np.ndarray | None:
        """1 where the first frame's point is not seen in the second, uint8 (H, W), where mer has written it."""
        if self.label is None:
            return None
        with np.load(self.label.with_suffix(".npz"), allow_pickle=False) as arrays:
            width = int(arrays["width"])
            return np.unpackbits(arrays["occlusion"][self.number], axis=1)[:, :width]


def read_facialflownet(root: str | Path, split: str = "train", *, incomplete: str = "error") -> list[PairFiles]:
    """The pairs of one split of a FacialFlowNet folder, the original or one made by `mer synth`.

    Parameters
    ----------
    root : str or Path
    split : {"train", "val", "test"}
    incomplete : {"error", "skip"}
        What to do with sequences whose frames, flows and masks do not match in number.

    Raises
    ------
    FacialFlowNetError
        Says which folder is missing, or how many sequences are incomplete and what the first of them lacks.
    """
    root = Path(root)
    if split not in SPLITS:
        raise ValueError(f"no split {split!r}; there are {', '.join(SPLITS)}")
    if incomplete not in ("error", "skip"):
        raise ValueError(f"incomplete={incomplete!r}; expected 'error' or 'skip'")
    if not root.is_dir():
        raise FileNotFoundError(f"no such folder: {root}")
    parts = [root / "image" / "facial", root / "flow" / "facial", root / "flow" / "head", root / "mask"]
    absent = [str(part / split) for part in parts if not (part / split).is_dir()]
    if absent:
        others = [name for name in SPLITS if name != split and all((part / name).is_dir() for part in parts)]
        if others:
            raise FacialFlowNetError(
                f"{root}: no split {split!r}; there is {' and '.join(others)}: choose it by --split"
            )
        raise FacialFlowNetError(f"{root}: not a complete FacialFlowNet copy, there is no {', no '.join(absent)}")
    pairs, faults = [], []
    for folder in sorted(p for p in (root / "flow" / "facial" / split).glob("*/*") if p.is_dir()):
        emotion, sequence = folder.parent.name, folder.name
        place = Path(split) / emotion / sequence
        frames = _numbered(parts[0] / place, ".jpg")
        facial, head = _numbered(folder, ".flo"), _numbered(parts[2] / place, ".flo")
        masks = _numbered(parts[3] / place, ".npy")
        wanted = len(frames) - 1
        if wanted < 1 or len(facial) != wanted or len(head) != wanted or len(masks) < wanted:
            faults.append(
                f"{place}: {len(frames)} frames need {max(wanted, 1)} flows, there are {len(facial)} facial, "
                f"{len(head)} head, {len(masks)} masks"
            )
            continue
        label = root / "label" / split / emotion / f"{sequence}.json"
        known = label if label.exists() else None
        pairs += [
            PairFiles(emotion, sequence, k, frames[k], frames[k + 1], facial[k], head[k], masks[k], known)
            for k in range(wanted)
        ]
    if faults and incomplete == "error":
        more = f" ... and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise FacialFlowNetError(
            f"{root}: {len(faults)} incomplete sequences: {'; '.join(faults[:3])}{more}. "
            "Complete the copy; read_facialflownet(..., incomplete='skip') leaves them out"
        )
    if not pairs:
        raise FacialFlowNetError(f"{root}: no pairs in split {split!r}")
    return pairs


def _numbered(folder: Path, suffix: str) -> list[Path]:
    """Files in the order of the last number in their names."""
    files = [p for p in folder.glob(f"*{suffix}") if not p.name.startswith(".")] if folder.is_dir() else []
    return sorted(files, key=lambda p: (int((re.findall(r"\d+", p.stem) or ["-1"])[-1]), p.name))


def read_picture(path: Path) -> np.ndarray:
    """A picture as uint8 (H, W, 3) RGB."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FacialFlowNetError(f"{path}: not a readable picture")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def label_path(root: Path, split: str, emotion: str, sequence: str) -> Path:
    """The file whose presence says that a sequence is complete."""
    return root / "label" / split / emotion / f"{sequence}.json"


def write_sequence(
    root: str | Path,
    split: str,
    emotion: str,
    sequence: str,
    frames: Sequence[np.ndarray],
    flows: Sequence[Flow],
    *,
    occlusions: Sequence[np.ndarray],
    landmarks: np.ndarray,
    record: dict[str, Any],
    heads: Sequence[np.ndarray] = (),
    quality: int = 95,
) -> None:
    """Write a sequence of n frames with its n - 1 flows; its label comes last and says that it is complete.

    Parameters
    ----------
    frames : uint8 (H, W, 3) each
    flows : Flow each, from a frame to the next
    occlusions : uint8 (H, W) each
    landmarks : float32 (n, 478, 3)
    record : dict
        Goes into the `.json`.
    heads : uint8 (H, W, 3) each
        What each next frame would be if the head alone had moved.
    quality : int
        Of the JPEGs.
    """
    root, place = Path(root), Path(split) / emotion / sequence
    for k, frame in enumerate(frames):
        write_jpeg(root / "image" / "facial" / place / f"{k:04d}.jpg", frame, quality)
    for k, frame in enumerate(heads, 1):
        write_jpeg(root / "image" / "head" / place / f"{k:04d}.jpg", frame, quality)
    for k, flow in enumerate(flows):
        write_flo(root / "flow" / "facial" / place / f"{k:04d}.flo", flow.facial)
        write_flo(root / "flow" / "head" / place / f"{k:04d}.flo", flow.head)
        with write_whole(root / "mask" / place / f"{k:04d}.npy", "wb") as file:
            np.save(file, flow.mask)
    label = label_path(root, split, emotion, sequence)
    with write_whole(label.with_suffix(".npz"), "wb") as file:
        bits = np.packbits(np.asarray(occlusions, np.uint8), axis=2)
        np.savez(file, landmarks=landmarks.astype(np.float32), occlusion=bits, width=np.array(frames[0].shape[1]))
    with write_whole(label) as file:
        json.dump(record, file, indent=1, sort_keys=True)
        file.write("\n")


def write_jpeg(path: Path, image: np.ndarray, quality: int) -> None:
    """Write uint8 (H, W, 3) RGB as JPEG, whole or not at all."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise OSError(f"{path}: the picture could not be encoded")
    with write_whole(path, "wb") as file:
        file.write(data.tobytes())


def read_records(root: str | Path) -> Iterator[dict[str, Any]]:
    """The labels of a folder made by `mer synth`, one for each sequence, in a fixed order."""
    for path in sorted((Path(root) / "label").glob("*/*/*.json")):
        yield json.loads(path.read_text(encoding="utf-8"))
