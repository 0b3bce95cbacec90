"""Read and write folders in the layout of FacialFlowNet (Lu et al., ACM MM 2024; github.com/RIA1159/FacialFlowNet).

    ROOT/image/facial/<split>/<emotion>/<sequence>/0000.jpg ...   frames
    ROOT/image/head/<split>/<emotion>/<sequence>/0001.jpg ...     frames if only the head had moved (optional)
    ROOT/flow/facial/<split>/<emotion>/<sequence>/0000.flo ...    flow from each frame to the next
    ROOT/flow/head/<split>/<emotion>/<sequence>/0000.flo ...
    ROOT/mask/<split>/<emotion>/<sequence>/0000.npy ...           face mask of the first frame of each pair, uint8

The last number in each file name counts the frames: flow 3 leads from frame 3 to frame 4. The first frame may have any
number. Frames are read in any format of :data:`mer.datasets.video.IMAGE_SUFFIXES`. A sequence of n frames has n - 1
pairs. mer adds, beyond the original layout:

    ROOT/label/<split>/<emotion>/<sequence>.json      action units, pose and lighting per frame; identity, seed
    ROOT/label/<split>/<emotion>/<sequence>.npz       `landmarks` (n, 478, 3), `occlusion` (n - 1, H, W) as bits
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import cv2
import numpy as np

from mer.datasets.video import IMAGE_SUFFIXES, frame_files, read_image
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
    number: int  # of the first frame, as in its file name
    first: Path
    second: Path
    facial: Path
    head: Path
    mask: Path
    label: Path | None

    def load(self) -> tuple[np.ndarray, np.ndarray, Flow]:
        """Load both frames, uint8 (H, W, 3) RGB, and their flow; `FacialFlowNetError` for damaged files."""
        with self._reported():
            first, second = read_image(self.first), read_image(self.second)
            flow = Flow.split(read_flo(self.facial), read_flo(self.head), _read_mask(self.mask))
            if not first.shape[:2] == second.shape[:2] == flow.mask.shape:
                raise ValueError(
                    f"frames of {first.shape[:2]} and {second.shape[:2]} pixels with a flow of {flow.mask.shape}; "
                    "expected one size"
                )
        return first, second, flow

    def landmarks(self) -> np.ndarray | None:
        """Landmarks of the first frame, float32 (478, 3); None if the folder was not written by mer."""
        labels = self._labels()
        return labels and labels[0]

    def occlusion(self) -> np.ndarray | None:
        """1 where a point of the first frame is hidden in the second, uint8 (H, W); None as in :meth:`landmarks`."""
        labels = self._labels()
        return labels and labels[1]

    def _labels(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Landmarks and occlusion; `FacialFlowNetError` if the file does not have those of this pair."""
        if self.label is None:
            return None
        with self._reported(), np.load(self.label.with_suffix(".npz"), allow_pickle=False) as arrays:
            landmarks, occlusion = arrays["landmarks"], arrays["occlusion"]
            if not self.number < len(occlusion) == len(landmarks) - 1:
                raise ValueError(f"landmarks of {len(landmarks)} frames and occlusion of {len(occlusion)} pairs")
            return landmarks[self.number], np.unpackbits(occlusion[self.number], axis=1)[:, : int(arrays["width"])]

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Turn errors of damaged files into a `FacialFlowNetError` that names the pair."""
        try:
            yield
        except (ValueError, OSError, EOFError, KeyError, BadZipFile) as error:
            raise FacialFlowNetError(f"{self.emotion}/{self.sequence}, pair {self.number}: {error}") from error


def read_facialflownet(root: str | Path, split: str = "train", *, incomplete: str = "error") -> list[PairFiles]:
    """List the pairs of one split of FacialFlowNet data, the original or made by `mer synth`.

    Parameters
    ----------
    root : str or Path
    split : {"train", "val", "test"}
    incomplete : {"error", "skip"}
        What to do with sequences of which a frame, flow or mask is missing.

    Raises
    ------
    FacialFlowNetError
        If a folder is missing or, with `incomplete="error"`, a sequence is incomplete.
    """
    root = Path(root)
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; choose from {', '.join(SPLITS)}")
    if incomplete not in ("error", "skip"):
        raise ValueError(f"incomplete={incomplete!r}; expected 'error' or 'skip'")
    if not root.is_dir():
        raise FileNotFoundError(f"no such folder: {root}")
    parts = [root / part for part in ("image/facial", "flow/facial", "flow/head", "mask")]
    missing = [str(part / split) for part in parts if not (part / split).is_dir()]
    if missing:
        others = [name for name in SPLITS if name != split and all((part / name).is_dir() for part in parts)]
        if others:
            raise FacialFlowNetError(f"{root}: no split {split!r}, only {' and '.join(others)}; set --split")
        raise FacialFlowNetError(f"{root}: not a complete FacialFlowNet copy; it lacks {', '.join(missing)}")
    pairs, problems = [], []
    for key in sorted(
        {p.relative_to(part) for part in parts for p in (part / split).glob("[!.]*/[!.]*") if p.is_dir()}
    ):
        try:
            frames, facial_flows, head_flows, masks = _sequence_files(*(part / key for part in parts))
        except ValueError as error:
            problems.append(f"{key.as_posix()}: {error}")
            continue
        label = _label_path(root, key)
        pairs += [
            PairFiles(
                key.parent.name, key.name, k, frames[k], frames[k + 1], facial_flows[k], head_flows[k], masks[k],
                label if label.exists() else None,
            )
            for k in facial_flows
        ]  # fmt: skip
    if problems and incomplete == "error":
        more = f" ... and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise FacialFlowNetError(
            f"{root}: {len(problems)} incomplete sequences: {'; '.join(problems[:3])}{more}. "
            "Complete or renumber the copy (flow 3 leads from frame 3 to frame 4, under mask 3), or skip them: "
            "read_facialflownet(..., incomplete='skip')"
        )
    if not pairs:
        raise FacialFlowNetError(f"{root}: no pairs in split {split!r}")
    return pairs


def _sequence_files(*folders: Path) -> list[dict[int, Path]]:
    """Number -> file of frames, facial flows, head flows and masks of one sequence; `ValueError` if any is missing."""
    kinds = {"frame": IMAGE_SUFFIXES, "facial flow": (".flo",), "head flow": (".flo",), "mask": (".npy",)}
    files = []
    for (kind, suffixes), folder in zip(kinds.items(), folders):
        files.append(frame_files(folder, suffixes) if folder.is_dir() else {})
        if not files[-1]:
            raise ValueError(
                f"no {kind}s in {folder}; expected {', '.join(sorted(suffixes))} with a number in the name"
            )
    frames, facial, head, masks = files
    first = min(map(min, files))
    last = max(*frames, *masks, *(number + 1 for number in (*facial, *head)))
    missing = []
    for kind, numbers in zip(kinds, files):
        needed = range(first, last + (kind == "frame"))
        n = len(needed) - sum(number in needed for number in numbers)
        if n:
            missing.append(f"no {kind} {next(k for k in needed if k not in numbers)}" + f" and {n - 1} more" * (n > 1))
    if missing:
        raise ValueError(", ".join(missing))
    return files


def _read_mask(path: Path) -> np.ndarray:
    """Face mask of numbers or booleans, (H, W), also from (H, W, 1) or (1, H, W)."""
    mask = np.load(path, mmap_mode="r", allow_pickle=False)  # mapped, so that a header cannot claim any size
    if mask.dtype.kind not in "buif" or np.isnan(mask).any():
        raise ValueError(f"{path}: expected a mask of numbers, 0 outside the face")
    return mask.squeeze() if mask.ndim == 3 else mask


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
