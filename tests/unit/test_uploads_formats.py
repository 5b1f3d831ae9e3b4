"""Uploads in every format, compared value by value with what astropy and pyarrow wrote."""

import gzip
import io
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.table import MaskedColumn, Table

from services.uploads import Limits, Uploaded, read
from services.uploads import votable as uploads_votable
from services.uploads.names import sql_names
from skyledger.errors import UploadRefusedError

N = 23_011  # several chunks in each format


def values(uploaded: Uploaded, name: str) -> Any:
    """All values of a column, as a list with None where missing."""
    place = [c.name for c in uploaded.columns].index(name)
    return [v for chunk in uploaded.chunks for v in chunk[place].tolist()]


def column(uploaded: Uploaded, name: str) -> Any:
    return next(c for c in uploaded.columns if c.name == name)


def read_bytes(content: bytes, **more: Any) -> Uploaded:
    return read(io.BytesIO(content), "sent", **more)


@pytest.fixture(scope="module")
def sky() -> Table:
    """Columns of each kind, with missing values."""
    rng = np.random.default_rng(20260131)
    some = rng.random(N) < 0.1
    table = Table()
    table["id"] = rng.integers(-(2**62), 2**62, N)
    table["RAJ2000"] = rng.uniform(0, 360, N)
    table["DEJ2000"] = rng.uniform(-90, 90, N)
    table["flux"] = MaskedColumn(rng.normal(0, 1e-30, N).astype("f4"), mask=some)
    table["n"] = MaskedColumn(rng.integers(-30000, 30000, N).astype("i2"), mask=rng.random(N) < 0.1)
    table["count"] = rng.integers(-(2**31), 2**31, N).astype("i4")
    table["good"] = rng.random(N) < 0.5
    table["name"] = [f'star {i}, "{"é" if i % 7 == 0 else "e"}"' for i in range(N)]
    table["mags"] = rng.normal(20, 1, (N, 3))
    table["RAJ2000"].unit, table["DEJ2000"].unit, table["flux"].unit = "deg", "deg", "nJy"
    table["flux"].description = "Flux at  the\n first epoch"
    return table


def same(uploaded: Uploaded, table: Table, *, flat: bool = False) -> None:
    assert uploaded.rows == len(table)
    for name in table.colnames:
        if flat and table[name].ndim > 1:
            continue
        truth = table[name].tolist()
        assert values(uploaded, name) == truth, name


def votable(table: Table, serialisation: str) -> bytes:
    document = from_table(table)
    for field in document.get_first_table().fields:
        if field.name == "n" and serialisation == "binary":
            field.values.null = -32768  # BINARY has no other way to say that nothing is there
        if field.name == "RAJ2000":
            field.ucd, field.utype = "pos.eq.ra;meta.main", "stc:ra"
    out = io.BytesIO()
    document.to_xml(out, tabledata_format=serialisation)
    return out.getvalue()


SKY_TYPES = {
    "id": "bigint",
    "RAJ2000": "double precision",
    "DEJ2000": "double precision",
    "flux": "real",
    "n": "smallint",
    "count": "integer",
    "good": "boolean",
    "name": "text",
    "mags": "double precision[]",
}


@pytest.mark.parametrize("serialisation", ["tabledata", "binary", "binary2"])
def test_votable(sky, serialisation) -> None:
    content = votable(sky, serialisation)
    uploaded = read_bytes(content)
    if serialisation == "binary":
        same(read_bytes(gzip.compress(content, 1)), sky)
    assert uploaded.format == "votable"
    assert {c.name: c.type for c in uploaded.columns} == SKY_TYPES
    same(uploaded, sky)
    ra, flux = column(uploaded, "RAJ2000"), column(uploaded, "flux")
    assert (ra.sql_name, ra.unit, ra.ucd, ra.utype) == (
        "raj2000", "deg", "pos.eq.ra;meta.main", "stc:ra",
    )  # fmt: skip
    assert (flux.unit, flux.description) == ("nJy", "Flux at the first epoch")
    assert column(uploaded, "mags").arraysize == "3"


