"""The parsers of files and texts from other sources, random inputs for each, and the errors that each may raise.

`tests/fuzz/test_parsers.py` runs a few inputs per parser; `benchmarks/fuzz.py` runs many and counts them.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from mer.cli.evaluate import _grid
from mer.datasets.action_units import parse_aus
from mer.datasets.annotation_sheet import read_table as read_sheet
from mer.datasets.identifiers import database_name
from mer.datasets.samples import SamplesError, conform, read_samples, write_samples
from mer.datasets.tables import frame_number
from mer.datasets.video import ClipError, frame_files, open_clip
from mer.datasets.video_folder import list_clips
from mer.evaluation.protocols.folds import ProtocolError
from mer.evaluation.protocols.organizers_list import read_list
from mer.evaluation.protocols.protocol import read_protocol
from mer.extraction.flow_folder import flow_path, inside, read_run
from mer.extraction.import_table import read_table as read_import
from mer.flow import Flow, is_flow_file, load_component, load_flow, read_flo, save_flow, write_flo
from tests.datasets.test_video import write_video

FOLDER = Path(tempfile.mkdtemp(prefix="mer-fuzz-"))


class Parser(NamedTuple):
    """`read` is called with an input and may raise only the errors in `refuses`."""

    inputs: st.SearchStrategy
    read: Callable[[Any], object]
    refuses: tuple[type[Exception], ...] = (ValueError,)


# --- inputs ---


def mutated(make: Callable[[], bytes]) -> st.SearchStrategy[bytes]:
    """A valid file with bytes replaced, inserted, removed or truncated; sometimes arbitrary bytes."""
    change = st.tuples(st.floats(0, 1), st.binary(max_size=8), st.integers(0, 8))

    def apply(cut: float, changes: list[tuple[float, bytes, int]]) -> bytes:
        data = make()
        for where, put, gone in changes:
            at = int(where * len(data))
            data = data[:at] + put + data[at + gone :]
        return data[: int(cut * len(data)) + 1]

    return st.one_of(
        st.builds(apply, st.one_of(st.just(1.0), st.floats(0, 1)), st.lists(change, min_size=1, max_size=4)),
        st.binary(max_size=200),
    )


def tables(header: str, cells: tuple[str, ...]) -> st.SearchStrategy[bytes]:
    """Tables with this header or a different one, and plausible, unusual or random cells."""
    cell = st.one_of(st.sampled_from(cells), st.text(max_size=6), st.integers().map(str), st.floats().map(str))
    row = st.lists(cell, max_size=len(header.split(",")) + 2).map(",".join)
    first = st.one_of(st.just(header), st.permutations(header.split(",")).map(",".join), row)
    text = st.builds(
        lambda head, rows, end: end.join([head, *rows]),
        first,
        st.lists(row, max_size=5),
        st.sampled_from(["\n", "\r\n", "\r"]),
    )
    encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030", "latin-1"])
    encoded = st.builds(lambda text, encoding: text.encode(encoding, "replace"), text, encodings)
    return st.one_of(encoded, st.binary(max_size=80))


CELLS = (
    "", "/", "-", "a", "b", "al", "x", "s01", "006", "1", "12.0", "3.5", "-7", "1e9", "1e400", "nan", "inf", "ok",
    "no_face", "../a.npz", "/etc/passwd", "C:\\a", "..\\..\\a", '"', "'", "=1+1", "\x00", "١٢", "R4+ref(6)", "casme2",
    "samm",
)  # fmt: skip
YAML = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.text(max_size=8)
    | st.sampled_from(["micro", "person", "*", "joy"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=5) | st.integers() | st.sampled_from(["casme2", "folds", "train", "test", "iou", "kinds"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
KEYS = (
    "title",
    "source",
    "classes",
    "labels",
    "units",
    "drop",
    "counts",
    "people",
    "hints",
    "split",
    "list_sha256",
    "spotting",
)


def protocol_texts() -> st.SearchStrategy[str]:
    import yaml

    keys = st.one_of(st.sampled_from(KEYS), st.text(max_size=4))
    built = st.dictionaries(keys, YAML, max_size=4).map(lambda content: yaml.safe_dump(content, allow_unicode=True))
    return st.one_of(built, st.text(alphabet="{}[]:,-&*!|>'\"#%@ \nab1", max_size=60))


# --- valid files ---


@functools.cache
def valid_file(kind: str) -> bytes:
    path = FOLDER / f"valid{kind}"
    rng = np.random.default_rng(0)
    if kind == ".npz":
        save_flow(path, Flow.split(rng.normal(size=(5, 6, 2)), rng.normal(size=(5, 6, 2))))
    elif kind == ".flo":
        write_flo(path, rng.normal(size=(5, 6, 2)))
    elif kind == ".xlsx":
        from openpyxl import Workbook

        book = Workbook()
        for row in (["Subject", "Filename", "OnsetFrame", "Emotion"], ["1", "EP01", 12, "disgust"]):
            book.active.append(row)
        book.save(path)
    elif kind == ".model":
        from mer.models import new_model
        from mer.models.model_files import save_model

        fitted = new_model("logistic").fit(
            rng.normal(size=(12, 8 * 8 * 2)).astype(np.float32), np.array(["a", "b"] * 6)
        )
        save_model(path, "logistic", fitted)
    elif kind == ".safetensors":
        from safetensors.numpy import save

        path.write_bytes(save({"a": np.zeros((2, 3), np.float32), "b": np.zeros(4, np.int64)}))
    else:
        write_video(path, n=8, codec="libx264" if kind == ".mp4" else "mpeg4")
    return path.read_bytes()


# --- readers ---


def stored(name: str, content: bytes) -> Path:
    path = FOLDER / name
    path.write_bytes(content)
    return path


def read_flow(content: bytes) -> None:
    path = stored("a.npz", content)
    is_flow_file(path, 5)
    load_component(path)
    assert np.isfinite(load_flow(path).expression).all()


def read_video(suffix: str, content: bytes) -> None:
    clip = open_clip(stored(f"a{suffix}", content))
    for _, image in clip.frames():
        assert image.dtype == np.uint8
        assert image.ndim == 3
    clip.frame(int(clip.numbers[-1]))


@functools.cache
def videos() -> Path:
    folder = FOLDER / "videos"
    for name in ("al/a", "al/b", "s01/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.mp4").touch()
    return folder


def read_labels(content: bytes) -> None:
    table = list_clips(videos(), stored("labels.csv", content))
    write_samples(table, FOLDER / "samples.csv")
    for row in table.to_dict("records"):
        assert inside(FOLDER, flow_path(row))


def read_table_of_samples(content: bytes) -> None:
    table = read_samples(stored("samples.csv", content))
    assert all(inside(FOLDER, path) for path in table.loc[table["status"] == "ok", "path"] if "\x00" not in path)
    write_samples(table, FOLDER / "again.csv")
    assert conform(read_samples(FOLDER / "again.csv"))["subject"].tolist() == table["subject"].tolist()


def read_names(names: list[str]) -> None:
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        for name in names:
            (Path(folder) / f"{name}.png").touch()
        files = frame_files(Path(folder))
    assert list(files) == sorted(files)


def read_organizers(content: bytes) -> None:
    read_list(stored("list.csv", content), hashlib.sha256(content).hexdigest())


def read_model(content: bytes) -> None:
    from mer.models.model_files import load_model

    load_model(stored("m.npz", content))


def read_model_head(value: object) -> None:
    with np.load(io.BytesIO(valid_file(".model")), allow_pickle=False) as archive:
        arrays = dict(archive)
    head = json.loads(str(arrays.pop("head")))
    step = next(iter(head["steps"]))
    targets = (head, head["steps"], head["steps"][step])
    for target in targets if isinstance(value, dict) else ():
        target.update(json.loads(json.dumps(value, default=str)))
    packed = io.BytesIO()
    np.savez(packed, head=np.array(json.dumps(head)), **arrays)
    read_model(packed.getvalue())


def read_weights(content: bytes) -> None:
    from mer.decflow.weights import read_tensors

    read_tensors(stored("a.safetensors", content))


def path_of(names: tuple[str, str, str]) -> None:
    path = flow_path(dict(zip(("dataset", "subject", "clip"), names), onset=3))
    assert inside(FOLDER, path)
    assert all(len(part.encode("utf-8", "surrogateescape")) <= 255 for part in path.split("/"))
    assert "\x00" not in path


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\x00"), min_size=1, max_size=40)
FRAME_NAMES = st.lists(
    st.one_of(st.from_regex(r"[a-z_]{0,4}\d{1,20}[ab ]?", fullmatch=True), NAMES), max_size=5, unique=True
)
PARSERS: dict[str, Parser] = {
    "flow .npz": Parser(mutated(lambda: valid_file(".npz")), read_flow),
    "flow .flo": Parser(mutated(lambda: valid_file(".flo")), lambda content: read_flo(stored("a.flo", content))),
    "video .mp4": Parser(
        mutated(lambda: valid_file(".mp4")), functools.partial(read_video, ".mp4"), (ClipError, OSError)
    ),
    "video .mkv": Parser(
        mutated(lambda: valid_file(".mkv")), functools.partial(read_video, ".mkv"), (ClipError, OSError)
    ),
    "video .avi": Parser(
        mutated(lambda: valid_file(".avi")), functools.partial(read_video, ".avi"), (ClipError, OSError)
    ),
    "names of frames": Parser(FRAME_NAMES, read_names, (ClipError,)),
    "names of flow files": Parser(st.tuples(*[st.text(max_size=300)] * 3), path_of, ()),
    "labels.csv": Parser(tables("subject,clip,onset,apex,offset,fps,label", CELLS), read_labels, (SamplesError,)),
    "samples.csv": Parser(
        tables("dataset,subject,clip,onset,apex,status,path,scale", CELLS), read_table_of_samples, (SamplesError,)
    ),
    "run.json": Parser(
        st.one_of(st.binary(max_size=40), YAML.map(lambda value: json.dumps(value, default=str).encode())),
        lambda content: read_run(stored("run.json", content)),
    ),
    "sheet .csv": Parser(
        tables("Subject,Filename,OnsetFrame,ApexFrame,Emotion", CELLS),
        lambda content: read_sheet(stored("s.csv", content)),
        (SamplesError,),
    ),
    "sheet .xlsx": Parser(
        mutated(lambda: valid_file(".xlsx")), lambda content: read_sheet(stored("s.xlsx", content)), (SamplesError,)
    ),
    "frame number of a sheet": Parser(st.one_of(st.sampled_from(CELLS), st.text()), frame_number),
    "action units": Parser(
        st.one_of(st.text(alphabet="LRTBAU0123456789+,?()/kKor ref", max_size=40), st.text()), parse_aus, ()
    ),
    "import table": Parser(
        tables("dataset,sub,filename_o,label,onset,apex", CELLS),
        lambda content: read_import(stored("t.csv", content), warn=lambda line: None),
        (SamplesError,),
    ),
    "organizers' list": Parser(tables("casme2,sub01,EP01,0", CELLS), read_organizers, (ProtocolError,)),
    "protocol .yaml": Parser(
        protocol_texts(),
        lambda text: read_protocol(stored("p.yaml", text.encode("utf-8", "replace"))),
        (ProtocolError,),
    ),
    "value of a grid": Parser(
        st.builds("C={}".format, st.text(alphabet="0123456789.,[]{}:&*!'\"- ab", max_size=20)),
        lambda text: _grid([text]),
    ),
    "database name": Parser(st.text(max_size=30), database_name, ()),
    "fitted model": Parser(mutated(lambda: valid_file(".model")), read_model),
    "head of a fitted model": Parser(
        st.dictionaries(
            st.sampled_from(
                [
                    "steps",
                    "model",
                    "version",
                    "coef_",
                    "array",
                    "part",
                    "given",
                    "predict",
                    "__class__",
                    "__dict__",
                    "classes_",
                ]
            )
            | st.text(max_size=5),
            YAML,
            max_size=3,
        ),
        read_model_head,
    ),
    "weights .safetensors": Parser(mutated(lambda: valid_file(".safetensors")), read_weights),
}


def check(name: str, content: Any) -> bool:
    """Whether the parser accepts the input; unexpected errors propagate."""
    try:
        PARSERS[name].read(content)
    except PARSERS[name].refuses:
        return False
    return True
