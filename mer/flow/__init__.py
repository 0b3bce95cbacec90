"""Optical flow between two frames of one face, split into head flow and expression flow."""

from mer.flow.field import Flow
from mer.flow.files import load_component, load_flow, read_flo, save_flow, write_flo

__all__ = ["Flow", "load_component", "load_flow", "read_flo", "save_flow", "write_flo"]
