"""Faulty and unusual clips, extracted in one run: each gets its status, and usable clips get their flow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pandas as pd
import pytest

from mer.extraction.extract import extract_flow
from mer.face import Face, crop_landmarks
from mer.flow import load_flow
from tests.datasets.test_video import write_picture, write_video
from tests.extraction.test_extract import still
from tests.faults.rows import ROWS, Row

LONG = "n" * 240  # file systems allow 255 bytes


class Case(NamedTuple):
    fault: str
    make: Callable[[Path], object]  # called with the path `subject/clip`, without a suffix
    status: str
    message: str = ""
    apex: int | None = 1  # the label; without one, the apex is searched


def encoded(suffix: str, codec: str, pixels: str, n: int = 3, size: tuple[int, int] = (64, 48)) -> Callable:
    """A maker of a video with this codec and pixel format."""

    def make(path: Path) -> None:
        with av.open(str(path.with_suffix(suffix)), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, pixels
            for k in range(n):
                image = np.full((size[1], size[0], 3), 20 + 10 * k % 200, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)))
            container.mux(stream.encode(None))

    return make


def video(suffix: str = ".mp4", **options) -> Callable:
    return lambda path: write_video(path.with_suffix(suffix), **{"n": 4, **options})


def damaged_video(change: Callable[[bytes], bytes], suffix: str = ".mp4", **options) -> Callable:
    """A maker of a video whose bytes are changed."""

    def make(path: Path) -> None:
        file = path.with_suffix(suffix)
        write_video(file, **{"n": 20, **options})
        file.write_bytes(change(file.read_bytes()))

    return make


def file_with(content: bytes, suffix: str = ".mp4") -> Callable:
    return lambda path: path.with_suffix(suffix).write_bytes(content)


def matroska_named_mp4(path: Path) -> None:
    write_video(path.with_suffix(".mkv"), n=4)
    path.with_suffix(".mkv").rename(path.with_suffix(".mp4"))


def image_named_mp4(path: Path) -> None:
    write_picture(path.with_suffix(".png"), 50)
    path.with_suffix(".png").rename(path.with_suffix(".mp4"))


def sound(path: Path) -> None:
    with av.open(str(path.with_suffix(".mp4")), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def rotated(path: Path) -> None:
    """A video with a display matrix that rotates by 90 degrees, as phones write it."""
    import struct

    write_video(path.with_suffix(".mp4"), n=4, codec="libx264")
    data, one = bytearray(path.with_suffix(".mp4").read_bytes()), 1 << 16
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 48 * one, 0, 1 << 30)
    path.with_suffix(".mp4").write_bytes(data)


def frames(names: Iterable[str] = ("1", "2", "3"), then: Callable[[Path], object] = lambda path: None) -> Callable:
    """A maker of a folder of frames, which `then` changes."""

    def make(path: Path) -> None:
        for k, name in enumerate(names):
            write_picture(path / f"{name}.png", 20 + 10 * k)
        then(path)

    return make


def huge(path: Path) -> None:
    import cv2

    path.mkdir()
    for k in (1, 2):
        cv2.imwrite(str(path / f"{k}.jpg"), np.full((4320, 7680), 40 + k, np.uint8))


def of_two_sizes(path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (40, 30)).save(path / "2.png")


CASES = {
    "good": Case("none", video(), "ok"),
    "cut_mp4": Case(
        "truncated video without its index", damaged_video(lambda b: b[: len(b) // 2]), "unreadable", "cut_mp4"
    ),
    "cut_mkv": Case(
        "truncated video, labeled apex missing",
        damaged_video(lambda b: b[: len(b) // 2], ".mkv", size=(320, 240)),
        "missing_frames",
        "frame 19",
        apex=19,
    ),
    "holed": Case(
        "damaged bytes in the middle of a video",
        damaged_video(lambda b: b[: len(b) // 3] + bytes(len(b) // 3) + b[2 * len(b) // 3 :], ".mkv", size=(320, 240)),
        "any",
        apex=10,
    ),
    "empty": Case("video file of zero length", file_with(b""), "unreadable", "not a readable video"),
    "text": Case("text file with a video extension", file_with(b"my thesis"), "unreadable", "not a readable video"),
    "as_mp4": Case("Matroska video named .mp4", matroska_named_mp4, "ok"),
    "picture": Case("image named .mp4", image_named_mp4, "any"),
    "codec": Case(
        "unknown codec",
        damaged_video(lambda b: b.replace(b"avc1", b"zzzz"), codec="libx264"),
        "unreadable",
        "codec",
    ),
    "sound": Case("audio without video", sound, "unreadable", "no video stream"),
    "variable": Case("variable frame rate", video(pts=[0, 1, 7, 30]), "ok"),
    "rotated": Case("rotated video of a phone", rotated, "ok"),
    "ten_bit": Case("10 bits per channel", encoded(".mkv", "ffv1", "yuv420p10le"), "ok"),
    "sixteen": Case("16-bit gray video", encoded(".mkv", "ffv1", "gray16le"), "ok"),
    "gray": Case("gray video", encoded(".mkv", "ffv1", "gray"), "ok"),
    "alpha": Case("video with transparency", encoded(".mkv", "ffv1", "yuva420p"), "ok"),
    "raw": Case("raw stream without timestamps", encoded(".mjpeg", "mjpeg", "yuvj420p"), "any"),
    "one_frame": Case("single frame", video(n=1), "too_short"),
    "many": Case("thousands of frames", encoded(".mp4", "mpeg4", "yuv420p", n=3000, size=(32, 32)), "ok", apex=2999),
    "still": Case("no motion, no labeled apex", frames(), "ok", apex=None),
    "tiny": Case("frames of 8 x 8 pixels", encoded(".mkv", "ffv1", "yuv420p", size=(8, 8)), "ok"),
    "huge": Case("frames of 7680 x 4320 pixels", huge, "ok", apex=2),
    "odd_size": Case("odd width and height", encoded(".mkv", "ffv1", "yuv444p", size=(67, 49)), "ok"),
    "two_sizes": Case("frames of different sizes", frames(("1",), of_two_sizes), "unreadable", "40 x 30", apex=2),
    "gap": Case("missing frame that is the labeled apex", frames(("1", "2", "5")), "missing_frames", "frame 3", apex=3),
    "gap_beside": Case("missing frames other than onset and apex", frames(("1", "2", "9")), "ok", apex=9),
    "twice": Case("two frames with the same number", frames(("1", "2", "02")), "unreadable", "both frame 2"),
    "unpadded": Case("frame numbers without leading zeros", frames(("img9", "img10", "img100")), "ok", apex=100),
    "foreign": Case(
        "other files among the frames",
        frames(("1", "2"), lambda p: [(p / n).write_text("x") for n in ("Thumbs.db", "notes.txt", "._3.png")]),
        "ok",
        apex=2,
    ),
    "damaged": Case(
        "damaged image", frames(("1", "2"), lambda p: (p / "2.png").write_bytes(b"x")), "unreadable", "2.png", apex=2
    ),
    "blank": Case(
        "image file of zero length", frames(("1", "2"), lambda p: (p / "2.png").write_bytes(b"")), "unreadable", apex=2
    ),
    "digits": Case("frame number with 30 digits", frames(("1", "9" * 30)), "unreadable", "30 digits", apex=2),
    "gray_png": Case("gray frames", frames(("1", "2"), lambda p: write_picture(p / "2.png", 9, "L")), "ok", apex=2),
    "alpha_png": Case(
        "frames with transparency", frames(("1", "2"), lambda p: write_picture(p / "2.png", 9, "RGBA")), "ok", apex=2
    ),
    "dangling": Case(
        "broken symbolic link",
        frames(("1", "2"), lambda p: (p / "3.png").symlink_to(p / "none")),
        "unreadable",
        apex=3,
    ),
    "loop": Case(
        "symbolic link to its own folder", frames(("1", "2"), lambda p: (p / "again").symlink_to(p)), "ok", apex=2
    ),
    "with blanks in it": Case("spaces in names", video(), "ok"),
    "é微表情": Case("names with non-ASCII characters", video(), "ok"),
    LONG: Case("name with 240 bytes", video(), "ok"),
}
for _name, _case in CASES.items():
    if _name != "good":
        _outcome = (
            "`ok`, `unreadable` or `too_short`: all decodable frames are used"
            if _case.status == "any"
            else f"`{_case.status}`"
        )
        ROWS.append(Row("clips", _case.fault, _outcome, f"test_each_clip_has_its_status[{_name[:20]}]"))
ROWS += [
    Row("clips", "file name that is not valid UTF-8", "`ok`", "test_file_names_that_are_not_valid_text"),
    Row("clips", "folder or file without read permission", "`unreadable`", "test_missing_read_permission"),
    Row(
        "clips",
        "flow method that raises or runs out of memory",
        "`failed`",
        "test_a_failing_flow_method_fails_its_clip_only",
    ),
]


def seen(image: np.ndarray, method: str) -> list[Face]:
    """A face in the middle of every picture: these faults are not about faces."""
    side = min(image.shape[:2])
    landmarks = crop_landmarks(side)
    return [Face(landmarks, np.float32([0, 0, side, side]), 1.0)]


@pytest.fixture(scope="module")
def extracted(tmp_path_factory) -> tuple[Path, pd.DataFrame]:
    root = tmp_path_factory.mktemp("faults")
    folder = root / "videos" / "al"
    folder.mkdir(parents=True)
    for name, case in CASES.items():
        case.make(folder / name)
    rows = [{"subject": "al", "clip": name, "apex": case.apex} for name, case in CASES.items()]
    pd.DataFrame(rows).astype({"apex": "Int64"}).to_csv(root / "videos" / "labels.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mer.extraction.expression.detect_faces", seen)
        table = extract_flow(root / "videos", root / "flows", method=still, size=64)
    return root / "flows", table.set_index("clip")


@pytest.mark.parametrize("name", CASES, ids=[name[:20] for name in CASES])
def test_each_clip_has_its_status(extracted, name):
    folder, table = extracted
    case, row = CASES[name], table.loc[name]
    assert row["status"] in (("ok", "unreadable", "too_short") if case.status == "any" else (case.status,)), row[
        "message"
    ]
    assert case.message in row["message"]
    assert (row["message"] != "") or row["status"] == "ok"
    assert "\n" not in row["message"]
    assert (folder / row["path"]).is_file() == (row["status"] == "ok")
    if row["status"] == "ok":
        assert load_flow(folder / row["path"]).facial.shape == (64, 64, 2)


def test_all_clips_are_in_the_table(extracted):
    folder, table = extracted
    assert set(table.index) == set(CASES)
    assert len(list(folder.rglob("*.npz"))) == (table["status"] == "ok").sum()


def test_the_frame_rate_of_a_variable_rate_video_is_its_mean(extracted):
    assert extracted[1].loc["variable", "fps"] == pytest.approx(3 / (30 / 25), abs=0.01)


@pytest.mark.skipif(os.name == "nt", reason="file names are text on Windows")
def test_file_names_that_are_not_valid_text(tmp_path, monkeypatch):
    monkeypatch.setattr("mer.extraction.expression.detect_faces", seen)
    folder = os.fsencode(tmp_path) + b"/videos/al/caf\xe9"
    os.makedirs(folder)
    for k in (1, 2):
        write_picture(tmp_path / f"{k}.png", k)
        os.rename(tmp_path / f"{k}.png", folder + f"/{k}.png".encode())
    table = extract_flow(tmp_path / "videos", tmp_path / "flows", method=still, size=64)
    assert table["status"].tolist() == ["ok"]
    assert table["clip"].tolist() == ["caf�"]
    assert load_flow(tmp_path / "flows" / table["path"][0]).facial.any() == 0


def test_missing_read_permission(tmp_path, monkeypatch):
    """Simulated, since the superuser may read everything."""
    monkeypatch.setattr("mer.extraction.expression.detect_faces", seen)
    for name in ("al/locked", "al/free", "bo/a"):
        frames(("1", "2"))(tmp_path / "videos" / name)
    real = Path.iterdir

    def refuse(path: Path):
        if path.name in ("locked", "bo"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    table = extract_flow(tmp_path / "videos", tmp_path / "flows", method=still, size=64).set_index("clip")
    assert table["status"].to_dict() == {"free": "ok", "locked": "unreadable", "bo": "unreadable"}
    assert "Permission denied" in table.loc["locked", "message"]


@pytest.mark.parametrize(
    ("error", "words"), [(MemoryError(), "MemoryError"), (RuntimeError("a\nb"), "RuntimeError: a")]
)
def test_a_failing_flow_method_fails_its_clip_only(tmp_path, monkeypatch, error, words):
    def broken(onset, apex):
        raise error

    monkeypatch.setattr("mer.extraction.expression.detect_faces", seen)
    frames()(tmp_path / "videos" / "al" / "a")
    (tmp_path / "videos" / "labels.csv").write_text("subject,clip,apex\nal,a,2\n")
    table = extract_flow(tmp_path / "videos", tmp_path / "flows", method=broken, size=64)
    assert table["status"].tolist() == ["failed"]
    assert table["message"][0].startswith(words)
