import cv2
import numpy as np
import pytest

from tests.published_set import composite_rows


@pytest.fixture
def small(tmp_path):
    """Six clips whose images are flat but for the channels: a writer of images, and the table."""
    images = tmp_path / "images"
    images.mkdir()
    table = composite_rows().groupby("dataset").head(2).reset_index(drop=True).astype(str)

    def write(name: str, levels: tuple[int, int, int] = (10, 20, 30), kind: type = np.uint8) -> None:
        """An image with `levels` of red, green and blue; one pixel is brighter by its channel's number and one."""
        pixels = np.full((4, 4, 3), levels, kind)
        pixels[0, 0] += np.array([1, 2, 3], kind)
        path = images / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imencode(path.suffix, pixels[..., ::-1])[1].tofile(path)

    for row in table.to_dict("records"):
        write(f"{row['sub']}_{row['filename_o']} .png")
    return write, table, tmp_path
