"""Reads clips, which are video files or folders of frames, lazily and with exact frame numbers.

Frames of a video file are numbered from 0 in presentation order. Frames in a folder have the last integer in their file
names as their number, as in the annotations of CASME II, SAMM and others.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mer.utils.atomic_files import write_whole

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

IMAGE_SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".gif", ".jp2", ".avif",
    ".pgm", ".ppm", ".pnm",
}  # fmt: skip
# Files that are opened with FFmpeg; other files in a folder of videos are named, but not read.
VIDEO_SUFFIXES = {
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".mts", ".m2ts", ".ts",
    ".3gp", ".3g2", ".ogv", ".mxf", ".mjpeg", ".mjpg", ".gif", ".asf", ".vob", ".m2v", ".mpe", ".m1v", ".divx", ".dv",
    ".f4v", ".y4m", ".nut", ".h264", ".264", ".hevc", ".h265", ".265", ".ivf", ".apng", ".rm", ".rmvb",
}  # fmt: skip

DIGITS = 15  # of a frame number, at most

Image = np.ndarray  # uint8 (H, W, 3), RGB


class ClipError(ValueError):
    """A clip that cannot be read, or a frame that is not in it."""


@dataclass(frozen=True, eq=False)
class Clip:
    """An open clip; frames are decoded when they are read.

    Attributes
    ----------
    path : Path
    numbers : int64 (n,)
        Frame numbers, ascending; a folder may have gaps.
    times : float64 (n,)
        Seconds since the first frame; NaN if unknown, as for a folder of frames.
    fps : float
        Frames per second, from the timestamps; NaN if unknown.
    """

    path: Path
    numbers: np.ndarray
    times: np.ndarray
    fps: float
    _read: Callable[[Sequence[int]], Iterator[Image]]  # ascending positions -> their images

    def __len__(self) -> int:
        return len(self.numbers)

    def frames(self, numbers: Iterable[int] | None = None) -> Iterator[tuple[int, Image]]:
        """Yield `(number, image)` of the given frames in ascending order, one at a time; all frames by default.

        Raises
        ------
        ClipError
            If a number is not in the clip (raised before decoding), or a frame cannot be decoded.
        """
        wanted = self.numbers if numbers is None else np.unique(np.fromiter(numbers, np.int64))
        positions = np.searchsorted(self.numbers, wanted)
        for number, position in zip(wanted, positions):
            if position == len(self) or self.numbers[position] != number:
                frames = f"its {len(self)} frames are {self.numbers[0]} to {self.numbers[-1]}"
                raise ClipError(f"{self.path} has no frame {number}; {frames}")
        yield from zip(wanted.tolist(), self._read(positions.tolist()))

    def frame(self, number: int) -> Image:
        """The image of one frame: uint8 (H, W, 3), RGB."""
        return next(self.frames([number]))[1]


def open_clip(path: str | Path) -> Clip:
    """Open a video file or a folder of frames.

    Raises
    ------
    FileNotFoundError
        If `path` does not exist.
    ClipError
        If it has no frames, or is not a video.
    """
    path = Path(path)
    if path.is_dir():
        return _open_folder(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    return _open_video(path)


# --- folders of frames ---


def frame_files(folder: Path, suffixes: Collection[str] = IMAGE_SUFFIXES) -> dict[int, Path]:
    """Frame number -> file, ascending, of the numbered pictures in a folder; hidden files are ignored.

    `ClipError` if two pictures have the same number, or a number has more than :data:`DIGITS` digits.
    """
    files: dict[int, Path] = {}
    for file in sorted(folder.iterdir()):
        numbers = re.findall(r"\d+", file.stem)
        if file.suffix.lower() not in suffixes or file.name.startswith(".") or not numbers:
            continue
        if len(numbers[-1]) > DIGITS:
            raise ClipError(
                f"{folder}: the number in {file.name} has {len(numbers[-1])} digits, more than a frame number"
            )
        number = int(numbers[-1])
        if number in files:
            raise ClipError(
                f"{folder}: {files[number].name} and {file.name} are both frame {number}; remove one of them"
            )
        files[number] = file
    return dict(sorted(files.items()))


def _open_folder(folder: Path) -> Clip:
    files = frame_files(folder)
    if not files:
        raise ClipError(f"{folder} has no pictures with a number in their names")
    numbers = np.fromiter(files, np.int64)
    unknown = np.full(len(files), np.nan)
    return Clip(folder, numbers, unknown, float("nan"), partial(_read_pictures, list(files.values())))


def _read_pictures(files: list[Path], positions: Sequence[int]) -> Iterator[Image]:
    return (read_image(files[position]) for position in positions)


def read_image(file: str | Path) -> Image:
    """A picture as uint8 (H, W, 3), RGB: gray is repeated, transparency is dropped, EXIF rotation is applied."""
    import cv2

    data = np.fromfile(file, np.uint8)  # cv2.imread cannot open every name on Windows
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise ClipError(f"{file} is not a readable picture")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


# --- video files ---


def _open(path: Path) -> InputContainer:
    """Open a video, even if its title is not UTF-8. PyAV 19 accepts such titles and no longer has the option."""
    import av

    replace = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
    return av.open(str(path), **replace)  # type: ignore[call-overload]


def _open_video(path: Path) -> Clip:
    """Index the packets without decoding them: timestamps of all frames, and key frames to start decoding from."""
    import av

    try:
        with _open(path) as container:
            if not container.streams.video:
                raise ClipError(f"{path} has no video stream")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise ClipError(f"{path}: this FFmpeg has no decoder for its video")
            packets = [(p.pts, p.is_keyframe) for p in container.demux(stream) if p.size and not p.is_discard]
            seconds_per_tick = float(stream.time_base or 0)
            nominal_fps = float(stream.average_rate or 0)
    except (av.error.FFmpegError, OSError) as error:
        raise ClipError(f"{path} is not a readable video ({error.strerror or error})") from error
    if not packets:
        raise ClipError(f"{path} has no frames")
    if any(pts is None for pts, _ in packets) or len({pts for pts, _ in packets}) < len(packets):
        return _open_without_timestamps(path, nominal_fps)
    packets.sort()
    ticks = [int(pts or 0) for pts, _ in packets]
    keys = [position for position, (_, key) in enumerate(packets) if key]
    times = (np.array(ticks) - ticks[0]) * seconds_per_tick
    fps = (len(times) - 1) / times[-1] if len(times) > 1 and times[-1] > 0 else nominal_fps or float("nan")
    return Clip(path, np.arange(len(ticks)), times, round(fps, 6), partial(_read_video, path, ticks, keys))


def _as_clip_errors(read: Callable[..., Iterator[Image]]) -> Callable[..., Iterator[Image]]:
    """Turn every error of a reader of frames into a `ClipError`; damaged files can fail in any part of FFmpeg."""

    def reading(path: Path, *rest: Any) -> Iterator[Image]:
        import av

        try:
            yield from read(path, *rest)
        except (av.error.FFmpegError, OverflowError, IndexError) as error:
            raise ClipError(f"{path} cannot be decoded ({error})") from error

    return reading


@_as_clip_errors
def _read_video(path: Path, ticks: list[int], keys: list[int], positions: Sequence[int]) -> Iterator[Image]:
    """Continue decoding after the previous frame, or seek to the last key frame before the next if that is nearer."""
    frames: Iterator[VideoFrame] = iter(())
    current = -1  # position of the frame that was decoded last
    for position in positions:
        key = keys[max(bisect_right(keys, position) - 1, 0)] if keys else 0
        if current < 0 or key > current:
            frames = _frames_from(path, ticks[min(key, position)])
        frame = next((f for f in frames if f.pts is not None and f.pts >= ticks[position]), None)
        if frame is None or frame.pts != ticks[position]:
            raise ClipError(f"{path}: frame {position} cannot be decoded; the file is damaged there")
        current = position
        yield _upright_rgb(frame)


def _frames_from(path: Path, tick: int) -> Iterator[VideoFrame]:
    """Frames starting at `tick` or earlier."""
    with _open(path) as container:
        stream = container.streams.video[0]
        container.seek(tick, stream=stream, backward=True)
        frames = _decode(container, stream)
        first = next(frames, None)
        if first is not None and first.pts is not None and first.pts <= tick:
            yield first
            yield from frames
            return
    with _open(path) as container:  # without an index (MPEG-PS), the seek may end too late
        yield from _decode(container, container.streams.video[0])


def _decode(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    import av

    stream.codec_context.thread_count = 1  # clips are decoded in parallel processes
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            continue  # a damaged packet: its frames are missing, which their timestamps show


def _open_without_timestamps(path: Path, fps: float) -> Clip:
    """Open a raw stream or an old container without usable timestamps: its frames are decoded to count them."""
    import av

    try:
        with _open(path) as container:
            n = sum(1 for _ in _decode(container, container.streams.video[0]))
    except av.error.FFmpegError as error:
        raise ClipError(f"{path} cannot be decoded ({error})") from error
    if not n:
        raise ClipError(f"{path} has no frames that can be decoded")
    return Clip(path, np.arange(n), np.arange(n) / (fps or np.nan), fps or float("nan"), partial(_read_in_order, path))


@_as_clip_errors
def _read_in_order(path: Path, positions: Sequence[int]) -> Iterator[Image]:
    wanted = set(positions)
    with _open(path) as container:
        for position, frame in enumerate(_decode(container, container.streams.video[0])):
            if position in wanted:
                yield _upright_rgb(frame)
            if position == positions[-1]:
                return


def _upright_rgb(frame: VideoFrame) -> Image:
    """The frame as RGB, rotated by its display matrix; phones record sideways."""
    image = frame.to_ndarray(format="rgb24")
    quarter_turns = round(frame.rotation / 90) % 4  # counterclockwise, as in np.rot90
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image


def write_video(path: Path, frames: Iterable[np.ndarray], size: int, fps: int) -> None:
    """Write an H.264 video, `frames` being uint8 `(size, size, 3)`, RGB.

    The quality preserves motion below a pixel. One thread makes the bytes reproducible.
    """
    import av

    with write_whole(path, "wb") as file, av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        # With macroblock trees, x264 writes other bytes once in a hundred times, even on one thread.
        stream.options = {"crf": "12", "threads": "1", "x264-params": "mbtree=0"}
        stream.codec_context.time_base = Fraction(1, fps)
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
