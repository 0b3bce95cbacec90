"""Make the screenshots of docs/reports.md: `mer demo && python docs/pictures/screenshots.py [DEMO [FOLDER]]`.

Renders a face that belongs to nobody, analyzes that video, evaluates the sample set of `mer demo`, and photographs both
reports in Chromium, on a screen, on a phone and as a print in gray. Everything shown is synthetic. Needs the extras
`synth` and `dev`; what was rendered and analyzed stays in FOLDER, and is not made again.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from long_video import LongVideoSettings, make_long_video
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from mer.evaluation.evaluate_folder import evaluate
from mer.spotting.analyze_video import analyze

HERE = Path(__file__).parent
PATIENCE = 300_000  # ms
A4 = 673  # pixels of paper between the margins


def save(name: str, shot: bytes, width: int, gray: bool = False) -> None:
    """Write a screenshot, smaller."""
    image = Image.open(io.BytesIO(shot)).convert("L" if gray else "RGB")
    image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    if not gray:
        image = image.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=4)
    image.save(HERE / name, optimize=True)


def evaluation_shots(page: Page, report: Path) -> None:
    page.goto(report.resolve().as_uri())
    save("report_scores.png", page.screenshot(), 900)
    box = page.locator("#confusion").bounding_box()
    worst = page.locator("#confusions").bounding_box()
    assert box
    assert worst
    clip = {"x": 0, "y": box["y"], "width": 1200, "height": min(worst["y"] + worst["height"] - box["y"], 1250)}
    save("report_confusions.png", page.screenshot(full_page=True, clip=clip), 900)


def analysis_shots(page: Page, report: Path) -> None:
    page.goto(report.resolve().as_uri())
    save("analysis.png", page.screenshot(), 900)
    first = page.locator(".expression").first
    save("analysis_expression.png", first.screenshot(), 900)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": A4, "height": 1000})
    save("analysis_print.png", first.screenshot(), 700, gray=True)
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("scrollTo(0, 0)")
    save("analysis_phone.png", page.screenshot(), 390)


def main(demo: Path, folder: Path) -> None:
    video = folder / "s01" / "video.mp4"
    make_long_video(folder, 1, LongVideoSettings(seconds=10.0, fps=30, micro=2, macro=1, talk=0.0, seed=4))
    if not (folder / "analysis" / "report.html").exists():
        analyze(video, folder / "analysis")
    if not (folder / "evaluation" / "report.html").exists():
        # Not the best that there is: a report of it would show no confusion.
        evaluate(demo / "flows", model="svm-hoof", component="facial", seeds=1).save(folder / "evaluation")
    chromium = next(path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"], timeout=PATIENCE)
        for shoot, report in ((evaluation_shots, "evaluation"), (analysis_shots, "analysis")):
            page = browser.new_page(viewport={"width": 1200, "height": 1180})
            page.set_default_timeout(PATIENCE)
            shoot(page, folder / report / "report.html")
        browser.close()


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    main(*(given + [Path("demo"), Path("screenshots")][len(given) :]))
