"""Protocols: which clips count, their classes, and the folds; read from `protocols/*.yaml`."""
