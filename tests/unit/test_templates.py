"""Which template covers a position."""

import numpy as np
import pytest

from ingest.templates import Registered


@pytest.mark.parametrize(
    ("ra", "decl"), [(10.0, 0.0), (0.0, -30.0), (359.99, 60.0), (200.0, 89.97)]
)
def test_a_position_is_inside_within_the_footprint_and_nowhere_else(ra, decl):
    """Offsets North and East of the middle, made with plain spherical trigonometry."""
    half = 0.05

    def offset(east, north):
        # A short arc from (ra, decl): bearing b, length r.
        r, b = np.radians(np.hypot(east, north)), np.arctan2(east, north)
        d0 = np.radians(decl)
        d = np.arcsin(np.sin(d0) * np.cos(r) + np.cos(d0) * np.sin(r) * np.cos(b))
        a = np.arctan2(np.sin(b) * np.sin(r) * np.cos(d0), np.cos(r) - np.sin(d0) * np.sin(d))
        return (ra + np.degrees(a)) % 360, np.degrees(d)

    corners = [
        offset(e, n) for e, n in ((-half, -half), (half, -half), (half, half), (-half, half))
    ]
    for turned in (corners, corners[::-1]):
        template = Registered(1, "x", tuple(v for c in turned for v in c))
        assert template.covers(ra, decl)
        for east, north, inside in (
            (0.9 * half, 0.9 * half, True),
            (-0.9 * half, 0.2 * half, True),
            (1.1 * half, 0.0, False),
            (0.0, -1.1 * half, False),
            (1.0, 1.0, False),
        ):
            assert template.covers(*offset(east, north)) is inside
        assert not template.covers((ra + 180) % 360, -decl)
