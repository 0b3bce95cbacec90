"""The emotion in a flow, by a model that was fitted and saved, or by the one that comes with mer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mer.flow import Flow
from mer.models.model_files import load_for_expressions
from mer.models.per_clip import expression_input
from mer.models.registry import new_model
from mer.models.zero_shot_classifier import load_without_adaptation

SHIPPED = "zero-shot-strict"


@dataclass(frozen=True, eq=False)
class Reader:
    """A model that is ready to read.

    Attributes
    ----------
    name : str
        In `mer.MODELS`.
    estimator : object
        Fitted; takes rows of flow in interocular distances, or of the onset and the apex in color.
    classes : tuple of str
    component : str
        Which flow it reads.
    labeled : bool
        Whether it has seen clips that people labeled.
    record : dict
        Of the file: what it was fitted to, what it scored.
    sha256 : str
        Of the file; empty for the model that comes with mer.
    """

    name: str
    estimator: Any
    classes: tuple[str, ...]
    component: str
    labeled: bool
    record: dict[str, Any]
    sha256: str = ""

    def read(self, flow: Flow, scale: float, crops: tuple[np.ndarray, np.ndarray]) -> tuple[str, dict[str, float]]:
        """The answer for one expression, and the probability of each class, where the model gives any.

        Parameters
        ----------
        flow : Flow
        scale : float
            Pixels in an interocular distance.
        crops : (onset, apex)
            The frames that the flow was estimated from, uint8 `(H, W, 3)`.

        Raises
        ------
        ValueError
            Where the model was fitted to flow of another size.
        """
        row = expression_input(self.estimator, getattr(flow, self.component), scale, crops).reshape(1, -1)
        try:
            answer = str(self.estimator.predict(row)[0])
            if not hasattr(self.estimator, "predict_proba"):
                return answer, {}
            chances = self.estimator.predict_proba(row)[0]
        except ValueError as error:
            height, width = flow.mask.shape
            raise ValueError(f"the model cannot read flow of {width} x {height} pixels: {error}") from error
        return answer, {name: float(chance) for name, chance in zip(self.classes, chances)}


def load_reader(model: str | Path | None = None) -> Reader:
    """The model of a file of `mer train classifier`; without one, :data:`SHIPPED`, which has seen no labeled clip."""
    if model is None:
        estimator = new_model(SHIPPED)
        load_without_adaptation(estimator)
        return Reader(SHIPPED, estimator, _classes(estimator), "expression", False, {})
    estimator, record = load_for_expressions(model)
    digest = hashlib.sha256(Path(model).read_bytes()).hexdigest()
    component = record.get("component", "expression")
    return Reader(record["model"], estimator, _classes(estimator), component, "clips" in record, record, digest)


def _classes(estimator: Any) -> tuple[str, ...]:
    return tuple(str(name) for name in estimator.classes_)
