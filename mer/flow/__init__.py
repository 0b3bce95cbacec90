"""Optical flow between two frames of one face, decomposed into head flow and expression flow."""

from mer.flow.classical import dis, farneback, tvl1
from mer.flow.field import Flow
from mer.flow.files import is_flow_file, load_component, load_flow, read_flo, save_flow, write_flo
from mer.flow.raft import raft_large, raft_small
from mer.flow.rigid_head import fit_head_flow

__all__ = [
    "Flow",
    "dis",
    "farneback",
    "fit_head_flow",
    "is_flow_file",
    "load_component",
    "load_flow",
    "raft_large",
    "raft_small",
    "read_flo",
    "save_flow",
    "tvl1",
    "write_flo",
]
