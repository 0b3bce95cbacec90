"""Frames of a video file, numbered from 0 in presentation order as players count them.

Opening a file indexes its packets without decoding them, where that gives the number of frames. Other files are decoded
once to count their frames: containers without presentation timestamps (AVI, raw streams), those whose packets may hold
half a frame (MPEG-TS, MPEG-PS), and VP8, which has packets that show nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mer.datasets.pictures import ClipError, Image, check_pixels, significant_bits, stretch_note, to_8_bits

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Files that are opened with FFmpeg; other files in a folder of videos are named, but not read.
VIDEO_SUFFIXES = {
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".mts", ".m2ts", ".ts",
    ".3gp", ".3g2", ".ogv", ".mxf", ".mjpeg", ".mjpg", ".gif", ".asf", ".vob", ".m2v", ".mpe", ".m1v", ".divx", ".dv",
    ".f4v", ".y4m", ".nut", ".h264", ".264", ".hevc", ".h265", ".265", ".ivf", ".apng", ".rm", ".rmvb",
}  # fmt: skip
ONE_PACKET_PER_FRAME = ("mov", "matroska")  # containers, by the start of FFmpeg's names
CHECKED = 8  # frames that are decoded on opening
SQUARE = 0.01  # relative deviation of the aspect ratio of a pixel that is ignored


@dataclass
class VideoFile:
    """The index of a video file.

    Attributes
    ----------
    path : Path
    n : int
        Number of frames.
    ticks : list of int or None
        Presentation timestamps, ascending; None if frames can only be counted from the start.
    keys : list of int
        Positions of the frames from which decoding may start, ascending.
    times : float64 (n,)
        Seconds since the first frame.
    fps : float
    aspect : Fraction
        Width of a pixel, divided by its height.
    notes : list of str
    """

    path: Path
    n: int
    ticks: list[int] | None
    keys: list[int]
    times: np.ndarray
    fps: float
    aspect: Fraction
    notes: list[str] = field(default_factory=list)

    def read(self, positions: Sequence[int]) -> Iterator[Image | ClipError]:
        """Yield the image of each position, ascending, or a `ClipError` if the file is damaged there.

        Raises
        ------
        ClipError
            If the file cannot be opened.
        """
        import av

        try:
            for position, frame in self._frames(positions):
                if frame is None:
                    yield ClipError(f"{self.path}: frame {position} cannot be decoded; the file is damaged there")
                else:
                    yield self._image(frame)
        except (av.error.FFmpegError, OverflowError, IndexError) as error:  # damaged files fail in any part of FFmpeg
            raise ClipError(f"{self.path} cannot be decoded ({error})") from error

    def _frames(self, positions: Sequence[int]) -> Iterator[tuple[int, VideoFrame | None]]:
        """The frame of each position; None if it cannot be decoded."""
        if self.ticks is None:
            frames, first = _decode(self.path), 0
            for position in positions:
                yield position, next(islice(frames, position - first, None), None)
                first = position + 1
            return
        frames, frame = iter(()), None
        current = -1  # position that was decoded last
        retry = True
        for position in positions:
            tick = self.ticks[position]
            start = min(self.keys[max(bisect_right(self.keys, position) - 1, 0)], position) if self.keys else 0
            seeks = current < 0 or start > current + 1
            if seeks:
                frames, frame = _decode_from(self.path, self.ticks[start]), None
            frame = _advance(frames, frame, tick)
            if seeks and start > 0 and retry and (frame is None or frame.pts != tick):
                # Decoders do not start at every key frame, such as the start of an intra refresh.
                frames = _decode(self.path)
                frame = _advance(frames, None, tick)
                retry = frame is not None and frame.pts == tick  # else the file is damaged: once is enough
            current = position
            yield position, frame if frame is not None and frame.pts == tick else None

    def _image(self, frame: VideoFrame) -> Image:
        """The frame as RGB with square pixels, turned as its display matrix says; phones record sideways."""
        import cv2

        width, height = self._square(frame.width, frame.height)
        check_pixels(self.path, width, height)
        if _has_16_bits(frame):
            image = to_8_bits(frame.to_ndarray(format="rgb48le"), self._bits)
        else:
            image = frame.to_ndarray(format="rgb24")
        if (height, width) != image.shape[:2]:
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
        return _turn(image, frame)

    def _square(self, width: int, height: int) -> tuple[int, int]:
        """The size of a frame with square pixels; neither side shrinks."""
        if self.aspect > 1:
            return round(width * self.aspect), height
        return width, round(height / self.aspect)

    @cached_property
    def _bits(self) -> int:
        """The significant bits of all 16-bit frames."""
        largest = 0
        for frame in _decode(self.path):
            if _has_16_bits(frame):
                largest = max(largest, int(frame.to_ndarray(format="rgb48le").max()))
            if largest >= 1 << 14:
                break
        bits = significant_bits(largest)
        self.notes += stretch_note(bits)
        return bits


def _open(path: Path) -> InputContainer:
    """Open a video, even if its title is not UTF-8. PyAV 19 accepts such titles and no longer has the option."""
    import av

    replace = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
    return av.open(str(path), **replace)  # type: ignore[call-overload]


def _find_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first video stream that is not a cover picture."""
    from av.stream import Disposition

    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    stream = next((s for s in container.streams.video if not s.disposition & covers), None)
    if stream is None:
        raise ClipError(f"{path} has no video stream{', only a cover picture' if container.streams.video else ''}")
    if stream.codec_context is None:
        raise ClipError(f"{path}: this FFmpeg has no decoder for its video")
    return stream


