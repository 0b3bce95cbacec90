"""DecFlow: facial flow split into head flow and expression flow (Lu et al., "FacialFlowNet", ACM MM 2024).

Using it takes `methods` (flow methods for `mer.METHODS`), `weights`, and the networks: `paper` and `lite` with their
parts in `layers`, `linear` and `prior`. Training adds `train`, `losses`, and the data: `data`, `warped`, `rendered`,
`augment`, `pairs`. `classify` goes on to an emotion in one differentiable piece.
"""
