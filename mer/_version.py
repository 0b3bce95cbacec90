"""The version of the package; no module imports :mod:`mer` for it."""

__version__ = "0.1.0"
