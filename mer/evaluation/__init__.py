"""Subject-independent evaluation: folds, protocols, scores, comparison, and the error of flow."""
