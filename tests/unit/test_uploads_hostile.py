"""Uploads that are broken, lie or attack: each ends with a sentence, in bounded memory."""

import base64
import gzip
import io
import json
import struct
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.uploads import Limits, read
from services.uploads.copy import CopyStream
from skyledger.errors import UploadRefusedError

SMALL = Limits(sent=1 << 20, expanded=2 << 20, rows=1000, columns=20, cell=10_000)


def refusal(content: bytes, limits: Limits | None = None, **more: Any) -> str:
    with pytest.raises(UploadRefusedError) as caught:
        read(io.BytesIO(content), "sent", limits, **more)
    text = str(caught.value)
    assert text.startswith("upload 'sent'")
    assert "\n" not in text
    assert text.isprintable()
    assert len(text) < 1000
    return text


def votable(data: str, fields: str = '<FIELD name="a" datatype="int"/>', before: str = "") -> bytes:
    return (
        f"{before}<VOTABLE><RESOURCE><TABLE>{fields}<DATA>{data}</DATA></TABLE></RESOURCE></VOTABLE>"
    ).encode()


def cells(*rows: str, **more: str) -> bytes:
    return votable(f"<TABLEDATA>{''.join(rows)}</TABLEDATA>", **more)


def stream(data: bytes, kind: str = "BINARY2", **more: str) -> bytes:
    text = base64.b64encode(data).decode()
    return votable(f'<{kind}><STREAM encoding="base64">{text}</STREAM></{kind}>', **more)


# -- XML


