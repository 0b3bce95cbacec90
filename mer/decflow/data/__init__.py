"""Training pairs for DecFlow with exact flows.

`sources` opens a source by its name: photographs that are warped (`warped_photos`, `skin_motion`), faces that are
rendered (`rendered`), textures without a face (`textures`) or FacialFlowNet data on disk, varied by `augment`.
`degradation` imitates the camera, and `pairs` makes tensors.
"""