@pytest.mark.parametrize("serialisation", ["tabledata", "binary", "binary2"])
def test_votable_of_every_datatype(serialisation) -> None:
    # Written by hand from the VOTable 1.4 recommendation, so that astropy judges both.
    head = """<?xml version="1.0"?>
    <v:VOTABLE version="1.4" xmlns:v="http://www.ivoa.net/xml/VOTable/v1.3"><v:RESOURCE><v:TABLE>
    <v:FIELD name="b" datatype="boolean"/><v:FIELD name="bits" datatype="bit" arraysize="11"/>
    <v:FIELD name="u" datatype="unsignedByte"/>
    <v:FIELD name="s" datatype="short"><v:VALUES null="-9"/></v:FIELD>
    <v:FIELD name="i" datatype="int" arraysize="*"/><v:FIELD name="l" datatype="long"/>
    <v:FIELD name="c" datatype="char" arraysize="5"/>
    <v:FIELD name="w" datatype="unicodeChar" arraysize="*"/>
    <v:FIELD name="f" datatype="float" arraysize="2x2"/><v:FIELD name="d" datatype="double"/>
    <v:FIELD name="z" datatype="doubleComplex"/>
    <v:FIELD name="cs" datatype="char" arraysize="3x*"/>
    <v:FIELD name="t" datatype="char" arraysize="*" xtype="timestamp"/>
    <v:DATA><v:TABLEDATA>
    <v:TR><v:TD>T</v:TD><v:TD>1 0 1 0 0 0 0 0 0 0 1</v:TD><v:TD>255</v:TD><v:TD>-9</v:TD>
      <v:TD>1 -2 3</v:TD><v:TD>-9223372036854775808</v:TD><v:TD>a&lt;b</v:TD><v:TD>δ &amp; é</v:TD>
      <v:TD>1 2 NaN 4.5</v:TD><v:TD>+Inf</v:TD><v:TD>1.5 -2</v:TD><v:TD>abcde</v:TD>
      <v:TD>2026-01-31T23:59:59.25Z</v:TD></v:TR>
    <v:TR><v:TD/><v:TD>0 0 0 0 0 0 0 0 0 0 0</v:TD><v:TD>0x1F</v:TD><v:TD>7</v:TD><v:TD/>
      <v:TD>+5</v:TD><v:TD/><v:TD/><v:TD>0 0 0 1e-40</v:TD><v:TD>NaN</v:TD><v:TD>0 0</v:TD><v:TD/>
      <v:TD/></v:TR>
    </v:TABLEDATA></v:DATA></v:TABLE></v:RESOURCE></v:VOTABLE>"""
    content = head.encode()
    if serialisation != "tabledata":
        content = _by_hand(head, flags=serialisation == "binary2")
    uploaded = read_bytes(content)
    assert [c.type for c in uploaded.columns] == [
        "boolean", "boolean[]", "smallint", "smallint", "integer[]", "bigint", "text", "text",
        "real[]", "double precision", "double precision[]", "text[]", "timestamp",
    ]  # fmt: skip
    first = {c.name: values(uploaded, c.name)[0] for c in uploaded.columns}
    second = {c.name: values(uploaded, c.name)[1] for c in uploaded.columns}
    assert first["b"] is True
    assert first["bits"] == [True, False, True] + [False] * 7 + [True]
    assert (first["u"], first["s"], first["l"]) == (255, None, -(2**63))
    assert list(first["i"]) == [1, -2, 3]
    assert (first["c"], first["w"]) == ("a<b", "δ & é")
    assert first["f"] == [1, 2, None, 4.5]
    assert first["d"] == np.inf
    assert first["z"] == [1.5, -2]
    assert first["cs"] == ["abc", "de"]
    assert str(np.datetime64(first["t"])) == "2026-01-31T23:59:59.250000"
    assert (second["u"], second["s"], second["l"]) == (31, 7, 5)
    assert [second[k] for k in ("b", "i", "c", "w", "d", "cs", "t")] == [None] * 7
    assert second["f"] == [0, 0, 0, np.float32(1e-40)]
    assert column(uploaded, "f").arraysize == "2x2"
    assert column(uploaded, "t").xtype == "timestamp"