def test_a_doctype_is_refused_before_its_entities_are() -> None:
    laughs = '<!DOCTYPE l [<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(10)
    )
    assert "DOCTYPE" in refusal(cells("<TR><TD>&k;</TD></TR>", before=f"{laughs}]>"))
    fetched = '<!DOCTYPE V [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    assert "DOCTYPE" in refusal(cells("<TR><TD>&x;</TD></TR>", before=fetched))
    parameter = '<!DOCTYPE V [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]>'
    assert "DOCTYPE" in refusal(cells(before=parameter))
    old = '<!DOCTYPE VOTABLE SYSTEM "http://us-vo.org/xml/VOTable.dtd">'
    assert "remove that line" in refusal(cells("<TR><TD>1</TD></TR>", before=old))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (cells("<TR><TD>&undefined;</TD></TR>"), "undefined entity"),
        (cells("<TR><TD>1</TR>"), "mismatched tag"),
        (cells("<TR><TD>1</TD></TR>")[:-20], "XML is broken at line 1"),
        (b"<VOTABLE>" + b"<RESOURCE>" * 5000, "nested more than 32 deep"),
        (b"<VOTABLE><RESOURCE></RESOURCE></VOTABLE>", "has no TABLE"),
        (b"<svg></svg>", "'svg', not a VOTABLE"),
        (votable("<FITS><STREAM/></FITS>"), "send the FITS file itself"),
        (votable('<BINARY2><STREAM href="http://x/y"/></BINARY2>'), "nothing is fetched"),
        (votable('<BINARY><STREAM encoding="gzip">x</STREAM></BINARY>'), "must be base64"),
        (votable("<BINARY><STREAM>x</STREAM></BINARY>"), "must be base64"),
        (votable("<TABLEDATA/><TABLEDATA/>"), "a second TABLEDATA"),
        (cells("<TR><TD encoding='base64'>MQ==</TD></TR>"), "encoded as base64"),
        (cells("<TR><TD>1</TD><TD>2</TD></TR>"), "row 1: it has more than 1 cells"),
        (cells("<TR><TD>1</TD></TR>", "<TR></TR>"), "row 2: it has 0 cells"),
        (cells("<TR>1</TR>"), "'1' stands between cells"),
        (cells("<TR><TR/></TR>"), "'TR' stands where none belongs"),
        (cells("<TR><TD><b>1</b></TD></TR>"), "'b' stands where none belongs"),
        (cells("<TR><TD>1</TD></TR>", "<TR><TD>abc</TD></TR>"),
         "row 2, column 'a': 'abc' is not a whole number"),
        (cells("<TR><TD>3000000000</TD></TR>"), "lies outside -2147483648 to 2147483647"),
        (cells("<TR><TD>1</TD></TR>", fields='<FIELD name="a" datatype="integer"/>'),
         "datatype 'integer' is none of VOTable's: boolean, bit"),
        (cells("<TR><TD>1</TD></TR>", fields='<FIELD name="a" datatype="int" arraysize="-3"/>'),
         "arraysize '-3' is not understood"),
        (cells("<TR><TD>1 2</TD></TR>", fields='<FIELD name="a" datatype="int" arraysize="3"/>'),
         "'1 2' has 2 elements, not 3"),
        (cells("<TR><TD>1e40</TD></TR>", fields='<FIELD name="a" datatype="float"/>'),
         "'1e40' lies outside the range of real, 3.4e+38"),
        (cells("<TR><TD>x</TD></TR>", fields='<FIELD name="a" datatype="boolean"/>'),
         "'x' is not a truth value"),
        (cells("<TR><TD>soon</TD></TR>",
               fields='<FIELD name="a" datatype="char" arraysize="*" xtype="timestamp"/>'),
         "'soon' is not a date and time"),
        (cells("<TR><TD>1 2</TD></TR>", "<TR><TD>1 x</TD></TR>",
               fields='<FIELD name="a" datatype="int" arraysize="*"/>'),
         "row 2, column 'a': 'x' is not a whole number"),
        (cells(fields=""), "has no columns"),
        (cells(fields='<FIELD name="a" datatype="double" arraysize="1000x1000x1000"/>'),
         "makes values of 8000000000 bytes; the limit is 1048576"),
        (b'<?xml version="1.0" encoding="nonsense"?><VOTABLE/>', "encoding"),
    ],
)  # fmt: skip
def test_votables_that_are_wrong(content, words) -> None:
    assert words in refusal(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (stream(b"\0\0\0\0\1\0\0\0"), "row 2: the data end within the row, 3 bytes"),
        (stream(b"\0\0\0\0\1", kind="BINARY"), "row 2: the data end"),
        (stream(struct.pack(">BI", 0, 0xFFFFFFFF),
                fields='<FIELD name="a" datatype="double" arraysize="*"/>'),
         "row 1, column 'a': the value takes 34359738360 bytes; the limit is 1048576"),
        (stream(struct.pack(">BI", 0, 100) + b"abc",
                fields='<FIELD name="a" datatype="char" arraysize="*"/>'), "data end within"),
        (stream(b"\0\xff", fields='<FIELD name="a" datatype="char"/>'), "is not utf-8"),
        (stream(b"\0\xd8\0", fields='<FIELD name="a" datatype="unicodeChar"/>'), "is not utf-16"),
        (stream(b"\0X", fields='<FIELD name="a" datatype="boolean"/>'), "'X' is not a truth value"),
        (stream(b"", kind="BINARY", fields='<FIELD name="a" datatype="char" arraysize="0"/>'),
         "its rows have no bytes"),
        (votable('<BINARY2><STREAM encoding="base64">AAAA*AAA</STREAM></BINARY2>'),
         "the base64 before line 1 is not valid"),
        (votable('<BINARY2><STREAM encoding="base64">AAAAAAE</STREAM></BINARY2>'),
         "the base64 before line 1 is not valid"),
        (votable('<BINARY2><STREAM encoding="base64">AAAAAAE=AAAAAAE=</STREAM></BINARY2>'),
         "the base64 before line 1 is not valid"),
        (votable('<BINARY2><STREAM encoding="base64">é</STREAM></BINARY2>'), "base64"),
        (votable('<BINARY2><STREAM encoding="base64"><x/></STREAM></BINARY2>'), "inside a STREAM"),
    ],
)  # fmt: skip
def test_binary_streams_that_are_wrong(content, words) -> None:
    assert words in refusal(content)


# -- limits, the same in every format


def _parquet(columns: dict[str, Any], **more: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **more)
    return out.getvalue()


def _fits(*columns: fits.Column) -> bytes:
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(out)
    return out.getvalue()


def many_columns(kind: str, n: int) -> bytes:
    fields = "".join(f'<FIELD name="c{i}" datatype="short"/>' for i in range(n))
    header = ",".join(f"c{i}" for i in range(n))
    return {
        "votable": lambda: cells(f"<TR>{'<TD>1</TD>' * n}</TR>", fields=fields),
        "csv": f"{header}\n{','.join('1' * n)}\n".encode,
        "parquet": lambda: _parquet({f"c{i}": [1] for i in range(n)}),
        "fits": lambda: _fits(*[fits.Column(f"c{i}", "I", array=[1]) for i in range(min(n, 999))]),
    }[kind]()


