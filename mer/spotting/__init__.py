"""Spotting: onset, apex and offset of each expression in a long video, and how good that is.

>>> import mer
>>> found = mer.spot("interview.mp4")                           # doctest: +SKIP
>>> found.intervals                                             # doctest: +SKIP
"""

from mer.spotting.spotting import Spotting, spot

__all__ = ["Spotting", "spot"]