def _by_hand(document: str, *, flags: bool) -> bytes:
    """The rows of the test above as bytes, by ``struct``."""
    import base64  # noqa: PLC0415
    import struct  # noqa: PLC0415

    def text(t: str, codec: str = "ascii") -> bytes:
        return struct.pack(">I", len(t)) + t.encode(codec)

    one = (
        b"T" + bytes([0b10100000, 0b00100000]) + b"\xff" + struct.pack(">h", -9)
        + struct.pack(">Iiii", 3, 1, -2, 3) + struct.pack(">q", -(2**63)) + b"a<b\0\0"
        + text("δ & é", "utf-16-be") + struct.pack(">4f", 1, 2, np.nan, 4.5)
        + struct.pack(">d", np.inf) + struct.pack(">2d", 1.5, -2)
        + struct.pack(">I", 2) + b"abcde\0"[:6] + text("2026-01-31T23:59:59.25Z")
    )  # fmt: skip
    # A 3x* array says how many characters it has: six here.
    one = one.replace(struct.pack(">I", 2) + b"abcde", struct.pack(">I", 6) + b"abcde")
    two = (
        b"?" + bytes(2) + b"\x1f" + struct.pack(">h", 7) + struct.pack(">I", 0)
        + struct.pack(">q", 5) + bytes(5) + struct.pack(">I", 0)
        + struct.pack(">4f", 0, 0, 0, 1e-40) + struct.pack(">d", np.nan) + struct.pack(">2d", 0, 0)
        + struct.pack(">I", 0) + struct.pack(">I", 0)
    )  # fmt: skip
    if flags:  # columns 0, 4, 6, 7, 11 and 12 of the second row are missing; bit 0 goes first
        one = bytes(2) + one
        two = bytes([0b10001011, 0b00011000]) + two
    kind = "BINARY2" if flags else "BINARY"
    before, _, rest = document.partition("<v:TABLEDATA>")
    after = rest.partition("</v:TABLEDATA>")[2]
    stream = base64.encodebytes(one + two).decode()
    return (
        f'{before}<v:{kind}><v:STREAM encoding="base64">{stream}</v:STREAM></v:{kind}>{after}'
    ).encode()


ROWS = """
<TR><TD>1</TD><TD>plain</TD></TR><TR>
  <TD/><TD>a &lt;TD&gt; b</TD>\r\n</TR>
<!-- <TR><TD>0</TD><TD>no</TD></TR> --><TR><TD>3</TD><TD><![CDATA[</TR><TR>]]></TD></TR>
<TR ID="r4"><TD xml:space="preserve">4</TD><TD>é\r\nδ</TD></TR><?pi </TR> ?>
<TR><TD> 5 </TD><TD></TD></TR>
"""


@pytest.mark.parametrize("piece", [1, 2, 7, 40, 97, 250, 4096])
def test_rows_are_the_same_however_the_bytes_come(piece, monkeypatch) -> None:
    # Rows that are written plainly are read by another way than the others: both meet here.
    monkeypatch.setattr(uploads_votable, "_PIECE", piece)
    plain = "".join(f"<TR><TD>{i}</TD><TD>x{i}</TD></TR>\n" for i in range(6, 40))
    second = "<TABLE><FIELD name='c' datatype='int'/><DATA><TABLEDATA>{}</TABLEDATA></DATA></TABLE>"
    document = (
        '<VOTABLE><RESOURCE><TABLE><FIELD name="a" datatype="int"/><FIELD name="b" '
        f'datatype="unicodeChar" arraysize="*"/><DATA><TABLEDATA>{ROWS}{plain}</TABLEDATA></DATA>'
        f"</TABLE>{second.format('<TR><TD>7</TD><TD>y</TD></TR>')}</RESOURCE></VOTABLE>"
    )
    uploaded = read_bytes(document.encode())
    assert values(uploaded, "a") == [1, None, 3, 4, 5, *range(6, 40)]
    words = ["plain", "a <TD> b", "</TR><TR>", "é\nδ", None]
    assert values(uploaded, "b") == words + [f"x{i}" for i in range(6, 40)]
    wrong = document.replace("<TD>39</TD>", "<TD>oops</TD>")
    with pytest.raises(UploadRefusedError, match="row 39, column 'a': 'oops'"):
        read_bytes(wrong.encode())
    torn = document.replace("<TD>x30</TD>", "<TD>x30<TD>")
    line = torn[: torn.index("<TD>x30<TD>")].count("\n") + 1
    with pytest.raises(UploadRefusedError, match=f"row 30: 'TD' stands|broken at line {line},"):
        read_bytes(torn.encode())