def many_rows(kind: str, n: int) -> bytes:
    numbers = np.arange(n, dtype="i4")
    return {
        "votable": lambda: cells(*[f"<TR><TD>{i}</TD></TR>" for i in range(n)]),
        "binary": lambda: stream(numbers.astype(">i4").tobytes(), kind="BINARY"),
        "csv": ("a\n" + "\n".join(map(str, range(n)))).encode,
        "parquet": lambda: _parquet({"a": pa.array(numbers)}),
        "fits": lambda: _fits(fits.Column("a", "J", array=numbers)),
    }[kind]()


def long_cell(kind: str, n: int) -> bytes:
    char = '<FIELD name="a" datatype="char" arraysize="*"/>'
    ragged = np.empty(1, dtype=object)
    ragged[0] = np.zeros(n, "u1")
    return {
        "votable": lambda: cells(f"<TR><TD>{'x' * n}</TD></TR>", fields=char),
        "binary": lambda: stream(struct.pack(">I", n) + b"x" * n, kind="BINARY", fields=char),
        "csv": lambda: b"a\n" + b"x" * n,
        "quoted": lambda: b'a\n"' + b"x\n" * (n // 2) + b'"',
        "parquet": lambda: _parquet({"a": ["x" * n]}),
        "fits": lambda: _fits(fits.Column("a", f"{n}A", array=np.array([b"x" * n]))),
        "heap": lambda: _fits(fits.Column("a", "PB()", array=ragged)),
    }[kind]()


@pytest.mark.parametrize("kind", ["votable", "csv", "parquet", "fits"])
def test_too_many_columns(kind) -> None:
    assert "columns; the limit is 20" in refusal(many_columns(kind, 21), SMALL)
    read(io.BytesIO(many_columns(kind, 20)), "twenty", SMALL)


@pytest.mark.parametrize("kind", ["votable", "csv", "parquet"])
def test_ten_thousand_columns(kind) -> None:
    # FITS itself ends at 999.
    assert "the limit is 1000" in refusal(many_columns(kind, 10_000))


@pytest.mark.parametrize("kind", ["votable", "binary", "csv", "parquet", "fits"])
def test_too_many_rows(kind) -> None:
    text = refusal(many_rows(kind, 1001), SMALL)
    assert "1000 rows" in text or "limit is 1000" in text
    assert read(io.BytesIO(many_rows(kind, 1000)), "thousand", SMALL).rows == 1000


@pytest.mark.parametrize("kind", ["votable", "binary", "csv", "quoted", "parquet", "fits", "heap"])
def test_too_long_a_value(kind) -> None:
    text = refusal(long_cell(kind, 10_002), SMALL)
    assert "10000" in text or "field larger than" in text
    assert "shorten" in text or "at most" in text


def test_too_many_bytes() -> None:
    assert "larger than 1048576 bytes" in refusal(b"a\n" + b"1\n" * (1 << 20), SMALL)
    bomb = gzip.compress(b"a\n" + b"1\n" * (2 << 20))
    assert len(bomb) < 50_000
    assert "expands to more than 2097152 bytes" in refusal(bomb, SMALL)
    assert "compressed twice" in refusal(gzip.compress(gzip.compress(b"a\n1\n")))
    assert "cut off" in refusal(gzip.compress(b"a\n" + bytes(range(256)) * 100)[:-300])
    assert "damaged" in refusal(gzip.compress(b"a\n1\n")[:10] + b"\xff" * 40)
    members = gzip.compress(b"a\n1\n") + gzip.compress(b"2\n") + bytes(100)
    assert read(io.BytesIO(members), "members").rows == 2


def test_values_that_take_much_memory_from_few_bytes() -> None:
    # A hundred thousand empty arrays and texts: 8 bytes here, 72 in memory.
    char = '<FIELD name="a" datatype="char" arraysize="*"/>'
    text = refusal(cells("<TR><TD/></TR>" * 60_000, fields=char), Limits(expanded=2 << 20))
    assert "values take more than the 2097152 bytes allowed" in text


# -- content of the wrong kind


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"# only a comment\n", "the file is empty"),
        (b"<!DOCTYPE html><html><body>502</body></html>", "HTML page"),
        (b"  <html><body>login</body></html>", "HTML page"),
        (b"PK\x03\x04rest", "ZIP"),
        (b'{"a": 1}', "JSON"),
        (b"%PDF-1.7", "PDF"),
        (bytes(100), "write the file again"),
        (b"\x7fELF\0\0\0", "no VOTable, FITS, Parquet, CSV or TSV"),
        (b",,\n1,2,3\n", "no names of columns"),
        (b"a,b\n1,2\n1,2,3\n", "line 3 has 3 values, the header has 2"),
        (b"a,b\n1\n", "line 2 has 1 values, the header has 2"),
        (b'a,b\n"x\ny",1\n1\n', "line 4 has 1 values"),
        (b'a,b\n"x,1\n', "cannot be read: unexpected end of data"),
        (b'a,b\n"x"y,1\n', "expected after"),
        (b"a,b\n1,\xe9\n", "is not utf-8"),
        (b"a,b\n" + b"1,x\n" * 2000 + b"1,x\0y\n", "row 2001, column 'b': 'x\\x00y' holds a zero"),
        ("a,b\n1,é".encode("utf-16")[:-1], "is not utf-16"),
    ],
)
def test_what_is_no_table(content, words) -> None:
    assert words in refusal(content)


