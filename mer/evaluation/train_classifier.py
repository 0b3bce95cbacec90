"""Trains a model on all clips of a flow folder, and saves it with its scores on unseen people.

Only a subject-independent evaluation predicts the scores on new people, so this is run first, and its scores are saved
with the model. With `pretrain="synth"`, the networks for rendered micro-expressions are trained from scratch, and other
networks are pretrained on rendered clips; the result and the file record this.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mer.datasets.samples import read_samples
from mer.evaluation.evaluate_folder import evaluate
from mer.evaluation.load_features import read_rows
from mer.evaluation.protocols.protocol import find_protocol
from mer.evaluation.result import Result
from mer.flow import load_component
from mer.models import MODELS, features_of, new_model
from mer.models.model_files import save_model
from mer.models.pretraining import PRETRAINABLE
from mer.models.pretraining import pretrain as pretrain_network
from mer.models.zero_shot_classifier import WEIGHTS, has_margins, load_without_adaptation
from mer.utils.folder_lock import lock_file
from mer.utils.progress import Track

if TYPE_CHECKING:
    from mer.synth.micro_flows import MicroFlows

# Models whose networks are trained on rendered clips.
READ_RENDERED = ("zero-shot", "zero-shot-strict", "svm-hoof-synth", "ensemble-synth")


def train_classifier(
    out: str | Path,
    model: str = "svm-hoof",
    flows: str | Path | None = None,
    protocol: str = "loso",
    component: str = "expression",
    pretrain: str | None = None,
    face_models: Sequence[tuple[str, str | None]] = (("makehuman", None),),
    people: int = 1600,
    networks: int = 4,
    seed: int = 0,
    workers: int | None = None,
    track: Track | None = None,
) -> Result | None:
    """Fit `model` and write it to `out`, for :func:`mer.models.model_files.load_model` and `mer analyze --model`.

    Parameters
    ----------
    out : str or Path
        An `.npz`.
    model : str
        A name in `mer.MODELS`.
    flows : str or Path, optional
        A flow folder; optional for `zero-shot` models, which learn from rendered clips only.
    protocol, component, workers
        Arguments of :func:`mer.evaluate`.
    pretrain : {None, "synth"}
        `synth`: a model in :data:`READ_RENDERED` gets newly trained networks instead of the installed ones; a model in
        :data:`mer.models.pretraining.PRETRAINABLE` is pretrained on rendered clips, and fine-tuned in each fold on the
        training people with its own settings.
    face_models : sequence of (name, path)
        The face models to render (:data:`mer.synth.FACE_MODELS`), in addition to drawn faces; may be empty.
    people : int
        Number of rendered people, with 12 clips each.
    networks : int
        Number of networks of a model in :data:`READ_RENDERED`, whose predictions are averaged.
    seed : int
        Seed of rendering, training and the saved model.
    track : function, optional
        `track(items, total, description)` yields `items` and shows progress.

    Returns
    -------
    Result or None
        The scores of the model on unseen people; None without `flows`.

    Raises
    ------
    ValueError
        If the model cannot be trained like this.
    """
    if model not in MODELS:
        raise ValueError(f"unknown model {model!r}; choose from {', '.join(MODELS)}")
    if pretrain not in (None, "synth"):
        raise ValueError(f"unknown pretraining {pretrain!r}; the only choice is synth")
    rendered_models = (*READ_RENDERED, *PRETRAINABLE)
    if pretrain and model not in rendered_models:
        able = ", ".join(rendered_models)
        raise ValueError(f"--pretrain synth is for {able}; {model} learns from labeled clips only")
    if flows is None and not model.startswith("zero-shot"):
        raise ValueError(f"{model} needs a flow folder with labels; only zero-shot models do not")
    if Path(out).suffix != ".npz":
        raise ValueError(f"{out}: a saved model is an .npz; call it {Path(out).with_suffix('.npz').name}")
    record: dict[str, Any] = {"component": component, "seed": seed, "pretrain": "none"}
    if model in READ_RENDERED:
        record["pretrain"] = "rendered micro-expressions, the networks that come with mer"
    with lock_file(out), tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "networks.safetensors" if pretrain else WEIGHTS
        if pretrain:
            aligned = model in PRETRAINABLE and _is_aligned(Path(str(flows)), protocol, component)
            rendered, seen = _render(face_models, people, seed, "aligned" if aligned else "box", track)
            record["pretrain"] = seen
            if model in PRETRAINABLE:
                pretrain_network(model, rendered, weights, seen, seed)
            else:
                _train_readers(weights, rendered, seen, networks, seed, track)
        options = {"pretrained" if model in PRETRAINABLE else "weights": weights} if pretrain else {}
        if flows is None:
            estimator = new_model(partial(MODELS[model], **options))
            load_without_adaptation(estimator)
            save_model(out, model, estimator, record)
            return None
        factory: Any = partial(MODELS[model], **options) if options else model
        result = evaluate(flows, protocol, factory, component, seeds=1, workers=workers, track=track)
        estimator, classes = _fit(factory, seed, Path(flows), protocol, component)
        names = [f"{score}{part}" for score in ("uf1", "uar", "accuracy") for part in ("", "_interval")]
        record |= {"clips": len(classes), "people": result.scores["n_subjects"], "classes": list(result.classes)}
        record |= {"protocol": result.protocol.name, "scores": {name: result.scores[name] for name in names}}
        record["flow"] = {name: result.run.get(name) for name in ("method", "align", "size")}  # for `mer analyze`
        save_model(out, model, estimator, record)
        return result


def _render(
    face_models: Sequence[tuple[str, str | None]], people: int, seed: int, crop: str, track: Track | None
) -> tuple[MicroFlows, dict[str, Any]]:
    """Rendered clips, and a record of their data."""
    from mer.synth.face_model_registry import load_face_model
    from mer.synth.micro_flows import micro_flows

    models = [load_face_model(name, source) for name, source in face_models]
    rendered = micro_flows(models, people, seed=seed, crop=crop, track=track)
    record = {
        "data": "rendered micro-expressions",
        "faces": [*(name for name, _ in face_models), "drawn"],
        "people": people,
        "clips": len(rendered.labels),
        "seed": seed,
    }
    return rendered, record


def _train_readers(
    path: Path, rendered: MicroFlows, record: dict[str, Any], networks: int, seed: int, track: Track | None
) -> None:
    """Train networks on rendered clips and write them; adds their number to the record."""
    from mer.models.zero_shot_training import save_weights, train_networks

    record["networks"] = networks
    save_weights(train_networks(rendered, networks, seed=seed, track=track), path, record)


def _is_aligned(folder: Path, protocol: str, component: str) -> bool:
    """Whether the first clip is mer's aligned crop rather than a face box, as in published images."""
    samples, _ = find_protocol(protocol).select(read_samples(folder))
    readable = samples.loc[samples["status"] == "ok", "path"]
    return len(readable) > 0 and has_margins(load_component(folder / readable.iloc[0], component))


def _fit(model: Any, seed: int, folder: Path, protocol: str, component: str) -> tuple[Any, np.ndarray]:
    """The model, fitted to all readable clips of the protocol, and the classes of these clips `(n,)`."""
    samples, _ = find_protocol(protocol).select(read_samples(folder))
    samples = samples.reset_index(drop=True)
    estimator = new_model(model, seed)
    features = features_of(estimator)
    rows, failed, _ = read_rows(samples, folder, component, features)
    readable = samples.index.difference(failed.index)
    classes = samples.loc[readable, "class"].to_numpy(dtype=str)
    if features is None:
        estimator.fit(rows[readable], classes)
    else:
        estimator.steps[1:] = estimator[1:].fit(rows[readable], classes).steps
    return estimator, classes