def test_votable_without_rows_and_with_other_parts() -> None:
    content = b"""<VOTABLE><DESCRIPTION>d</DESCRIPTION><INFO name="a" value="b">text</INFO>
    <RESOURCE><PARAM name="p" datatype="int" value="1"/><GROUP><PARAM name="q" datatype="char"
    value=""/></GROUP><TABLE><FIELD ID="a" datatype="int"><DESCRIPTION>of  a</DESCRIPTION></FIELD>
    <PARAM name="r" datatype="int" value="1"/></TABLE><TABLE><FIELD name="other" datatype="odd"/>
    </TABLE></RESOURCE></VOTABLE>"""
    uploaded = read_bytes(content)
    assert (uploaded.rows, uploaded.chunks) == (0, ())
    assert [(c.name, c.type, c.description) for c in uploaded.columns] == [("a", "integer", "of a")]


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "windows-1252"])
def test_votable_in_other_encodings(encoding) -> None:
    document = (
        f'<?xml version="1.0" encoding="{encoding}"?><VOTABLE><RESOURCE><TABLE>'
        '<FIELD name="a" datatype="unicodeChar" arraysize="*"/><DATA><TABLEDATA>'
        "<TR><TD>été</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    )
    uploaded = read_bytes(document.encode(encoding))
    assert values(uploaded, "a") == ["été"]


@pytest.mark.parametrize(
    ("separator", "encoding"), [(",", "utf-8"), ("\t", "utf-16"), (",", "utf-8-sig")]
)
def test_text(sky, separator, encoding, tmp_path) -> None:
    path = tmp_path / "sky.csv"
    flat = sky[[name for name in sky.colnames if name != "mags"]]
    flat.write(path, format="ascii.csv", delimiter=separator, overwrite=True)
    content = path.read_text(encoding="utf-8").encode(encoding)
    uploaded = read_bytes(content)
    assert uploaded.format == ("csv" if separator == "," else "tsv")
    assert {c.name: c.type for c in uploaded.columns} == {
        "id": "bigint",
        "RAJ2000": "double precision",
        "DEJ2000": "double precision",
        "flux": "double precision",
        "n": "bigint",
        "count": "bigint",
        "good": "boolean",
        "name": "text",
    }
    for name in flat.colnames:
        truth = flat[name].tolist()
        assert values(uploaded, name) == truth, name


@pytest.mark.parametrize(
    ("cells", "kind", "truth"),
    [
        ("1 -2 +3", "bigint", [1, -2, 3]),
        ("9223372036854775807 -9223372036854775808", "bigint", [2**63 - 1, -(2**63)]),
        ("9223372036854775808 1", "text", ["9223372036854775808", "1"]),
        ("007 12", "text", ["007", "12"]),
        ("1 2.5 1e3 .5 5.", "double precision", [1, 2.5, 1000, 0.5, 5]),
        ("1 nan -inf NaN", "double precision", [1, None, -np.inf, None]),
        ("1.5 1e999", "text", ["1.5", "1e999"]),
        ("true False TRUE", "boolean", [True, False, True]),
        ("t f", "text", ["t", "f"]),
        ("1 two", "text", ["1", "two"]),
        ("0x1F 2", "text", ["0x1F", "2"]),
        ("2026-02-30 2026-01-01", "text", ["2026-02-30", "2026-01-01"]),
        ("1,5 2", "text", ["1,5", "2"]),
    ],
)
def test_types_of_text_hold_every_value(cells, kind, truth) -> None:
    rows = "\n".join(f'"{cell}",x' for cell in cells.split())
    uploaded = read_bytes(f"a,b\n{rows}\n".encode())
    assert column(uploaded, "a").type == kind
    assert values(uploaded, "a") == truth


def test_a_word_far_down_makes_a_column_text() -> None:
    rows = "\n".join(str(i) for i in range(50_000))
    uploaded = read_bytes(f"a\n{rows}\nlast".encode())
    assert column(uploaded, "a").type == "text"
    assert values(uploaded, "a")[-2:] == ["49999", "last"]


def test_times_and_quotes_and_empty_lines_of_text() -> None:
    uploaded = read_bytes(
        b'# from the archive\n\nt,"a ""b"", c",d\r\n'
        b'2026-01-01,"x\ny",\r\n\r\n2026-01-01T10:30:00.1234567Z,"",""\r\n'
    )
    assert [c.name for c in uploaded.columns] == ["t", 'a "b", c', "d"]
    assert [c.sql_name for c in uploaded.columns] == ["t", "a_b_c", "d"]
    stamps = np.array(values(uploaded, "t"), dtype="datetime64[us]").astype(str).tolist()
    assert stamps == ["2026-01-01T00:00:00.000000", "2026-01-01T10:30:00.123456"]
    assert values(uploaded, 'a "b", c') == ["x\ny", None]
    assert values(uploaded, "d") == [None, None]


def test_the_media_type_says_separator_and_encoding() -> None:
    content = "a\tb,c\né\t1,2\n".encode("latin-1")
    uploaded = read_bytes(content, media_type='text/csv; charset="ISO-8859-1"')
    assert [c.name for c in uploaded.columns] == ["a\tb", "c"]
    assert values(uploaded, "c") == [2]
    tsv = read_bytes(content, media_type="text/tab-separated-values;charset=latin-1")
    assert [c.name for c in tsv.columns] == ["a", "b,c"]


def test_fits(sky, tmp_path) -> None:
    path = tmp_path / "sky.fits"
    table = sky.copy()
    table["name"] = [f"star {i}" for i in range(N)]
    # astropy writes an integer's missing values as TNULL only if it is told which number.
    table["n"].fill_value = -32768
    hdu = fits.table_to_hdu(table)
    hdu.header["TUCD2"] = "pos.eq.ra;meta.main"
    image = fits.ImageHDU(np.zeros((3, 5), "f4"))
    fits.HDUList([fits.PrimaryHDU(np.ones(7, "u1")), image, hdu]).writeto(path)
    uploaded = read(path, "sky")
    assert uploaded.format == "fits"
    assert {c.name: c.type for c in uploaded.columns} == SKY_TYPES
    same(uploaded, table)
    assert column(uploaded, "RAJ2000").ucd == "pos.eq.ra;meta.main"
    assert column(uploaded, "flux").unit == "nJy"


def test_fits_of_every_form(tmp_path) -> None:
    n = 5
    rows = np.arange(n)
    ragged = np.empty(n, dtype=object)
    ragged[:] = [np.arange(i, dtype="i4") * 3 for i in range(n)]
    words = np.array(["a b", "", " x", "é", "end  "])
    columns = [
        fits.Column("L", "L", array=rows % 2 == 0),
        fits.Column("X", "11X", array=np.arange(n * 11).reshape(n, 11) % 3 == 0),
        fits.Column("U8", "B", array=rows.astype("u1") + 250),
        fits.Column("S8", "B", bzero=-128, array=(rows - 100).astype("i1")),
        fits.Column("U16", "I", bzero=32768, array=(rows + 65000).astype("u2")),
        fits.Column("U32", "J", bzero=2**31, array=(rows + 4_000_000_000).astype("u4")),
        fits.Column("U64", "K", bzero=2**63, array=(rows + 2**62).astype("u8")),
        fits.Column("N", "J", null=-1, array=np.array([5, -1, 7, -1, 0], "i4")),
        fits.Column("SC", "I", array=rows * 3),
        fits.Column("C", "C", array=rows + 1j),
        fits.Column("A", "6A", array=np.array([w.encode() for w in words])),
        fits.Column("AA", "6A", dim="(2,3)", array=np.array([["ab", "c", ""]] * n)),
        fits.Column("V", "3E", array=np.arange(n * 3, dtype="f4").reshape(n, 3)),
        fits.Column("M", "6D", dim="(3,2)", array=np.arange(n * 6.0).reshape(n, 2, 3)),
        fits.Column("P", "PJ()", array=ragged),
        fits.Column("Q", "QD()", array=ragged),
    ]
    path = tmp_path / "all.fits"
    hdu = fits.BinTableHDU.from_columns(columns)
    hdu.header["TSCAL9"], hdu.header["TZERO9"] = 0.5, 10
    hdu.writeto(path)
    uploaded = read(path, "all")
    assert [c.type for c in uploaded.columns] == [
        "boolean", "boolean[]", "smallint", "smallint", "integer", "bigint", "bigint", "integer",
        "double precision", "real[]", "text", "text[]", "real[]", "double precision[]",
        "integer[]", "double precision[]",
    ]  # fmt: skip
    assert values(uploaded, "L") == [True, False, True, False, True]
    assert np.array_equal(values(uploaded, "X"), np.arange(n * 11).reshape(n, 11) % 3 == 0)
    assert values(uploaded, "U8") == [250, 251, 252, 253, 254]
    assert values(uploaded, "S8") == [-100, -99, -98, -97, -96]
    assert values(uploaded, "U16") == (rows + 65000).tolist()
    assert values(uploaded, "U32") == (rows + 4_000_000_000).tolist()
    assert values(uploaded, "U64") == (rows + 2**62).tolist()
    assert values(uploaded, "N") == [5, None, 7, None, 0]
    assert values(uploaded, "SC") == [10, 11.5, 13, 14.5, 16]
    assert values(uploaded, "C") == [[float(i), 1.0] for i in range(n)]
    assert values(uploaded, "A") == ["a b", None, " x", "é", "end"]
    assert values(uploaded, "AA") == [["ab", "c", ""]] * n
    assert values(uploaded, "V") == np.arange(n * 3.0).reshape(n, 3).tolist()
    assert values(uploaded, "M") == np.arange(n * 6.0).reshape(n, 6).tolist()
    assert column(uploaded, "M").arraysize == "3x2"
    for name in ("P", "Q"):
        found = values(uploaded, name)
        assert found[0] is None
        assert [list(v) for v in found[1:]] == [list(v) for v in ragged[1:]]


def parquet(table: pa.Table, path: Path, **more: Any) -> Path:
    pq.write_table(table, path, **more)
    return path


def test_parquet_of_every_type(tmp_path) -> None:
    stamps = [datetime(2026, 1, 31, 23, 59, 59, 250_000), None, datetime(1969, 12, 31)]  # noqa: DTZ001
    table = pa.table(
        {
            "bool": pa.array([True, None, False]),
            "i1": pa.array([-128, None, 127], pa.int8()),
            "u1": pa.array([0, None, 255], pa.uint8()),
            "u2": pa.array([0, None, 65535], pa.uint16()),
            "u4": pa.array([0, None, 2**32 - 1], pa.uint32()),
            "u8": pa.array([0, None, 2**63 - 1], pa.uint64()),
            "i8": pa.array([-(2**63), None, 2**63 - 1], pa.int64()),
            "half": pa.array(np.array([0.5, np.nan, 2], "f2")),
            "f4": pa.array([0.1, None, np.inf], pa.float32()),
            "f8": pa.array([0.1, np.nan, None], pa.float64()),
            "text": pa.array(["a", None, "δ"]),
            "bytes": pa.array([b"a", None, b"b"]),
            "word": pa.array(["x", "y", "x"]).dictionary_encode(),
            "day": pa.array(stamps, pa.date32()),
            "time": pa.array(stamps, pa.timestamp("ns")),
            "utc": pa.array(stamps, pa.timestamp("ms", "UTC")),
            "list": pa.array([[1.5, None], None, []], pa.list_(pa.float64())),
            "same": pa.array([[1, 2], [3, 4], [5, None]], pa.list_(pa.int32())),
            "fixed": pa.array([[1, 2], None, [5, 6]], pa.list_(pa.int16(), 2)),
            "words": pa.array([["a", None], None, []], pa.list_(pa.string())),
            "price": pa.array(["1.25", None, "2"]).cast(pa.decimal128(9, 2)),
            "nothing": pa.nulls(3),
        }
    )
    uploaded = read(parquet(table, tmp_path / "all.parquet"), "all")
    assert uploaded.format == "parquet"
    assert [c.type for c in uploaded.columns] == [
        "boolean", "smallint", "smallint", "integer", "bigint", "bigint", "bigint", "real", "real",
        "double precision", "text", "text", "text", "timestamp", "timestamp", "timestamp",
        "double precision[]", "integer[]", "smallint[]", "text[]", "double precision", "text",
    ]  # fmt: skip
    for name in ("bool", "i1", "u1", "u2", "u4", "u8", "i8", "text", "word"):
        assert values(uploaded, name) == table[name].to_pylist(), name
    assert values(uploaded, "half") == [0.5, None, 2]
    assert values(uploaded, "f4") == [np.float32(0.1), None, np.inf]
    assert values(uploaded, "f8") == [0.1, None, None]
    assert values(uploaded, "bytes") == ["a", None, "b"]
    assert values(uploaded, "price") == [1.25, None, 2]
    assert values(uploaded, "nothing") == [None] * 3
    for name in ("time", "utc"):
        found = np.array(values(uploaded, name), "datetime64[us]").astype(str).tolist()
        assert found == ["2026-01-31T23:59:59.250000", "NaT", "1969-12-31T00:00:00.000000"]
    assert np.datetime64(values(uploaded, "day")[0]) == np.datetime64("2026-01-31")
    lists = values(uploaded, "list")
    assert (lists[0].tolist(), lists[1], len(lists[2])) == ([1.5, None], None, 0)
    assert values(uploaded, "same") == [[1, 2], [3, 4], [5, None]]
    fixed = values(uploaded, "fixed")
    assert ([list(v) if v is not None else None for v in fixed]) == [[1, 2], None, [5, 6]]
    assert column(uploaded, "fixed").arraysize == "2"
    assert values(uploaded, "words") == [["a", None], None, []]


def test_parquet_of_many_rows(sky, tmp_path) -> None:
    path = tmp_path / "sky.parquet"
    flat = sky[[name for name in sky.colnames if name != "mags"]]
    columns = {
        name: pa.array(np.ma.getdata(flat[name]), mask=np.ma.getmaskarray(flat[name].data))
        for name in flat.colnames
        if name != "name"
    }
    parquet(pa.table(columns | {"name": flat["name"].tolist()}), path, row_group_size=7000)
    uploaded = read(path, "sky")
    same(uploaded, flat)


def test_parquet_carries_metadata(tmp_path) -> None:
    words = {"unit": "deg", "ucd": "pos.eq.dec", "description": "declination"}
    plain = pa.table([pa.array([1.5])], pa.schema([pa.field("dec", pa.float64(), metadata=words)]))
    found = read(parquet(plain, tmp_path / "plain.parquet"), "p").columns[0]
    assert (found.unit, found.ucd, found.description) == ("deg", "pos.eq.dec", "declination")

    table = Table({"ra": [1.0], "shape": [[1.0, 2.0, 3.0, 4.0]]})
    table["shape"] = table["shape"].reshape(1, 2, 2)
    description = votable(table, "tabledata").decode()
    description = description.replace('name="ra"', 'name="ra" ucd="pos.eq.ra" unit="deg"')
    data = pa.table({"ra": [1.0], "shape": pa.array([[1.0, 2, 3, 4]], pa.list_(pa.float64(), 4))})
    data = data.replace_schema_metadata(
        {"IVOA.VOTable-Parquet.version": "1.0", "IVOA.VOTable-Parquet.content": description}
    )
    ra, shape = read(parquet(data, tmp_path / "vo.parquet"), "v").columns
    assert (ra.unit, ra.ucd, ra.type) == ("deg", "pos.eq.ra", "double precision")
    assert (shape.arraysize, shape.type) == ("2x2", "double precision[]")


def test_a_stream_need_not_be_seekable(sky) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self, content: bytes) -> None:
            self.content = io.BytesIO(content)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            return self.content.readinto(memoryview(buffer)[:1000])

    content = votable(sky[:1000], "binary2")
    uploaded = read(Pipe(content), "pipe")  # type: ignore[arg-type]
    same(uploaded, sky[:1000])