def test_the_declared_type_is_named_where_it_is_not_what_came() -> None:
    text = refusal(b"ra,dec\n1,2\n", media_type="application/x-votable+xml")
    assert "no VOTable" in text
    assert "'application/x-votable+xml'" in text
    assert "no encoding 'klingon'" in refusal(b"a\n1\n", media_type="text/csv; charset=klingon")


def test_messages_obey_no_one() -> None:
    name = "a\x1b[31m\n" + "x" * 500
    with pytest.raises(UploadRefusedError) as caught:
        read(io.BytesIO(b"a,b\n1\n"), name)
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 300
    fields = '<FIELD name="a&#10;\x7f" datatype="int"/>'
    assert "\\x7f" in refusal(cells("<TR><TD>\u202e1</TD></TR>", fields=fields))


# -- FITS


def _patched(content: bytes, old: bytes, new: bytes) -> bytes:
    assert old in content
    return content.replace(old, new.ljust(len(old))[: len(old)], 1)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"NAXIS2  =                    3", b"NAXIS2  =        1000000000000", "promises"),
        (b"NAXIS2  =                    3", b"NAXIS2  =                   -3", "NAXIS2 = -3"),
        (b"NAXIS2  =                    3", b"NAXIS2  =                 'no'", "NAXIS2 = 'no'"),
        (b"NAXIS1  =                   12", b"NAXIS1  =                   16", "NAXIS1 = 16"),
        (b"TFIELDS =                    2", b"TFIELDS =                 9999", "9999 columns"),
        (b"TFIELDS =                    2", b"TFIELDS =                    3", "TFORM3"),
        (b"'J       '", b"'Z       '", "TFORM1 = 'Z' is no form of FITS"),
        (b"'J       '", b"'9999999A'", "takes 9999999 bytes; the limit is 1048576"),
        (b"PCOUNT  =                   18", b"PCOUNT  =      999999999999999", "promises"),
        (b"END" + b" " * 77, b"NED", "END within"),
        (b"BITPIX  =                    8", b"BITPIX  =                 'x'", "BITPIX"),
    ],
)
def test_fits_headers_that_lie(old, new, words) -> None:
    ragged = np.empty(3, dtype=object)
    ragged[:] = [np.arange(i, dtype="i2") for i in (2, 3, 4)]
    content = _fits(fits.Column("a", "J", array=[1, 2, 3]), fits.Column("p", "PI()", array=ragged))
    second = content.index(b"XTENSION")
    if old.startswith((b"END", b"BITPIX")):
        content = content[:2880] + _patched(content[2880:], old, new)
        content = content if old.startswith(b"BITPIX") else content + b"X" * (5 << 20)
    else:
        content = content[:second] + _patched(content[second:], old, new)
    assert words in refusal(content)


def test_fits_descriptors_that_lie() -> None:
    ragged = np.empty(2, dtype=object)
    ragged[:] = [np.arange(3, dtype="i4"), np.arange(3, dtype="i4")]
    content = _fits(fits.Column("p", "PJ()", array=ragged))
    good = struct.pack(">4i", 3, 0, 3, 12)
    for bad, words in (
        (struct.pack(">4i", 3, 0, 4, 12), "row 2, column 'p': its array of 4 elements at byte 12"),
        (struct.pack(">4i", 3, -8, 3, 12), "row 1, column 'p': its array of 3 elements at byte -8"),
        (struct.pack(">4i", -3, 0, 3, 12), "its array of -3 elements"),
        (struct.pack(">4i", 2**31 - 1, 0, 3, 12), "the value takes 8589934588 bytes"),
    ):
        assert words in refusal(_patched(content, good, bad))


