from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mer.datasets.video import ClipError, open_clip


def bar(position: int, width: int = 96, height: int = 64) -> np.ndarray:
    """A gray picture with a bright bar."""
    image = np.full((height, width, 3), 60, np.uint8)
    image[20:40, position : position + 12] = 240
    return image


def encode(
    path: Path, images: list[np.ndarray], codec: str = "libx264", options: dict | None = None, aspect=None
) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = options or {}
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def equal_in_both_ways_of_reading(path: Path, expected: list[np.ndarray]) -> None:
    clip = open_clip(path)
    assert len(clip) == len(expected)
    for number, image in clip.frames():
        np.testing.assert_array_equal(image, expected[number])
    for number in (len(expected) - 1, 0, len(expected) // 2):
        np.testing.assert_array_equal(clip.frame(number), expected[number])


def test_an_avi_with_b_frames_has_the_frames_that_players_show(tmp_path):
    encode(tmp_path / "b.avi", [bar(2 * i) for i in range(30)])
    equal_in_both_ways_of_reading(tmp_path / "b.avi", decoded(tmp_path / "b.avi"))


def test_a_cut_at_an_open_gop_leaves_out_what_cannot_be_decoded(tmp_path):
    options = {"x265-params": "keyint=15:min-keyint=15:scenecut=0:open-gop=1:bframes=4:log-level=none"}
    encode(tmp_path / "whole.mkv", [bar(i) for i in range(50)], "libx265", options)
    with av.open(str(tmp_path / "whole.mkv")) as source, av.open(str(tmp_path / "cut.mkv"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        keys = 0
        for packet in source.demux(video=0):
            keys += packet.is_keyframe
            if keys >= 2 and packet.size:
                packet.stream = stream
                target.mux(packet)
    equal_in_both_ways_of_reading(tmp_path / "cut.mkv", decoded(tmp_path / "cut.mkv"))
    assert any("cut there" in note for note in open_clip(tmp_path / "cut.mkv").notes)


# The matrix (a, b, c, d) of a quarter turn or mirror, and what it does to a picture.
ONE = 65536
ORIENTATIONS = [
    ((ONE, 0, 0, ONE), lambda x: x),
    ((-ONE, 0, 0, ONE), lambda x: x[:, ::-1]),
    ((ONE, 0, 0, -ONE), lambda x: x[::-1]),
    ((-ONE, 0, 0, -ONE), lambda x: x[::-1, ::-1]),
    ((0, ONE, -ONE, 0), lambda x: np.rot90(x, -1)),
    ((0, -ONE, ONE, 0), lambda x: np.rot90(x, 1)),
    ((0, ONE, ONE, 0), lambda x: x.transpose(1, 0, 2)),
    ((0, -ONE, -ONE, 0), lambda x: x[::-1, ::-1].transpose(1, 0, 2)),
]


@pytest.mark.parametrize(("matrix", "shown"), ORIENTATIONS)
def test_a_display_matrix_turns_and_mirrors(matrix, shown, tmp_path):
    path = tmp_path / "m.mp4"
    encode(path, [bar(4)] * 3)
    plain = decoded(path)[0]
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd") + 44
    a, b, c, d = matrix
    x, y = (96 if a + c < 0 else 0), (64 if b + d < 0 else 0)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, x * ONE, y * ONE, 1 << 30)
    path.write_bytes(data)
    np.testing.assert_array_equal(open_clip(path).frame(0), shown(plain))


@pytest.mark.parametrize(
    ("aspect", "size"), [(Fraction(4, 3), (128, 64)), (Fraction(3, 4), (96, 85)), (None, (96, 64))]
)
def test_pixels_become_square_and_no_side_shrinks(aspect, size, tmp_path):
    encode(tmp_path / "a.mp4", [bar(4)] * 3, aspect=aspect)
    clip = open_clip(tmp_path / "a.mp4")
    assert clip.frame(0).shape[1::-1] == size
    assert len(clip.notes) == (aspect is not None)


def test_a_cover_picture_is_not_the_video(tmp_path):
    path = tmp_path / "cover.mp4"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("png", rate=1)
        cover.width = cover.height = 32
        cover.pix_fmt = "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        video = container.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        container.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(cover.encode(None))
        for i in range(6):
            container.mux(video.encode(av.VideoFrame.from_ndarray(bar(i), format="rgb24")))
        container.mux(video.encode(None))
    clip = open_clip(path)
    assert len(clip) == 6
    assert clip.frame(5).shape == (64, 96, 3)


def test_a_video_of_too_many_pixels_is_refused(tmp_path, monkeypatch):
    encode(tmp_path / "a.mp4", [bar(4)] * 3)
    monkeypatch.setenv("MER_MAX_PIXELS", "1000")
    with pytest.raises(ClipError, match="set MER_MAX_PIXELS"):
        open_clip(tmp_path / "a.mp4")