def test_names_become_columns() -> None:
    given = [
        "ra", "RA", "_RAJ2000", "e_B-V", "2MASS", "select", "", "  ", "ctid", "Δm [mag]", "x\0y",
        'a"; DROP TABLE t; --', "ra_2", "%s", "ﬁt", "_", "-", "\ud800", "é" * 60, "é" * 60 + "b",
    ]  # fmt: skip
    found = sql_names(given)
    assert found[:18] == [
        "ra", "ra_3", "_raj2000", "e_b_v", "2mass", "select", "column_7", "column_8", "ctid_",
        "δm_mag_", "x_y", "a_drop_table_t_", "ra_2", "_s", "fit", "column_16", "column_17",
        "column_18",
    ]  # fmt: skip
    assert len(set(found)) == len(found)
    assert all(0 < len(name.encode()) <= 63 for name in found)
    assert all(name == name.lower() for name in found)
    many = sql_names(["x"] * 1000)
    assert len(set(many)) == 1000


def test_limits_have_stated_defaults() -> None:
    assert Limits() == Limits(
        sent=128 << 20, expanded=512 << 20, rows=2_000_000, columns=1000, cell=1 << 20
    )


def test_the_error_has_an_exit_code() -> None:
    assert UploadRefusedError.exit_code == 5
