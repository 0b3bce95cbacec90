"""The models of an evaluation: one, with or without a grid of settings, or several to choose from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mer.evaluation.fit_fold import Candidate, can_watch, candidates_of, full_grid
from mer.evaluation.isolation import is_trusted
from mer.evaluation.load_features import INPUTS
from mer.evaluation.protocols.protocol import Protocol
from mer.models import features_of, is_seeded, name_of, new_model, seen_before


@dataclass(frozen=True, eq=False)
class ModelSet:
    """Names, objects or factories of models, a grid with short or full parameter names, and what follows from both."""

    models: list[Any]
    short_grid: Mapping[str, Sequence[Any]] | None

    @cached_property
    def grid(self) -> dict[str, list[Any]] | None:
        return full_grid(self.models[0], self.short_grid) if self.short_grid else None

    @cached_property
    def candidates(self) -> list[Candidate]:
        return candidates_of(self.models, self.grid)

    @cached_property
    def names(self) -> list[str]:
        return list(map(name_of, self.models))

    @property
    def name(self) -> str:
        return ",".join(self.names)

    @property
    def named(self) -> bool:
        return all(isinstance(model, str) for model in self.models)

    @cached_property
    def seeded(self) -> bool:
        return any(map(is_seeded, self.models))

    @cached_property
    def trusted(self) -> bool:
        return all(map(is_trusted, self.models))

    @cached_property
    def pretrained(self) -> str:
        return "; ".join(dict.fromkeys(seen_before(new_model(model)) for model in self.models))

    @cached_property
    def descriptions(self) -> list[str]:
        """Each estimator with its settings in one line that is the same in every run: functions by their name."""
        lines = (" ".join(repr(new_model(model)).split()) for model in self.models)
        return [re.sub(r"<function (\S+) at 0x\w+>", r"\1", line) for line in lines]

    def check(self, oracle_epoch: bool, protocol: Protocol, cluster: str | None) -> None:
        """Raise `ValueError` if these models cannot be evaluated as asked."""
        candidates = self.candidates
        if oracle_epoch and (len(candidates) > 1 or protocol.units or not can_watch(self.models[0])):
            raise ValueError(
                "oracle_epoch needs a protocol of classes, one network whose fit(X, y, watch) reports each epoch, and "
                "no grid"
            )
        if cluster is not None and not self.trusted:
            raise ValueError(
                "a cluster fits the classifiers of mer and scikit-learn only, because its workers keep state between "
                "folds; evaluate yours with workers=N, which gives each fold a fresh process"
            )

    def inputs(self, component: str) -> str:
        """The data that the models see of each clip, in words."""
        features = [features_of(new_model(model)) for model in self.models]
        flow = f"{component} flow"
        return "; ".join(dict.fromkeys(INPUTS.get(each.input_kind, flow) if each else flow for each in features))