def open_video(path: Path) -> VideoFile:
    """Index a video file.

    Raises
    ------
    ClipError
        If it is not a video, or none of its frames can be decoded.
    """
    import av

    try:
        with _open(path) as container:
            stream = _find_stream(container, path)
            context = stream.codec_context
            check_pixels(path, context.width, context.height)
            packets = [(p.pts, p.is_keyframe) for p in container.demux(stream) if p.size and not p.is_discard]
            seconds = float(stream.time_base or 0)
            nominal_fps = float(stream.average_rate or 0)
            aspect = _aspect(stream)
            size = context.width, context.height
            intra = all(key for _, key in packets)
            direct = intra or (container.format.name.startswith(ONE_PACKET_PER_FRAME) and context.name != "vp8")
            # FFmpeg invents presentation timestamps for AVI, wrong ones if frames are reordered.
            invented = container.format.name == "avi" and bool(context.has_b_frames) and not intra
        if not packets:
            raise ClipError(f"{path} has no frames")
        packets.sort(key=lambda packet: (packet[0] is not None, packet[0] or 0))
        ticks = [pts for pts, _ in packets]
        keys = [position for position, (_, key) in enumerate(packets) if key]
        lost = 0
        if direct and _are_frames(ticks, first := [frame.pts for frame in islice(_decode(path), CHECKED)]):
            lost = ticks.index(first[0])  # after a cut, the first frames refer to others that were cut off
            ticks, keys = ticks[lost:], [key - lost for key in keys if key >= lost]
        else:
            ticks, keys = _decoded_index(path)
    except ClipError:
        raise
    except (av.error.FFmpegError, OSError, OverflowError, IndexError) as error:
        raise ClipError(f"{path} is not a readable video ({getattr(error, 'strerror', None) or error})") from error
    n = len(ticks)
    ascending = _ascends(ticks) and not invented
    times = (np.array(ticks) - ticks[0]) * seconds if ascending else np.arange(n) / (nominal_fps or np.nan)
    fps = (n - 1) / times[-1] if ascending and n > 1 and times[-1] > 0 else nominal_fps or float("nan")
    index = [tick for tick in ticks if tick is not None] if ascending else None
    video = VideoFile(path, n, index, keys, times, round(fps, 6), aspect)
    if lost:
        video.notes.append(f"the first {lost} frames cannot be decoded and are not counted; the file was cut there")
    if aspect != 1:
        shown = video._square(*size)
        video.notes.append(f"its pixels are not square; frames of {size[0]} x {size[1]} became {shown[0]} x {shown[1]}")
    return video


def _are_frames(ticks: list[int | None], first: list[int | None]) -> bool:
    """Whether timestamps of packets, ascending, are those of frames, by the first frames that can be decoded."""
    unique = set(ticks)
    return None not in unique and len(unique) == len(ticks) and bool(first) and unique >= set(first) and _ascends(first)


def _ascends(ticks: list[int | None]) -> bool:
    """Whether no timestamp is missing and each is larger than the one before."""
    return None not in ticks and all(a < b for a, b in pairwise(ticks))  # type: ignore[operator]


def _aspect(stream: VideoStream) -> Fraction:
    aspect = stream.sample_aspect_ratio
    return Fraction(aspect) if aspect and abs(float(aspect) - 1) > SQUARE else Fraction(1)


def _decoded_index(path: Path) -> tuple[list[int | None], list[int]]:
    """The timestamps of all frames in the order of decoding, and the positions of key frames."""
    frames = [(frame.pts, frame.key_frame) for frame in _decode(path)]
    if not frames:
        raise ClipError(f"{path} has no frames that can be decoded")
    return [pts for pts, _ in frames], [position for position, (_, key) in enumerate(frames) if key]


def _decode_from(path: Path, tick: int) -> Iterator[VideoFrame]:
    """Frames starting at `tick` or earlier."""
    frames = _decode(path, tick)
    first = next(frames, None)
    if first is not None and first.pts is not None and first.pts <= tick:
        yield first
        yield from frames
    else:  # without an index (MPEG-PS), the seek may end too late
        yield from _decode(path)


def _decode(path: Path, tick: int | None = None) -> Iterator[VideoFrame]:
    """All frames, or those from the key frame before `tick`."""
    import av

    with _open(path) as container:
        stream = _find_stream(container, path)
        stream.codec_context.thread_count = 1  # clips are decoded in parallel processes
        if tick is not None:
            container.seek(tick, stream=stream, backward=True)
        for packet in container.demux(stream):
            if not packet.size and packet.dts is not None:
                continue  # an empty packet would end the decoder
            try:
                yield from packet.decode()
            except av.error.FFmpegError:
                continue  # a damaged packet: its frames are missing, which their timestamps show


def _advance(frames: Iterator[VideoFrame], frame: VideoFrame | None, tick: int) -> VideoFrame | None:
    """The first frame at `tick` or later, starting with `frame`."""
    while frame is None or frame.pts is None or frame.pts < tick:
        frame = next(frames, None)
        if frame is None:
            return None
    return frame


def _has_16_bits(frame: VideoFrame) -> bool:
    """Whether the values are those of a camera in 16 bits; 16 bits of YUV have a fixed range."""
    pixels = frame.format
    return pixels.components[0].bits == 16 and (pixels.is_rgb or pixels.name.startswith(("gray", "ya")))


def _turn(image: Image, frame: VideoFrame) -> Image:
    """Apply the display matrix: mirror and rotate by quarter turns, to the nearest one."""
    from av.sidedata.sidedata import Type

    data = frame.side_data.get(Type.DISPLAYMATRIX)  # type: ignore[call-overload]
    if data is None:
        return image
    # The pixel (x, y) is shown at (a x + c y, b x + d y).
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, x, y = image.transpose(1, 0, 2), c, b
    else:
        x, y = a, d
    return np.ascontiguousarray(image[:: -1 if y < 0 else 1, :: -1 if x < 0 else 1])
