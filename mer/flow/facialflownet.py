"""Read and write folders in the layout of FacialFlowNet (Lu et al., ACM MM 2024; github.com/RIA1159/FacialFlowNet).

    ROOT/image/facial/<split>/<emotion>/<sequence>/0000.jpg ...   frames
    ROOT/image/head/<split>/<emotion>/<sequence>/0001.jpg ...     frames if only the head had moved (optional)
    ROOT/flow/facial/<split>/<emotion>/<sequence>/0000.flo ...    flow from each frame to the next
    ROOT/flow/head/<split>/<emotion>/<sequence>/0000.flo ...
    ROOT/mask/<split>/<emotion>/<sequence>/0000.npy ...           face mask of the first frame of each pair, uint8

A sequence of n frames has n - 1 pairs. mer adds, beyond the original layout:

    ROOT/label/<split>/<emotion>/<sequence>.json      action units, pose and lighting per frame; identity, seed
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
    """A folder that is not a complete FacialFlowNet copy, or a damaged file in it."""


@dataclass(frozen=True)
class PairFiles:
    """Paths of one pair of frames in a FacialFlowNet folder."""

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
        """Load both frames, uint8 (H, W, 3) RGB, and their flow; `FacialFlowNetError` for damaged files."""
        first, second = _read_image(self.first), _read_image(self.second)
        try:
            mask = np.load(self.mask, allow_pickle=False)
            flow = Flow.split(read_flo(self.facial), read_flo(self.head), mask.reshape(mask.shape[:2]))
        except (ValueError, OSError, EOFError) as error:
            raise FacialFlowNetError(f"{self.facial.parent}, pair {self.number}: {error}") from error
        if first.shape != second.shape or first.shape[:2] != flow.mask.shape:
            raise FacialFlowNetError(
                f"{self.first} is {first.shape[:2]}, the next frame {second.shape[:2]}, the flow {flow.mask.shape}"
            )
        return first, second, flow

    def landmarks(self) -> np.ndarray | None:
        """Landmarks of the first frame, float32 (478, 3); None if the folder was not written by mer."""
        if self.label is None:
            return None
        with np.load(self.label.with_suffix(".npz"), allow_pickle=False) as arrays:
            return arrays["landmarks"][self.number]

    def occlusion(self) -> np.ndarray | None:
        """1 where a point of the first frame is hidden in the second, uint8 (H, W); None as in :meth:`landmarks`."""
        if self.label is None:
            return None
        with np.load(self.label.with_suffix(".npz"), allow_pickle=False) as arrays:
            width = int(arrays["width"])
            return np.unpackbits(arrays["occlusion"][self.number], axis=1)[:, :width]


def read_facialflownet(root: str | Path, split: str = "train", *, incomplete: str = "error") -> list[PairFiles]:
    """List the pairs of one split of FacialFlowNet data, the original or made by `mer synth`.

    Parameters
    ----------
    root : str or Path
    split : {"train", "val", "test"}
    incomplete : {"error", "skip"}
        What to do with sequences whose frames, flows and masks differ in number.

    Raises
    ------
    FacialFlowNetError
        If a folder is missing or, with `incomplete="error"`, a sequence is incomplete.
    """
    root = Path(root)
    if split not in SPLITS:
        raise ValueError(f"no split {split!r}; there are {', '.join(SPLITS)}")
    if incomplete not in ("error", "skip"):
        raise ValueError(f"incomplete={incomplete!r}; expected 'error' or 'skip'")
    if not root.is_dir():
        raise FileNotFoundError(f"no such folder: {root}")
    images, facial, head, masks = parts = [
        root / "image" / "facial", root / "flow" / "facial", root / "flow" / "head", root / "mask",
    ]  # fmt: skip
    missing = [str(part / split) for part in parts if not (part / split).is_dir()]
    if missing:
        others = [name for name in SPLITS if name != split and all((part / name).is_dir() for part in parts)]
        if others:
            raise FacialFlowNetError(f"{root}: no split {split!r}, only {' and '.join(others)}; set --split")
        raise FacialFlowNetError(f"{root}: not a complete FacialFlowNet copy; it lacks {', '.join(missing)}")
    pairs, problems = [], []
    for folder in sorted(p for p in (facial / split).glob("*/*") if p.is_dir()):
        emotion, sequence = folder.parent.name, folder.name
        key = Path(split, emotion, sequence)
        frame_files, mask_files = _numbered(images / key, ".jpg"), _numbered(masks / key, ".npy")
        facial_files, head_files = _numbered(folder, ".flo"), _numbered(head / key, ".flo")
        n = len(frame_files) - 1
        if n < 1 or len(facial_files) != n or len(head_files) != n or len(mask_files) < n:
            problems.append(
                f"{key}: {n + 1} frames need {max(n, 1)} flows; found {len(facial_files)} facial, "
                f"{len(head_files)} head, {len(mask_files)} masks"
            )
            continue
        label = _label_path(root, key)
        pairs += [
            PairFiles(
                emotion, sequence, k, frame_files[k], frame_files[k + 1], facial_files[k], head_files[k], mask_files[k],
                label if label.exists() else None,
            )
            for k in range(n)
        ]  # fmt: skip
    if problems and incomplete == "error":
        more = f" ... and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise FacialFlowNetError(
            f"{root}: {len(problems)} incomplete sequences: {'; '.join(problems[:3])}{more}. "
            "Complete the copy, or skip them: read_facialflownet(..., incomplete='skip')"
        )
    if not pairs:
        raise FacialFlowNetError(f"{root}: no pairs in split {split!r}")
    return pairs


def _numbered(folder: Path, suffix: str) -> list[Path]:
    """Files sorted by the last number in their names."""
    files = [p for p in folder.glob(f"*{suffix}") if not p.name.startswith(".")] if folder.is_dir() else []
    return sorted(files, key=lambda p: (int((re.findall(r"\d+", p.stem) or ["-1"])[-1]), p.name))


def _read_image(path: Path) -> np.ndarray:
    """Image file as uint8 (H, W, 3) RGB."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FacialFlowNetError(f"{path}: not a readable image")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _label_path(root: Path, key: Path) -> Path:
    """Label of the sequence `<split>/<emotion>/<sequence>`; it is written last, when the sequence is complete."""
    return root / "label" / key.with_name(f"{key.name}.json")


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
    """Write a sequence of n frames with its n - 1 flows. The label is written last and marks the sequence as complete.

    Parameters
    ----------
    frames : uint8 (H, W, 3) each
    flows : Flow each
        From each frame to the next.
    occlusions : uint8 (H, W) each
    landmarks : float32 (n, 478, 3)
    record : dict
        Content of the `.json` file.
    heads : uint8 (H, W, 3) each
        The second frame of each pair if only the head had moved.
    quality : int
        JPEG quality.
    """
    root, key = Path(root), Path(split, emotion, sequence)
    for k, frame in enumerate(frames):
        _write_jpeg(root / "image" / "facial" / key / f"{k:04d}.jpg", frame, quality)
    for k, frame in enumerate(heads, 1):
        _write_jpeg(root / "image" / "head" / key / f"{k:04d}.jpg", frame, quality)
    for k, flow in enumerate(flows):
        write_flo(root / "flow" / "facial" / key / f"{k:04d}.flo", flow.facial)
        write_flo(root / "flow" / "head" / key / f"{k:04d}.flo", flow.head)
        with write_whole(root / "mask" / key / f"{k:04d}.npy", "wb") as file:
            np.save(file, flow.mask)
    label = _label_path(root, key)
    with write_whole(label.with_suffix(".npz"), "wb") as file:
        bits = np.packbits(np.asarray(occlusions, np.uint8), axis=2)
        np.savez(file, landmarks=landmarks.astype(np.float32), occlusion=bits, width=np.array(frames[0].shape[1]))
    with write_whole(label) as file:
        json.dump(record, file, indent=1, sort_keys=True)
        file.write("\n")


def _write_jpeg(path: Path, image: np.ndarray, quality: int) -> None:
    """Write uint8 (H, W, 3) RGB as JPEG."""
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise OSError(f"{path}: the image could not be encoded")
    with write_whole(path, "wb") as file:
        file.write(data.tobytes())


def read_records(root: str | Path) -> Iterator[dict[str, Any]]:
    """Labels of a folder made by `mer synth`, one per sequence, sorted by path."""
    for path in sorted((Path(root) / "label").glob("*/*/*.json")):
        yield json.loads(path.read_text(encoding="utf-8"))
