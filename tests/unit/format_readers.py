"""Readers of the result formats that share nothing with their writers, and rows to write."""

import base64
import csv
import io
import json
import math
import struct
from datetime import datetime
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow.parquet as pq
from astropy.table import Table

from services import formats
from skyledger.answers import Answer, ResultColumn, to_chunk

_NS = "{http://www.ivoa.net/xml/VOTable/v1.3}"
_CODES = {"short": "h", "int": "i", "long": "q", "float": "f", "double": "d"}


def chunks_of(columns, rows, cut=None):
    """Rows as chunks, divided at ``cut``."""
    cut = len(rows) if cut is None else cut
    parts = [rows[:cut], rows[cut:]] if cut < len(rows) else [rows]
    instant = datetime(2026, 1, 1)  # noqa: DTZ001 - TAI
    return [to_chunk(Answer("prompt", instant, tuple(columns), part)) for part in parts]


def written(name, columns, chunks, statement=None):
    return b"".join(formats.write(name, columns, chunks, statement or formats.Statement()))


def columns_of(types):
    return [ResultColumn(f"c{k}", kind) for k, kind in enumerate(types)]


def document(data):
    return ET.fromstring(data)


def fields_of(root):
    return root.findall(f".//{_NS}TABLE/{_NS}FIELD")


def infos_of(root):
    """(name, value, text) of the INFOs of the results, in order, and where the table is."""
    resource = root.find(f"{_NS}RESOURCE")
    return [
        (e.get("name"), e.get("value"), e.text) if e.tag == f"{_NS}INFO" else ("TABLE", None, None)
        for e in resource
        if e.tag in {f"{_NS}INFO", f"{_NS}TABLE"}
    ]


def _null(field):
    values = field.find(f"{_NS}VALUES")
    return None if values is None else int(values.get("null"))


def _binary(field, data, at):
    """One value by the rules of VOTable 1.4, section 6: value and the next place."""
    kind, size = field.get("datatype"), field.get("arraysize")
    n = 1
    if size == "*":
        (n,) = struct.unpack_from(">i", data, at)
        at += 4
    elif size:
        n = math.prod(map(int, size.split("x")))
    if kind == "unicodeChar":
        return data[at : at + 2 * n].decode("utf-16-be"), at + 2 * n
    if kind == "char":
        return data[at : at + n].rstrip(b"\0").decode("ascii"), at + n
    if kind == "unsignedByte":
        return data[at : at + n], at + n
    if kind == "boolean":
        found = [{84: True, 70: False, 63: None}[b] for b in data[at : at + n]]
        at += n
    else:
        form = f">{n}{_CODES[kind]}"
        found = list(struct.unpack_from(form, data, at))
        at += struct.calcsize(form)
        if (null := _null(field)) is not None:
            found = [None if v == null else v for v in found]
    return (found if size else found[0]), at


def read_binary(data):
    """Columns of a VOTable in BINARY or BINARY2."""
    root = document(data)
    fields = fields_of(root)
    stream = root.find(f".//{_NS}STREAM")
    raw = base64.b64decode("".join((stream.text or "").split()), validate=True)
    masked = root.find(f".//{_NS}BINARY2") is not None
    columns, at = [[] for _ in fields], 0
    while at < len(raw):
        flags = ""
        if masked:
            width = (len(fields) + 7) // 8
            flags = "".join(f"{b:08b}" for b in raw[at : at + width])
            at += width
        for k, field in enumerate(fields):
            value, at = _binary(field, raw, at)
            columns[k].append(None if masked and flags[k] == "1" else value)
    return columns


def read_tabledata(data):
    root = document(data)
    fields = fields_of(root)
    rows = [[td.text or "" for td in tr] for tr in root.iter(f"{_NS}TR")]

    def one(field, text):
        kind = field.get("datatype")
        if kind in {"unicodeChar", "char"}:
            return text
        if kind == "unsignedByte":
            return bytes(map(int, text.split()))
        if kind == "boolean":
            return {"true": True, "false": False, "?": None}[text]
        if kind in {"float", "double"}:
            return float(text)
        value = int(text)
        return None if value == _null(field) else value

    def cell(field, text):
        if not text:
            return None
        many = field.get("arraysize") and field.get("datatype") not in {
            "unicodeChar", "char", "unsignedByte",
        }  # fmt: skip
        return [one(field, word) for word in text.split()] if many else one(field, text)

    return [[cell(f, row[k]) for row in rows] for k, f in enumerate(fields)]


def read_delimited(data, columns, separator=","):
    """Columns of CSV; an empty text cannot be told from NULL by Python's reader."""
    rows = list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=separator))
    assert rows[0] == [c.name for c in columns]

    def one(kind, text):
        if text == "":
            return None
        if kind.endswith("[]") or kind in {"spoint", "scircle", "spoly"}:
            return json.loads(text)
        if kind == "bytea":
            return bytes.fromhex(text.removeprefix("0x"))
        if kind == "boolean":
            return {"true": True, "false": False}[text]
        if kind in {"smallint", "integer", "bigint"}:
            return int(text)
        return float(text) if kind in {"real", "double precision"} else text

    return [[one(c.type, row[k]) for row in rows[1:]] for k, c in enumerate(columns)]


def read_json(data, columns):
    def refuse(word):
        raise AssertionError(word)

    said = json.loads(data, parse_constant=refuse)
    assert [m["name"] for m in said["metadata"]] == [c.name for c in columns]
    found = [[row[k] for row in said["data"]] for k in range(len(columns))]
    for k, column in enumerate(columns):
        if column.type == "bytea":
            found[k] = [v if v is None else bytes.fromhex(v[2:]) for v in found[k]]
    return found


def read_fits(data):
    """Columns by astropy; arrays lose NULL where they are of any length."""
    table = Table.read(io.BytesIO(data), hdu=1)

    def one(value):
        if np.ma.is_masked(value) and np.ndim(value) == 0:
            return None
        if np.ndim(value):
            # A view: the elements themselves may be numbers of either byte order.
            return [None if m else v for v, m in zip(
                np.asarray(value).tolist(), np.ma.getmaskarray(np.ma.asarray(value)), strict=True
            )]  # fmt: skip
        return value.item() if hasattr(value, "item") else value

    return [[one(value) for value in table[name]] for name in table.colnames]


def read_parquet(data):
    table = pq.read_table(io.BytesIO(data))
    return [column.to_pylist() for column in table.columns]


def same(found, wanted, single=False):
    """Whether two values are one, to the last bit; NaN is NaN."""
    if isinstance(wanted, list) and isinstance(found, list):
        return len(found) == len(wanted) and all(
            same(f, w, single) for f, w in zip(found, wanted, strict=True)
        )
    if isinstance(wanted, float) and found is not None:
        found = float(np.float32(found)) if single else float(found)
        if math.isnan(wanted):
            return math.isnan(found)
        return found == wanted and math.copysign(1, found) == math.copysign(1, wanted)
    if isinstance(wanted, bool) and found is not None:
        return bool(found) is wanted
    return type(found) is type(wanted) and found == wanted


def iso(value):
    return value.isoformat(timespec="microseconds")


def exact(column, value):
    """Value as a format that loses nothing but the type of a timestamp gives it back."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, list) and column.type in {"real[]", "double precision[]"}:
        return [math.nan if e is None else e for e in value]
    return value


def check(columns, rows, found, wanted=exact):
    for k, column in enumerate(columns):
        single = column.type.startswith("real")
        assert len(found[k]) == len(rows)
        for row, value in zip(rows, found[k], strict=True):
            expected = wanted(column, row[k])
            assert same(value, expected, single), (column.type, value, expected)
