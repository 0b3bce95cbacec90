"""Nothing that is read can run, lead out of its folder, or reach the network; faces stay in the videos."""

from __future__ import annotations

import ast
import re
import shutil
import socket
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from mer.cli.program import app
from mer.evaluation.evaluate_folder import evaluate
from mer.extraction.extract import extract_flow
from mer.extraction.import_flow import import_flow
from mer.flow import is_flow_file
from tests.drawn_flows import write_drawn_flows
from tests.extraction.test_extract import still
from tests.faults.test_clips import frames, seen
from tests.faults.test_interruptions import images

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "mer").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")])

# Calls that run what they read, and what makes them safe; None: nothing does.
UNSAFE: dict[str, tuple[str, object] | None] = {
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
    "torch.load": ("weights_only", True),
    **dict.fromkeys(
        (
            "pickle.load",
            "pickle.loads",
            "cloudpickle.load",
            "cloudpickle.loads",
            "dill.load",
            "joblib.load",
            "yaml.load",
            "yaml.load_all",
            "yaml.unsafe_load",
            "yaml.full_load",
            "marshal.loads",
            "shelve.open",
            "pd.read_pickle",
            "pandas.read_pickle",
            "eval",
            "exec",
            "compile",
            "os.system",
            "torch.hub.load",
            "tarfile.open",
            "shutil.unpack_archive",
            "zipfile.ZipFile.extractall",
        )
    ),
}
# FLAME's own files are pickles: an Unpickler that builds arrays alone reads them.
RESTRICTED = {"mer/synth/flame.py": "pickle.Unpickler"}
# Pickles that processes of one run send each other through pipes; they are never stored in a file.
BETWEEN_PROCESSES = "mer/utils/fresh_processes.py"


def calls(file: Path) -> list[tuple[str, ast.Call]]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def is_safe(name: str, call: ast.Call) -> bool:
    if name not in UNSAFE:
        return True
    needed = UNSAFE[name]
    given = {word.arg: word.value.value for word in call.keywords if isinstance(word.value, ast.Constant)}
    return needed is not None and given.get(needed[0], object()) is needed[1]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("np.load(p)", False),
        ("np.load(p, allow_pickle=False)", True),
        ("torch.load(p, weights_only=x)", False),
        ("eval(x)", False),
        ("net.eval()", True),
    ],
)
def test_the_search_finds_what_it_is_for(text, safe):
    call = ast.parse(text).body[0].value
    assert is_safe(ast.unparse(call.func), call) is safe


def test_nothing_that_is_read_is_run():
    assert len(SOURCES) > 100
    unsafe = [(f.relative_to(ROOT).as_posix(), name) for f in SOURCES for name, c in calls(f) if not is_safe(name, c)]
    assert set(unsafe) <= {(BETWEEN_PROCESSES, "pickle.loads")}


def test_pickles_between_processes_never_come_from_a_file():
    names = {name.rpartition(".")[2] for name, _ in calls(ROOT / BETWEEN_PROCESSES)}
    assert "loads" in names
    assert not names & {"open", "load", "read", "read_bytes", "Path", "fromfile", "memmap", "urlopen", "recv"}


def test_pickle_is_imported_where_it_is_restricted_alone():
    users = {
        f.relative_to(ROOT).as_posix()
        for f in SOURCES
        if re.search(r"^\s*(import|from) (c?pickle|dill|shelve|marshal)\b", f.read_text("utf-8"), re.M)
    }
    assert users == {*RESTRICTED, BETWEEN_PROCESSES}
    for name, base in RESTRICTED.items():
        classes = [node for node in ast.walk(ast.parse((ROOT / name).read_text())) if isinstance(node, ast.ClassDef)]
        assert any(base in map(ast.unparse, c.bases) and "find_class" in ast.unparse(c) for c in classes)


def test_yaml_is_read_safely_and_pages_escape():
    for file in SOURCES:
        for name, call in calls(file):
            assert not name.startswith("yaml.") or name.startswith(("yaml.safe_", "yaml.YAMLError")), file
            if name.endswith("Environment"):
                assert "autoescape" in ast.unparse(call), f"{file}: a page that does not escape names"


