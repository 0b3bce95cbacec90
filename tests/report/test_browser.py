"""Reports in a real browser: numbers match the files; keyboard, phone and print work; no network access.

Needs Playwright (in the extra `dev`) and Chromium; Debian's `/usr/bin/chromium` is used if present.
"""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from mer.evaluation.evaluate_folder import evaluate
from tests.analyzed import MARKS, analyzed
from tests.drawn_flows import write_drawn_flows

pytestmark = pytest.mark.slow
CHROMIUM = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)
PATIENCE = 120_000  # ms; generous, for busy machines
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason='Playwright is not installed: pip install -e ".[dev]"')
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Open a page; the test fails if the page logs an error or requests anything."""
    problems: list[str] = []
    pages = []

    def open_page(path: Path, width: int = 1200, script: bool = True):
        page = browser.new_page(viewport={"width": width, "height": 900}, java_script_enabled=script)
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: (problems.append("a dialog: " + dialog.message), dialog.dismiss()))
        page.on("request", lambda request: problems.append(request.url) if request.url.startswith("http") else None)
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert problems == []


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("evaluated")
    table = write_drawn_flows(folder, people=5, noise=2.0)
    table["subject"] = table["subject"].replace("s01", HOSTILE)
    table.loc[0, ["status", "message"]] = "no_face", HOSTILE
    table.to_csv(folder / "samples.csv", index=False)
    return evaluate(folder).save(folder / "out")


@pytest.fixture(scope="module")
def analysis(sample_videos, tmp_path_factory):
    return analyzed(sample_videos, tmp_path_factory.mktemp("analysis"), name="<img src=x onerror=alert(1)>")


def cells(page, selector: str) -> list[list[str]]:
    rows = f"{selector} tr"
    return page.eval_on_selector_all(rows, "rows => rows.map(r => [...r.children].map(c => c.innerText.trim()))")


def test_scores_confusions_and_people_match_the_files(visit, evaluated):
    page = visit(evaluated)
    scores = json.loads((evaluated.parent / "scores.json").read_text())
    for name in ("uf1", "uar", "accuracy"):
        assert page.inner_text(f"[data-score={name}]") == f"{scores[name]:.3f}"
        low, high = scores[f"{name}_interval"]
        assert f"{low:.3f} to {high:.3f}" in page.inner_text("#scores")
    counts = pd.read_csv(evaluated.parent / "confusion.csv", index_col="truth")
    shown = cells(page, ".confusion tbody")
    for (truth, row), line in zip(counts.iterrows(), shown):
        assert line[0] == truth
        assert [int(cell.split()[0]) for cell in line[1:]] == [*row, row.sum()]
        assert [cell.split()[1] for cell in line[1:-1]] == [f"{100 * value / row.sum():.0f}" for value in row]
    people = pd.read_csv(evaluated.parent / "people.csv")
    shown = cells(page, "#people tbody")
    assert [line[1] for line in shown] == people["subject"].tolist()
    assert [float(line[4]) for line in shown] == pytest.approx(people["accuracy"].tolist(), abs=5e-4)
    assert HOSTILE in page.inner_text("#failed")
    wrong = int(counts.to_numpy().sum() - sum(counts.loc[name, name] for name in counts.index) - counts["failed"].sum())
    assert wrong > 0
    assert page.locator("#confusions svg.flow").count() > 0
    assert scores["command"] in page.inner_text("#reproduce")


def test_expressions_and_units_match_the_files(visit, analysis):
    page = visit(analysis.report)
    table = pd.read_csv(analysis.folder / "intervals.csv")
    units = pd.read_csv(analysis.folder / "units.csv")
    shown = cells(page, "#table tbody")
    for k, (row, line) in enumerate(zip(table.to_dict("records"), shown)):
        assert line[0] == str(k + 1)
        assert [int(cell.split()[0]) for cell in line[1:4]] == [row["onset"], row["apex"], row["offset"]]
        assert line[7].split()[:2] == [row["emotion"], f"{100 * row['p_' + row['emotion']]:.0f}"]
        own = units[units["onset"] == row["onset"]]
        read = cells(page, f"#e{k + 1} .units tbody")
        assert [line[0] for line in read] == own["unit"].astype(str).tolist()
        assert [float(line[3]) for line in read] == pytest.approx(own["intensity"].tolist(), abs=0.0051)
    assert page.inner_text("h1") == "<img src=x onerror=alert(1)>.mp4"


def test_keyboard_and_buttons_step_through_frames(visit, analysis):
    page = visit(analysis.report)
    onset, apex, offset = MARKS[0]
    assert f"Frame {apex}, " in page.inner_text("output")
    page.focus("#scrub")
    page.keyboard.press("ArrowRight")
    assert f"Frame {apex + 1}, " in page.inner_text("output")
    page.keyboard.press("Home")
    assert page.inner_text("output").endswith("between expressions")
    assert page.locator("canvas").is_hidden()
    page.click(f"button[data-frame='{apex}']")
    assert "expression 1, apex" in page.inner_text("output")
    picture = page.evaluate("document.querySelector('canvas').toDataURL()")
    page.check("input[value=head]")
    assert page.evaluate("document.querySelector('canvas').toDataURL()") != picture
    page.click(f"button[data-frame='{onset}']")
    page.check("input[value=expression]")
    blank = "Math.min(...document.querySelector('canvas').getContext('2d').getImageData(224, 20, 9, 9).data)"
    assert page.evaluate(blank) > 250  # nothing has moved yet
    playhead = float(page.get_attribute("#playhead", "x1"))
    page.click(f"button[data-frame='{offset}']")
    assert float(page.get_attribute("#playhead", "x1")) > playhead
    page.locator("#curve-picture").click(position={"x": 980, "y": 60})
    assert int(page.inner_text("output").split(",")[0].removeprefix("Frame ")) > MARKS[1][2] - 1


def test_without_scripts_only_the_viewer_is_missing(visit, analysis):
    page = visit(analysis.report, script=False)
    assert page.locator("#view").is_hidden()
    assert page.locator("#e1 svg.flow").count() == 3
    assert page.locator("#e2 .units tbody tr").count() == 18


def test_pages_fit_a_phone_and_print(visit, analysis, evaluated):
    for report in (analysis.report, evaluated):
        page = visit(report, width=390)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.locator("img:not([alt]), svg[role=img]:not([aria-label])").count() == 0
        page.emulate_media(media="print")
        assert page.locator("nav").is_hidden()
        assert page.pdf(format="A4").startswith(b"%PDF")


def test_faces_can_be_omitted(visit, sample_videos, tmp_path):
    page = visit(analyzed(sample_videos, tmp_path, with_faces=False).report)
    assert page.locator("img").count() == 1  # the color key
    assert page.locator("canvas").is_visible()
    assert "image" not in json.loads(page.inner_text("#frames") or page.text_content("#frames"))["frames"][0]
