"""DecFlow: facial flow decomposed into head flow and expression flow (Lu et al., "FacialFlowNet", ACM MM 2024).

`methods` has the flow methods of `mer.METHODS`, and `weights` finds their weights (`import_weights` converts or fetches
them). The networks are `lite` (with `least_squares` and `prior`) and `paper`, built from `layers`, by name in
`networks`. Training is `train`, with the settings in `config`, the loss in `losses` and the pairs in `data`.
"""
