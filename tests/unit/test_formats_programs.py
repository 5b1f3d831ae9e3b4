"""Result formats, read and judged by astropy, pyvo and STILTS."""

import io
import math
import shutil
import subprocess
import warnings

import numpy as np
import pytest
from astropy.io import votable
from format_example import EXAMPLE, INSTANT, ROWS, STATEMENT, VOTABLES, example
from format_readers import (
    written,
)

from services import formats


@pytest.mark.parametrize("name", VOTABLES)
def test_astropy_reads_values_masks_units_and_ucds(name, tmp_path):
    path = tmp_path / "answer.vot"
    path.write_bytes(example(name))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        document_read = votable.parse(path, verify="exception")
    table = document_read.get_first_table()
    assert [f.name for f in table.fields] == [c.name for c in EXAMPLE]
    for field, column in zip(table.fields, EXAMPLE, strict=True):
        assert str(field.unit or "") == (column.unit or "")
        assert field.ucd == column.ucd
        assert field.utype == column.utype
        assert field.description == column.description
    kinds = {f.name: (f.datatype, f.arraysize, f.xtype) for f in table.fields}
    assert kinds["diaSourceId"] == ("long", None, None)
    assert kinds["detector"] == ("short", None, None)
    assert kinds["isGood"] == ("boolean", None, None)
    assert kinds["taken"] == ("char", "26", "timestamp")
    assert kinds["place"] == ("double", "2", "point")
    assert kinds["ring"] == ("double", "3", "circle")
    assert kinds["region"] == ("double", "*", "polygon")
    assert kinds["flags"] == ("int", "*", None)
    assert kinds["matrix"] == ("double", "2x2", None)
    found = table.to_table()
    assert list(found["diaSourceId"]) == [2**63 - 1, 1, 2**53 + 1]
    assert found["ra"][0] == 10.1
    assert found["ra"][1] == math.inf
    assert found["psFlux"].dtype == np.float32
    assert found["psFlux"][0] == np.float32(0.1)
    for column in ("ra", "detector", "isGood", "count", "psFlux"):
        assert found[column].mask.tolist()[2], column
        assert not found[column].mask.tolist()[0], column
    # astropy drops blanks at the end of a cell of XML.
    band = ROWS[1][3].rstrip() if name == "votable/td" else ROWS[1][3]
    assert found["band"][1] == band
    assert found["taken"][0] == "2026-01-01T02:03:04.000005"
    assert found["flags"][0].tolist() == [1, None, 3]
    assert found["region"][1].tolist() == ROWS[1][9]
    assert found["matrix"][0].tolist() == [[1, 2], [3, 4]]
    infos = {info.name: info.value for info in document_read.resources[0].infos}
    assert infos["QUERY_STATUS"] == "OK"
    assert infos["asof"] == INSTANT.isoformat()
    assert infos["query"] == STATEMENT.query
    assert infos["citation"] == "ab12"


@pytest.mark.parametrize("name", VOTABLES)
def test_astropys_validator_is_content(name, tmp_path):
    path = tmp_path / "answer.vot"
    path.write_bytes(example(name))
    said = io.StringIO()
    assert votable.validate(path, output=said, xmllint=False), said.getvalue()
    assert "W" not in said.getvalue().replace("WARN", ""), said.getvalue()


def test_pyvo_knows_the_status_and_the_services():
    dal = pytest.importorskip("pyvo.dal", reason="pyvo, of the test extra, is not installed")
    results = dal.tap.TAPResults
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = results(votable.parse(io.BytesIO(example("votable"))))
    assert found.to_table()["diaSourceId"].tolist() == [row[0] for row in ROWS]
    assert found["band"][1] == ROWS[1][3]
    assert found.fieldname_with_ucd("phot.flux") == "psFlux"
    service = found.get_adhocservice_by_ivoid("ivo://ivoa.net/std/SODA#sync-1.0")
    assert service is not None
    cut = results(votable.parse(io.BytesIO(example("votable", overflow=True))))
    with pytest.warns(dal.DALOverflowWarning):
        cut.check_overflow_warning()
    error = formats.error_document("there is no table x; see /tap/tables")
    with pytest.raises(dal.DALQueryError, match="there is no table x"):
        results(votable.parse(io.BytesIO(error)))


@pytest.fixture(scope="module")
def stilts():
    program = shutil.which("stilts")
    if program is None:
        pytest.skip("STILTS is not installed; `apt install stilts` brings it")

    def run(*words, data=None):
        done = subprocess.run([program, *words], input=data, capture_output=True, check=False)
        return done.returncode, (done.stdout + done.stderr).decode()

    return run


@pytest.mark.parametrize("name", VOTABLES)
def test_votlint_has_no_complaint(stilts, name, tmp_path):
    path = tmp_path / "answer.vot"
    # STILTS 3.4.7 itself reads polygons, but its votlint loses its way in binary ones and takes
    # none for an error in TABLEDATA.
    data = example(name, overflow=True).replace(b' xtype="polygon"', b"")
    path.write_bytes(data)
    assert stilts("votlint", str(path)) == (0, "")


def test_votlint_has_no_complaint_about_errors_and_answers_without_rows(stilts, tmp_path):
    path = tmp_path / "answer.vot"
    path.write_bytes(formats.error_document("no <table> & such", [("asof", "2026-01-01T00:00:00")]))
    assert stilts("votlint", str(path)) == (0, "")
    path.write_bytes(written("votable", EXAMPLE, [], STATEMENT))
    assert stilts("votlint", str(path)) == (0, "")


def test_stilts_reads_the_same_rows_from_every_format(stilts, tmp_path):
    """STILTS turns each into CSV; columns whose text form differs by format are left out."""
    said = {}
    for name in ("votable", "fits", "csv"):
        path = tmp_path / name
        path.write_bytes(example(name))
        code, text = stilts(
            "tpipe", f"in={path}", f"ifmt={name}", "ofmt=csv",
            "cmd=keepcols 'diaSourceId ra psFlux detector taken count'",
        )  # fmt: skip
        assert code == 0, text
        said[name] = text
    assert len(set(said.values())) == 1, said
    assert f"{2**63 - 1},10.1,0.1,-7,2026-01-01T02:03:04.000005,3" in said["csv"]
