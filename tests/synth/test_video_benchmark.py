from __future__ import annotations

import pytest

from mer.synth.video_benchmark import BenchmarkSettings, make_benchmark


def test_the_benchmark_is_laid_out_for_extraction(tmp_path):
    pd, av = pytest.importorskip("pandas"), pytest.importorskip("av")
    settings = BenchmarkSettings(people=1, clips=1, size=96)
    make_benchmark(tmp_path / "b", settings)
    table = pd.read_csv(tmp_path / "b/labels.csv")
    assert list(table) == ["subject", "clip", "label", "onset", "apex", "offset", "fps", "aus", "dataset"]
    assert sorted(table["label"]) == ["negative", "positive", "surprise"]
    assert (table["onset"] < table["apex"]).all()
    assert (table["apex"] < table["offset"]).all()
    for row in table.itertuples():
        with av.open(str(tmp_path / "b" / row.subject / f"{row.clip}.mp4")) as video:
            assert sum(1 for _ in video.decode(video=0)) > row.offset
    assert "Synthetic" in (tmp_path / "b/NOTE.txt").read_text()
    before = {p: p.read_bytes() for p in (tmp_path / "b").rglob("*.mp4")}
    next(iter(before)).unlink()
    make_benchmark(tmp_path / "b", settings)
    assert {p: p.read_bytes() for p in before} == before


def test_a_benchmark_without_people_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        make_benchmark(tmp_path / "b", BenchmarkSettings(people=0))
    assert not (tmp_path / "b").exists()
