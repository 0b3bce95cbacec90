"""A build step: `protocols/`, at the top of the checkout, is installed as `mer/protocols`.

`package-dir` could map the folder, too, but then editable installs are no plain entry of the path, and a clone in a
folder that is itself called `mer` hides the package from scripts started above it.
"""

import shutil
from pathlib import Path

from setuptools.command.build_py import build_py


class BuildWithProtocols(build_py):
    """Copies the protocols into the package; an editable install reads them from the checkout."""

    def run(self):
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "mer" / "protocols"
            target.mkdir(parents=True, exist_ok=True)
            for file in sorted(Path(__file__).with_name("protocols").glob("*.yaml")):
                shutil.copy(file, target)