def test_fits_arrays_that_share_their_bytes_are_counted_each() -> None:
    # 10,000 rows name the same 8,000 bytes: 80 kB of file, 80 MB of values.
    n = 10_000
    ragged = np.empty(n, dtype=object)
    ragged[:] = [np.zeros(0, "i4")] * n
    ragged[0] = np.zeros(2000, "i4")
    content = _fits(fits.Column("p", "PJ()", array=ragged))
    at = content.index(struct.pack(">2i", 2000, 0))
    content = content[:at] + struct.pack(">2i", 2000, 0) * n + content[at + 8 * n :]
    assert "take more than the" in refusal(content, Limits(expanded=16 << 20))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ([fits.Column("u", "K", bzero=2**63, array=np.array([1, 2**63], "u8"))],
         "row 2, column 'u': 9223372036854775808 lies above 9223372036854775807"),
    ],
)  # fmt: skip
def test_fits_values_that_do_not_fit(columns, words) -> None:
    assert words in refusal(_fits(*columns))


def test_fits_without_a_table() -> None:
    out = io.BytesIO()
    fits.PrimaryHDU(np.zeros((10, 10))).writeto(out)
    assert "has no binary table" in refusal(out.getvalue())
    assert "cut off" in refusal(out.getvalue()[:1000])
    out = io.BytesIO()
    ascii_table = fits.TableHDU.from_columns([fits.Column("a", "I5", array=[1, 2])])
    fits.HDUList([fits.PrimaryHDU(), ascii_table]).writeto(out)
    assert "ASCII table" in refusal(out.getvalue())
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(np.zeros((9, 9)))]).writeto(out)
    assert "compressed image" in refusal(out.getvalue())


# -- Parquet


def test_parquet_that_bursts() -> None:
    # One text of a megabyte, named a million times: 2 kB of file, 1 TB of values.
    text = "x" * (1 << 20)
    indices = pa.array(np.zeros(1_000_000, "i4"))
    column = pa.DictionaryArray.from_arrays(indices, pa.array([text]))
    content = _parquet({"a": column}, compression="zstd")
    assert len(content) < 20_000
    assert "texts take more than the" in refusal(content)
    zeros = _parquet({"a": np.zeros(3_000_000)}, compression="zstd", use_dictionary=False)
    assert "3000000 rows, the limit is 2000000" in refusal(zeros)
    # One row that holds 288 MB of zeros.
    wide = pa.ListArray.from_arrays([0, 36_000_000], np.zeros(36_000_000))
    lists = _parquet({"a": wide}, compression="snappy", use_dictionary=False)
    assert "more memory than the limits allow" in refusal(lists, Limits(expanded=8 << 20))


def test_parquet_that_is_damaged() -> None:
    content = _parquet({"a": list(range(1000)), "b": ["x"] * 1000})
    assert "not a sound Parquet file" in refusal(b"PAR1" + bytes(100))
    assert "not a sound Parquet file" in refusal(content[:-100])
    assert "not a sound Parquet file" in refusal(content[:4] + bytes(300) + content[304:])
    length = struct.pack("<I", 2**31 - 1)
    assert "not a sound Parquet file" in refusal(content[:-8] + length + b"PAR1")


def test_parquet_of_types_without_columns() -> None:
    struct_column = pa.array([{"x": 1}])
    assert "column 's': the type struct" in refusal(_parquet({"s": struct_column}))
    nested = pa.array([[[1]]])
    assert "has no column in the database" in refusal(_parquet({"n": nested}))
    assert "a value does not fit" in refusal(_parquet({"u": pa.array([2**63], pa.uint64())}))
    assert "a value does not fit" in refusal(_parquet({"b": pa.array([b"\xff"])}))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_damage_of_any_kind_is_refused_or_read_but_never_a_bug(data) -> None:
    ragged = np.empty(3, dtype=object)
    ragged[:] = [np.arange(i, dtype="i2") for i in (2, 3, 4)]
    char = '<FIELD name="b" datatype="char" arraysize="*"/><FIELD name="a" datatype="int"/>'
    rows = b"".join(struct.pack(">BI3si", 0, 3, b"abc", i) for i in range(20))
    good = data.draw(
        st.sampled_from(
            [
                _fits(
                    fits.Column("a", "J", array=[1, 2, 3]),
                    fits.Column("s", "5A", array=np.array([b"x", b"y", b"z"])),
                    fits.Column("p", "PI()", array=ragged),
                ),
                stream(rows, fields=char),
                cells("<TR><TD>x</TD><TD>1</TD></TR>" * 5, fields=char),
                b'a,b,c\n1,2.5,"x"\n2,,y\n',
                gzip.compress(b"a,b\n1,2\n"),
            ]
        )
    )
    content = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        change = data.draw(st.sampled_from(["flip", "cut", "double"]))
        if change == "flip":
            content[at] = data.draw(st.integers(0, 255))
        elif change == "cut":
            del content[at : at + data.draw(st.integers(1, 200))]
        else:
            content[at:at] = content[at : at + data.draw(st.integers(1, 200))]
        if not content:
            return
    try:
        uploaded = read(io.BytesIO(bytes(content)), "damaged", SMALL)
    except UploadRefusedError:
        return
    # What was read can be sent.
    sent = CopyStream([c.type for c in uploaded.columns], uploaded.chunks).read()
    assert sent.startswith(b"PGCOPY")


