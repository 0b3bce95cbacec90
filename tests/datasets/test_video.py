import struct
from pathlib import Path

import av
import numpy as np
import pytest

from mer.datasets.video import ClipError, frame_files, open_clip, read_image


def write_video(path: Path, n: int = 20, size=(64, 48), codec="mpeg4", pts=None, **options) -> list[np.ndarray]:
    """A video whose frame k is filled with the gray level 10 k; returns these frames."""
    frames = [np.full((size[1], size[0], 3), 10 * k, np.uint8) for k in range(n)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"g": "6", **options})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for k, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if pts is not None:
                frame.pts = pts[k]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return frames


def level(image: np.ndarray) -> float:
    return float(image.mean()) / 10


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "mpeg4"), ("a.avi", "mpeg4")])
def test_every_frame_has_its_number(tmp_path, name, codec):
    write_video(tmp_path / name, codec=codec)
    clip = open_clip(tmp_path / name)
    assert len(clip) == 20
    assert clip.numbers.tolist() == list(range(20))
    assert clip.fps == pytest.approx(25)
    assert clip.times == pytest.approx(np.arange(20) / 25, abs=1e-3)
    assert [round(level(image)) for _, image in clip.frames()] == list(range(20))


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mpeg1video"])
def test_single_frames_equal_those_of_a_full_read(tmp_path, codec):
    name = "a.mpg" if codec == "mpeg1video" else "a.mp4"  # MPEG program streams have no index to seek by
    write_video(tmp_path / name, codec=codec)
    clip = open_clip(tmp_path / name)
    whole = dict(clip.frames())
    for number in (19, 0, 7, 6, 5, 13):
        assert (clip.frame(number) == whole[number]).all()
    picked = dict(clip.frames([17, 2, 2, 9]))
    assert list(picked) == [2, 9, 17]
    assert all((picked[number] == whole[number]).all() for number in picked)


def test_reading_is_lazy(tmp_path):
    write_video(tmp_path / "a.mp4")
    frames = open_clip(tmp_path / "a.mp4").frames()
    number, image = next(frames)
    assert (number, image.shape, image.dtype) == (0, (48, 64, 3), np.uint8)


def test_times_of_a_variable_frame_rate(tmp_path):
    pts = [0, 1, 2, 10, 11, 30]
    write_video(tmp_path / "a.mp4", n=6, pts=pts)
    clip = open_clip(tmp_path / "a.mp4")
    assert clip.times == pytest.approx(np.array(pts) / 25, abs=1e-3)


def test_frames_of_a_raw_stream_are_counted(tmp_path):
    write_video(tmp_path / "a.h264", codec="libx264")
    clip = open_clip(tmp_path / "a.h264")
    assert [round(level(image)) for _, image in clip.frames([0, 4, 19])] == [0, 4, 19]


def test_the_rotation_of_a_phone_is_applied(tmp_path):
    path = tmp_path / "a.mp4"
    half = np.zeros((48, 64, 3), np.uint8)
    half[:24] = 200  # bright at the top
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(half, format="rgb24")))
        container.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40  # of the track header, version 0
    one = 1 << 16
    data[matrix : matrix + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 48 * one, 0, 1 << 30)  # 90 degrees clockwise
    path.write_bytes(data)
    image = open_clip(path).frame(0)
    assert image.shape == (64, 48, 3)
    assert image[:, 30:].mean() > 150 > 50 > image[:, :18].mean()  # the top of the file is on the right


@pytest.mark.parametrize("content", [b"", b"this is not a video", bytes(5000)])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(ClipError, match=r"a\.mp4"):
        open_clip(tmp_path / "a.mp4")


def test_the_first_frames_of_a_truncated_video_are_read(tmp_path):
    write_video(tmp_path / "a.mkv", n=20, codec="mpeg4", size=(320, 240))
    data = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "b.mkv").write_bytes(data[: len(data) // 2])
    clip = open_clip(tmp_path / "b.mkv")
    assert 0 < len(clip) < 20
    assert round(level(clip.frame(0))) == 0


def test_a_missing_frame_is_an_error(tmp_path):
    write_video(tmp_path / "a.mp4")
    with pytest.raises(ClipError, match="no frame 20; its 20 frames are 0 to 19"):
        open_clip(tmp_path / "a.mp4").frame(20)


def test_missing_and_empty_paths(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_clip(tmp_path / "nothing.mp4")
    with pytest.raises(ClipError, match="no pictures"):
        open_clip(tmp_path)


def write_picture(path: Path, value: int, mode: str = "RGB") -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 10), (value, value, value)).convert(mode).save(path)


def test_frames_are_ordered_by_the_last_integer_of_their_names(tmp_path):
    for number in (46, 100, 9):
        write_picture(tmp_path / f"reg_img{number}.png", number)
    (tmp_path / "Desktop - Shortcut.lnk").write_text("no picture")
    write_picture(tmp_path / "._reg_img3.png", 0)
    write_picture(tmp_path / "thumbnail.png", 0)
    clip = open_clip(tmp_path)
    assert clip.numbers.tolist() == [9, 46, 100]
    assert [image[0, 0, 0] for _, image in clip.frames()] == [9, 46, 100]
    assert np.isnan(clip.fps)


def test_leading_zeros_and_prefixes_are_ignored(tmp_path):
    for name in ("006_05562.jpg", "006_5563.jpg", "006_05564.JPG"):
        write_picture(tmp_path / name, 5)
    assert list(frame_files(tmp_path)) == [5562, 5563, 5564]


def test_two_frames_with_the_same_number_are_an_error(tmp_path):
    write_picture(tmp_path / "img7.png", 5)
    write_picture(tmp_path / "img07.png", 5)
    with pytest.raises(ClipError, match="both frame 7"):
        open_clip(tmp_path)


@pytest.mark.parametrize("mode", ["L", "RGBA", "RGB"])
def test_pictures_are_read_as_rgb(tmp_path, mode):
    write_picture(tmp_path / "é 1.png", 77, mode)
    image = read_image(tmp_path / "é 1.png")
    assert image.shape == (10, 20, 3)
    assert np.abs(image.astype(int) - 77).max() <= 1


def test_a_damaged_picture_is_an_error(tmp_path):
    (tmp_path / "img1.png").write_bytes(b"not a picture")
    with pytest.raises(ClipError, match="not a readable picture"):
        open_clip(tmp_path).frame(1)


@pytest.mark.assets
def test_frames_of_real_videos(assets):
    counts = {"single_face.mp4": 72, "no_face.mp4": 95, "grid_bbaf2n.mpg": 75}
    for name, count in counts.items():
        clip = open_clip(assets / "videos" / name)
        whole = dict(clip.frames())
        assert len(clip) == len(whole) == count
        for number in (count - 1, 0, count // 2):
            assert (clip.frame(number) == whole[number]).all()
