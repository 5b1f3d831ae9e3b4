"""Rows of dictionaries as columns for staging."""

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


def test_unknown_columns_are_refused_by_name():
    with pytest.raises(DataRejectedError, match="CcdVisit has no column surprise"):
        rows.table([{"ccdVisitId": 1, "surprise": 2}], CCD_VISIT)