# -- memory

_PEAK = """
import io, json, resource, sys
from services.uploads import Limits, read
from skyledger.errors import UploadRefusedError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    told = f"{read(sys.argv[1], 'big', Limits(**json.loads(sys.argv[2]))).rows} rows"
except UploadRefusedError as error:
    told = str(error)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"told": told, "peak": peak << 10, "child": child << 10}))
"""


def _peak(path: Path, **limits: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_PEAK), str(path), json.dumps(limits)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    return json.loads(done.stdout)


def _repeated(path: Path, head: bytes, piece: bytes, times: int, tail: bytes = b"") -> Path:
    with path.open("wb") as file:
        file.write(head)
        block = piece * 1000
        for _ in range(times // 1000):
            file.write(block)
        file.write(tail)
    return path


@pytest.mark.parametrize("kind", ["field", "quoted", "cell", "attribute", "comment"])
def test_a_field_of_a_hundred_megabytes_takes_little_memory(tmp_path, kind) -> None:
    path = tmp_path / "big"
    table = b'<VOTABLE><RESOURCE><TABLE><FIELD name="a" datatype="char" arraysize="*"/>'
    head, tail = {
        "field": (b"a,b\n", b""),
        "quoted": (b'a,b\n"', b""),
        "cell": (table + b"<DATA><TABLEDATA><TR><TD>", b"</TD></TR>"),
        # Expat keeps a tag or comment until it is whole.
        "attribute": (b'<VOTABLE version="', b'"/>'),
        "comment": (b"<VOTABLE><!--", b"--></VOTABLE>"),
    }[kind]
    _repeated(path, head, b"x" * 100 if kind != "quoted" else b"x" * 99 + b"\n", 1_000_000, tail)
    found = _peak(path)
    assert "upload 'big'" in found["told"]
    assert found["peak"] < 150 << 20, found


def test_memory_follows_the_limit_and_not_what_a_file_promises(tmp_path) -> None:
    limit = 32 << 20
    char = '<FIELD name="a" datatype="char" arraysize="*"/>'
    begin = votable("<TABLEDATA>", fields=char).split(b"</DATA>")[0]
    texts = _repeated(tmp_path / "texts", begin, b"<TR><TD>x</TD></TR>", 1_000_000)
    found = _peak(texts, expanded=limit, rows=10**9)
    assert "bytes allowed" in found["told"]
    assert found["peak"] < 4 * limit, found

    wide = ",".join(f"c{i}" for i in range(500)).encode()
    commas = _repeated(tmp_path / "commas", wide + b"\n", b"," * 499 + b"\n", 20_000)
    found = _peak(commas, expanded=limit, rows=10**9)
    assert "values take more than" in found["told"]
    assert found["peak"] < 8 * limit, found

    bomb = tmp_path / "bomb.parquet"
    values = pa.ListArray.from_arrays([0, 10_000_000], np.zeros(10_000_000))
    pq.write_table(pa.table({"a": values}), bomb, compression="zstd", use_dictionary=False)
    assert bomb.stat().st_size < 1 << 20
    found = _peak(bomb, expanded=limit, rows=10**9)
    assert "bytes allowed" in found["told"] or "more memory" in found["told"]
    assert found["peak"] < limit, found
    assert found["child"] < (256 << 20) + 2 * limit + (100 << 20), found  # pyarrow takes 100 MB
