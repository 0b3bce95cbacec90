"""Features of flow fields and of clips of frames: pure functions on arrays."""

from mer.features.biwoof import biwoof
from mer.features.clips import as_clips, hog3d, lbp_top, resample_time
from mer.features.fields import as_fields, dct, mirror, resize
from mer.features.histogram import block_hoof, grid_windows, hoof
from mer.features.mdmo import MDMO_POINTS, mdmo, mdmo_regions
from mer.features.regions import FACE_REGIONS, REGION_STATISTICS, region_statistics, region_windows
from mer.features.strain import magnitude, strain, uv_strain

__all__ = [
    "FACE_REGIONS",
    "MDMO_POINTS",
    "REGION_STATISTICS",
    "as_clips",
    "as_fields",
    "biwoof",
    "block_hoof",
    "dct",
    "grid_windows",
    "hog3d",
    "hoof",
    "lbp_top",
    "magnitude",
    "mdmo",
    "mdmo_regions",
    "mirror",
    "region_statistics",
    "region_windows",
    "resample_time",
    "resize",
    "strain",
    "uv_strain",
]
