import sys

import pytest

from mer.utils.opencv import explain_import_error, import_cv2


def test_opencv_is_imported() -> None:
    assert import_cv2() is sys.modules["cv2"]


def test_a_missing_package_names_its_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match="OpenCV is not installed; run `python -m pip install opencv-contrib-python`"):
        import_cv2()


def test_a_missing_system_library_names_its_package() -> None:
    error = ImportError("libGL.so.1: cannot open shared object file")
    assert "apt-get install libgl1 libglib2.0-0" in explain_import_error(error, "OpenCV", "opencv-contrib-python")