NETWORK = re.compile(r"urlopen|download_url_to_file|requests\.|http\.client|load_state_dict_from_url|socket\.|pooch\.")


def test_the_network_is_reached_in_two_places_that_are_asked_for():
    users = {
        f.relative_to(ROOT).as_posix()
        for f in SOURCES
        if f.is_relative_to(ROOT / "mer") and NETWORK.search(f.read_text("utf-8"))
    }
    # Weights: of RAFT with MER_DOWNLOAD=1, of DecFlow by its own call. cluster.py names machines; Dask does the rest.
    assert users <= {"mer/flow/raft.py", "mer/decflow/import_weights.py", "mer/utils/dask_cluster.py"}


@pytest.fixture
def offline(monkeypatch) -> list:
    """No socket can be made; those that were tried."""
    tried = []

    def refuse(*arguments: object, **keywords: object) -> None:
        tried.append(arguments)
        raise OSError("there is no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    return tried


def test_extraction_and_evaluation_reach_no_network(offline, sample_videos, tmp_path):
    clip = next((sample_videos / "p01").glob("*.mp4"))
    table = extract_flow(clip, tmp_path / "flows", method="dis", size=64)
    assert table["status"].tolist() == ["ok"]
    write_drawn_flows(tmp_path / "drawn", people=3, clips=3)
    evaluate(tmp_path / "drawn").save(tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=[\"']?(https?:)?//", page)
    assert offline == []


def test_no_picture_of_a_face_is_written_or_told(sample_videos, tmp_path, capfd):
    clip = next((sample_videos / "p01").glob("*.mp4"))
    shutil.copytree(clip.parent, tmp_path / "v" / "p01", ignore=lambda folder, names: set(names) - {clip.name})
    done = CliRunner().invoke(
        app, ["extract-flow", str(tmp_path / "v"), "--method=dis", "--size=64", "--out", str(tmp_path / "flows")]
    )
    assert done.exit_code == 0, done.output
    files = [path for path in (tmp_path / "flows").rglob("*") if path.is_file()]
    assert {path.name for path in files if path.suffix != ".npz"} == {
        "run.json",
        "samples.csv",
        ".mer.lock",
        ".mer-sources.csv",
    }
    assert [path for path in files if path.suffix == ".npz" and not is_flow_file(path, 64)] == []
    assert len(done.output) + len("".join(capfd.readouterr())) < 2000


HOSTILE = '<img src=x onerror="alert(1)">'


def test_names_are_escaped_in_the_report(tmp_path):
    table = write_drawn_flows(tmp_path / "flows", people=3, clips=3)
    from mer.datasets.samples import write_samples

    table["subject"] = table["subject"] + HOSTILE
    table["label"] = table["label"] + HOSTILE
    table.loc[0, ["status", "message"]] = "failed", HOSTILE
    write_samples(table, tmp_path / "flows" / "samples.csv")
    page = evaluate(tmp_path / "flows", seeds=1).save(tmp_path / "report").read_text(encoding="utf-8")
    assert "onerror" in page
    assert HOSTILE not in page
    assert "<img src=x" not in page


@pytest.mark.parametrize("name", ["../../out", "..", "/etc/passwd", "C:\\temp", "a/../../b"])
def test_names_in_tables_do_not_lead_out(tmp_path, monkeypatch, name):
    monkeypatch.setattr("mer.extraction.expression.detect_faces", seen)
    frames(("1", "2"))(tmp_path / "videos" / "al" / "a")
    pd.DataFrame([{"subject": "al", "clip": "a", "dataset": name, "apex": 2}]).to_csv(tmp_path / "videos/labels.csv")
    before = set(tmp_path.rglob("*.npz"))
    extract_flow(tmp_path / "videos", tmp_path / "deep" / "flows", method=still, size=64)
    folder, sheet = images(tmp_path)
    sheet.write_text(f'dataset,subject,clip,label\n"{name}",s1,a,x\n"{name}","{name}",b,y\n')
    import_flow(folder, sheet, tmp_path / "deep" / "imported")
    written = set(tmp_path.rglob("*.npz")) - before
    assert len(written) >= 2
    assert all(path.is_relative_to(tmp_path / "deep") for path in written)
