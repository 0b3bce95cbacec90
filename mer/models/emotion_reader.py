"""Read the emotion of an expression with a saved model, or with the one that comes with mer."""

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
class EmotionReader:
    """A fitted model for single expressions.

    Attributes
    ----------
    name : str
        In `mer.MODELS`.
    estimator : object
        Fitted; its input is flow in interocular distances, or the onset and the apex in color.
    classes : tuple of str
    component : str
        The flow that it reads: `facial`, `head` or `expression`.
    labeled : bool
        Whether it was fitted to clips labeled by people.
    record : dict
        The record in the model file: training data, scores, settings of the flow.
    sha256 : str
        Of the model file; empty for the model that comes with mer.
    """

    name: str
    estimator: Any
    classes: tuple[str, ...]
    component: str
    labeled: bool
    record: dict[str, Any]
    sha256: str = ""

    @classmethod
    def load(cls, model: str | Path | None = None) -> EmotionReader:
        """Load a file of `mer train classifier`; by default :data:`SHIPPED`, which has seen no labeled clip."""
        if model is None:
            estimator = new_model(SHIPPED)
            load_without_adaptation(estimator)
            return cls(SHIPPED, estimator, _classes(estimator), "expression", False, {})
        estimator, record = load_for_expressions(model)
        digest = hashlib.sha256(Path(model).read_bytes()).hexdigest()
        component = record.get("component", "expression")
        return cls(record["model"], estimator, _classes(estimator), component, "clips" in record, record, digest)

    @property
    def flow_settings(self) -> dict[str, Any]:
        """Flow method (`method`), face detector (`align`) and crop size (`size`) of the training data, if recorded.

        Flow for :meth:`read` should be made in the same way.
        """
        recorded = self.record.get("flow") or {}
        return {name: recorded[name] for name in ("method", "align", "size") if recorded.get(name)}

    def read(self, flow: Flow, scale: float, crops: tuple[np.ndarray, np.ndarray]) -> tuple[str, dict[str, float]]:
        """The class of one expression, and the probability of each class if the model estimates them.

        Parameters
        ----------
        flow : Flow
        scale : float
            Pixels per interocular distance.
        crops : (onset, apex)
            The frames that the flow was estimated from, uint8 `(H, W, 3)`.

        Raises
        ------
        ValueError
            If the model was fitted to flow of another size.
        """
        row = expression_input(self.estimator, getattr(flow, self.component), scale, crops).reshape(1, -1)
        try:
            answer = str(self.estimator.predict(row)[0])
            if not hasattr(self.estimator, "predict_proba"):
                return answer, {}
            probabilities = self.estimator.predict_proba(row)[0]
        except ValueError as error:
            height, width = flow.mask.shape
            raise ValueError(f"the model cannot read flow of {width} x {height} pixels: {error}") from error
        return answer, {name: float(probability) for name, probability in zip(self.classes, probabilities)}


def _classes(estimator: Any) -> tuple[str, ...]:
    return tuple(str(name) for name in estimator.classes_)
