"""Features of flow fields: pure functions on arrays."""

from mer.features.fields import as_fields, resize
from mer.features.histogram import block_hoof, grid_windows, hoof
from mer.features.regions import FACE_REGIONS, region_windows
from mer.features.strain import magnitude, strain, uv_strain

__all__ = [
    "FACE_REGIONS",
    "as_fields",
    "block_hoof",
    "grid_windows",
    "hoof",
    "magnitude",
    "region_windows",
    "resize",
    "strain",
    "uv_strain",
]
