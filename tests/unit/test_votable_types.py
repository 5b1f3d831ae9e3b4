"""What TAP_SCHEMA promises of a column, and what an answer says of it."""

import numpy as np
import pytest
from adql_sets import archive

from services.adql import translate
from services.formats.columns import field
from services.formats.votable import attributes
from skyledger.votable_types import NUMBERS, votable_type

CATALOGUE = archive()
# Datatypes of VOTable and the numbers of numpy that hold them (VOTable 1.4, section 2.1).
HOLD = {"short": np.int16, "int": np.int32, "long": np.int64, "float": np.float32,
        "double": np.float64}  # fmt: skip


def test_numbers_are_what_votable_calls_them():
    assert {np.dtype(code): HOLD[datatype] for datatype, code in NUMBERS.values()} == {
        np.dtype(kind): kind for kind in HOLD.values()
    }


@pytest.mark.requirement("GEN-01", "GEN-29")
def test_answers_have_the_types_that_tap_schema_promises():
    for table in CATALOGUE.tables.values():
        if table.schema == "TAP_UPLOAD":
            continue
        found = translate(f"SELECT TOP 1 * FROM {table.full_name}", CATALOGUE).columns
        for column, shown in zip(table.columns, found, strict=True):
            size = "x".join(str(n) for n in reversed(column.shape)) if column.shape else None
            promised = votable_type(column.type, size, column.xtype)
            given = attributes(field(shown))
            keys = ("datatype", "arraysize", "xtype")
            assert tuple(given.get(k) for k in keys) == promised, (table.full_name, column.name)
