"""Rows of dictionaries as columns for staging."""

from types import SimpleNamespace

import numpy as np
import pytest

from ingest import rows
from skyledger import dictionary
from skyledger.errors import DataRejectedError

CCD_VISIT = dictionary.shipped()["CcdVisit"]


def test_missing_and_nan_values_are_masked_in_scalars_and_arrays():
    grid = np.arange(64.0)
    grid[3] = np.nan
    listed = [
        {"ccdVisitId": 1, "seeing": 0.7, "diffNoiseGrid": grid, "pviPath": "a.fits"},
        {"ccdVisitId": 2, "seeing": float("nan"), "pviPath": None},
        {"ccdVisitId": 2**62 + 1, "diffNoiseGrid": None},
    ]
    table = rows.table(listed, CCD_VISIT)
    assert table["ccdVisitId"].tolist() == [1, 2, 2**62 + 1]
    assert table["seeing"].mask.tolist() == [False, True, True]
    assert table["pviPath"].mask.tolist() == [False, True, True]
    assert table["diffNoiseGrid"].shape == (3, 64)
    assert table["diffNoiseGrid"].mask.sum(axis=1).tolist() == [1, 64, 64]
    assert table["diffNoiseGrid"].mask[0, 3]


@pytest.mark.requirement("GEN-13")
@pytest.mark.parametrize("shape", [(64, 128), (100, 150), (641, 640)])
def test_the_mask_has_a_bit_for_each_cell_that_is_half_usable(shape):
    """Read bit by bit, against the pixels of each cell one by one."""
    rng = np.random.default_rng(4)
    usable = rng.random(shape) < 0.5
    usable[: shape[0] // 2, : shape[1] // 3] = False
    mask = rows.usable_mask(SimpleNamespace(usable=lambda: usable))
    assert len(mask) == 64
    assert all(-(2**63) <= word < 2**63 for word in mask)
    for row in range(0, 64, 7):
        for column in (0, 5, 31, 62, 63):
            inside = [
                usable[y, x]
                for y in range(shape[0])
                if 64 * y // shape[0] == row
                for x in range(shape[1])
                if 64 * x // shape[1] == column
            ]
            assert bool(mask[row] >> column & 1) == (2 * sum(inside) >= len(inside) > 0)


def test_the_mask_of_a_detector_of_fewer_pixels_than_cells():
    usable = np.arange(32 * 48).reshape(32, 48) % 3 == 0
    mask = rows.usable_mask(SimpleNamespace(usable=lambda: usable))
    for y in range(0, 32, 5):
        assert bool(mask[2 * y] >> 4 & 1) == usable[y, 3]  # column 3 begins at cell 4


def test_unknown_columns_are_refused_by_name():
    with pytest.raises(DataRejectedError, match="CcdVisit has no column surprise"):
        rows.table([{"ccdVisitId": 1, "surprise": 2}], CCD_VISIT)
