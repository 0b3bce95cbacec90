"""Make the screenshots of docs/reports.md: `mer demo && python docs/pictures/screenshots.py [DEMO [FOLDER]]`.

Renders a video of a synthetic face and analyzes it, evaluates the sample set of `mer demo`, and takes screenshots of
both reports in Chromium: on a screen, on a phone and printed in gray. Needs the extras `synth` and `dev`. Results in
FOLDER are reused.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from mer.evaluation.evaluate_folder import evaluate
from mer.spotting.analyze_video import analyze

HERE = Path(__file__).parent
BENCHMARKS = HERE.parent.parent / "benchmarks"
TIMEOUT = 300_000  # ms
A4 = 673  # width between the margins, in pixels


def save(name: str, screenshot: bytes, width: int, gray: bool = False) -> None:
    """Write a screenshot, resized to `width` pixels."""
    image = Image.open(io.BytesIO(screenshot)).convert("L" if gray else "RGB")
    image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    if not gray:
        image = image.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=4)
    image.save(HERE / name, optimize=True)


def evaluation_shots(page: Page, report: Path) -> None:
    page.goto(report.resolve().as_uri())
    save("report_scores.png", page.screenshot(), 900)
    matrix = page.locator("#confusion").bounding_box()
    examples = page.locator("#confusions").bounding_box()
    assert matrix
    assert examples
    height = examples["y"] + examples["height"] - matrix["y"]
    clip = {"x": 0, "y": matrix["y"], "width": 1200, "height": min(height, 1250)}
    save("report_confusions.png", page.screenshot(full_page=True, clip=clip), 900)


def analysis_shots(page: Page, report: Path) -> None:
    page.goto(report.resolve().as_uri())
    save("analysis.png", page.screenshot(), 900)
    expression = page.locator(".expression").nth(1)
    save("analysis_expression.png", expression.screenshot(), 900)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": A4, "height": 1000})
    save("analysis_print.png", expression.screenshot(), 700, gray=True)
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("scrollTo(0, 0)")
    save("analysis_phone.png", page.screenshot(), 390)


def main(demo: Path, folder: Path) -> None:
    sys.path.insert(0, str(BENCHMARKS))
    from long_video import LongVideoSettings, make_long_video

    video = folder / "s01" / "video.mp4"
    make_long_video(folder, 1, LongVideoSettings(seconds=10.0, fps=60, micro=2, macro=1, talk=0.0, seed=0))
    if not (folder / "analysis" / "report.html").exists():
        analyze(video, folder / "analysis")
    if not (folder / "evaluation" / "report.html").exists():
        # A better model would leave no confusions to show.
        evaluate(demo / "flows", model="svm-hoof", component="facial", seeds=1).save(folder / "evaluation")
    chromium = next(path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"], timeout=TIMEOUT)
        for take, report in ((evaluation_shots, "evaluation"), (analysis_shots, "analysis")):
            page = browser.new_page(viewport={"width": 1200, "height": 1180})
            page.set_default_timeout(TIMEOUT)
            take(page, folder / report / "report.html")
        browser.close()


if __name__ == "__main__":
    demo = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else "screenshots")
    main(demo, folder)
