import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from mer.evaluation.evaluate_folder import evaluate
from mer.models import ststnet
from mer.report import render_report
from tests.drawn_flows import write_drawn_flows

VOID = {"meta", "img", "br", "input"}


class Page(HTMLParser):
    """Text by tag, and a check that every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.links += [attrs[key] for key in ("href", "src") if key in attrs]
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("flows")
    write_drawn_flows(folder, people=3)
    return evaluate(folder).record()


def page(record: dict, **changes: object) -> Page:
    counts = np.array([[12, 0, 0, 0], [1, 10, 0, 1], [0.4, 0, 11.6, 0]])
    people = pd.DataFrame({"dataset": "videos", "subject": ["s00"], "clips": 12, "failed": 0, "accuracy": 1.0})
    return Page(render_report(record | changes, counts, people))


def test_the_page_is_valid_and_self_contained(record):
    html = page(record)
    assert html.open == []
    assert all(link.startswith(("#", "data:image/jpeg;base64,")) for link in html.links)
    assert {link[1:] for link in html.links if link.startswith("#")} <= set(html.ids)


def test_scores_intervals_and_hashes_are_shown(record):
    text = page(record).text
    for key in ("uf1", "uar", "accuracy"):
        low, high = record[f"{key}_interval"]
        assert f"{record[key]:.3f} {low:.3f} to {high:.3f}" in text
    assert "Always “disgust”" in text
    assert record["command"] in text
    assert all(value in text for value in record["sha256"].values())


def test_untrusted_text_is_escaped(record):
    failed = [
        dict(
            dataset="a",
            subject="s",
            clip="<script>alert(1)</script>",
            onset=None,
            status="no_face",
            message="&",
            **{"class": "x"},
        )
    ]
    outside = {"failed": failed, "n_failed": 1, "flow_run": {"note": "<b>bold</b>"}}
    people = pd.DataFrame(columns=["dataset", "subject", "clips", "failed", "accuracy"])
    clip = {"dataset": "a", "subject": "<i>", "clip": "c", "onset": 0, "seeds": 1, "missing": "<u>"}
    clip |= {"pictures": [], "faces": []}
    worst = [{"truth": "<s>", "answer": "b", "times": 1, "of": 2, "clips": [clip]}]
    html = render_report(record | outside, np.ones((3, 4)), people, worst)
    assert not re.search("<script>|<i>|<u>|<s>", html)
    assert "&lt;script&gt;" in html
    assert "&lt;b&gt;bold" in html
    assert "&lt;s&gt; predicted as b: 1 of 2 clips (50 %)" in html


def test_a_note_on_the_data_is_a_banner_at_the_top(record):
    text = page(record, flow_run={"note": "These clips are drawn.", "method": "dis", "versions": {"numpy": "2"}}).text
    assert "About these data: These clips are drawn." in text
    assert text.index("These clips are drawn.") < text.index("95 % interval")
    assert text.count("These clips are drawn.") == 1
    assert "versions numpy 2" in text
    assert "About these data" not in page(record).text


def test_failed_clips_are_listed_and_excluded_clips_counted(record):
    failed = [dict(dataset="a", subject="s", clip="c7", onset=3, status="no_face", message="dark", **{"class": "x"})]
    text = page(record, failed=failed, n_failed=1, left_out={"a: no label": 4}).text
    assert "1 of 18 clips failed" in text
    assert "a s c7 3 x no_face dark" in text
    assert "a: no label 4" in text
    assert "No clip failed." in page(record).text


def test_one_person_has_no_interval(record):
    databases = {"a": record["databases"]["videos"] | {f"{key}_interval": None for key in ("uf1", "uar", "accuracy")}}
    assert "–" in page(record, databases=databases).text


@pytest.mark.slow
def test_several_seeds_are_reported(tmp_path):
    write_drawn_flows(tmp_path, people=2)
    result = evaluate(tmp_path, model=lambda random_state: ststnet(random_state, epochs=1), seeds=2)
    text = Page(result.save(tmp_path / "out").read_text()).text
    assert "SD over seeds" in text
    assert "mean over 2 seeds" in text


def test_no_external_font_or_style_is_used(record):
    counts = np.ones((3, 4))
    people = pd.DataFrame(columns=["dataset", "subject", "clips", "failed", "accuracy"])
    html = render_report(record, counts, people)
    assert not re.search(r"https?://|@import|url\(", html)
    assert "default-src 'none'" in html
