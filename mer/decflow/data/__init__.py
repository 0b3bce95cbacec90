"""Training pairs for DecFlow: rendered, warped or textured frames with exact flow."""
