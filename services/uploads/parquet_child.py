"""Decodes a Parquet file, in a process of its own, into a stream of plain Arrow columns.

A small Parquet file can hold pages, runs and dictionaries that become any number of bytes, and
its decoder is a large program in C++. It therefore runs here with as much memory and time as the
limits give it and nothing to lose: the file is standard input, the columns standard output, and
one line of JSON on standard error says what is wrong. Imports nothing of the product, so that it
starts quickly.
"""

import json
import os
import resource
import sys
from typing import Any

_ROWS = 4096  # rows that are decoded at a time
_SECONDS = 60
_FLOOR = 256 << 20  # bytes beyond those of the values: the file's row group, buffers of pages

_PLAIN = {
    "bool": "bool",
    "int8": "int16",
    "int16": "int16",
    "int32": "int32",
    "int64": "int64",
    "uint8": "int16",
    "uint16": "int32",
    "uint32": "int64",
    "uint64": "int64",
    "halffloat": "float",
    "float": "float",
    "double": "double",
    "string": "string",
    "large_string": "string",
    "string_view": "string",
    "binary": "string",
    "large_binary": "string",
    "date32[day]": "timestamp",
    "null": "string",
}


class RefusedError(Exception):
    """What is wrong, and where."""

    def __init__(self, what: str, column: str | None = None, row: int | None = None) -> None:
        super().__init__(what)
        self.what, self.column, self.row = what, column, row


def _limited(extra: int) -> None:
    with open("/proc/self/statm", encoding="ascii") as status:  # noqa: PTH123  # starts faster
        now = int(status.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (now + extra, now + extra))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _plain(pa: Any, name: str, kind: Any) -> Any:
    """Type as which a column is sent."""
    if pa.types.is_dictionary(kind):
        return _plain(pa, name, kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_scalar(pa, name, kind.value_type))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_scalar(pa, name, kind.value_type), kind.list_size)
    return _scalar(pa, name, kind)


def _scalar(pa: Any, name: str, kind: Any) -> Any:
    if pa.types.is_dictionary(kind):
        return _scalar(pa, name, kind.value_type)
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us")
    if pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_fixed_size_binary(kind):
        return pa.string()
    found = _PLAIN.get(str(kind))
    if found is None:
        raise RefusedError(
            f"the type {str(kind)[:80]} has no column in the database; leave it out, or write its "
            f"parts as columns of numbers, text, times, or lists of these",
            name,
        )
    return pa.timestamp("us") if found == "timestamp" else pa.type_for_alias(found)


def _converted(pa: Any, pc: Any, values: Any, target: Any, name: str, room: int, cell: int) -> Any:
    kind = values.type
    if pa.types.is_dictionary(kind):
        words = values.dictionary
        if pa.types.is_string(words.type) or pa.types.is_binary(words.type):
            sizes = pc.binary_length(words)
            whole = pc.sum(pc.take(sizes, values.indices)).as_py() or 0
            if whole > room:
                raise RefusedError(
                    f"its texts take more than the {room} bytes that are left; send the table in "
                    f"parts",
                    name,
                )
        values = values.dictionary_decode()
        kind = values.type
    try:
        if pa.types.is_timestamp(kind):
            plain = pa.timestamp(kind.unit)
            values = pc.cast(values, plain, safe=False) if kind.tz else values
            return pc.cast(values, target, safe=False)
        if pa.types.is_fixed_size_binary(kind):
            values = pc.cast(values, pa.binary())
        if pa.types.is_decimal(kind):
            return pc.cast(values, target, safe=False)
        found = pc.cast(values, target)
    except pa.ArrowInvalid as error:
        raise RefusedError(f"a value does not fit: {str(error)[:200]}", name) from None
    if pa.types.is_string(target) and len(found):
        longest = pc.max(pc.binary_length(found)).as_py() or 0
        if longest > cell:
            row = pc.index(pc.binary_length(found), longest).as_py()
            raise RefusedError(
                f"the value takes {longest} bytes; the limit is {cell} bytes a value: shorten it, "
                f"or leave the column out",
                name,
                row + 1,
            )
    return found


def main(expanded: int, rows: int, columns: int, cell: int) -> None:
    """Copy the file's columns from standard input to standard output."""
    import pyarrow as pa  # noqa: PLC0415  # the limits count from what this takes
    import pyarrow.compute as pc  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    pa.set_cpu_count(1)
    pa.set_memory_pool(pa.system_memory_pool())
    _limited(2 * expanded + _FLOOR)
    guards = {"thrift_string_size_limit": 32 << 20, "thrift_container_size_limit": 2_000_000}
    source = os.fdopen(0, "rb")
    first = pq.ParquetFile(source, **guards)
    about = first.metadata
    count = len(first.schema_arrow)
    if count > columns:
        raise RefusedError(
            f"the table has {count} columns; the limit is {columns}: send the columns that the "
            f"query needs, or put numbers of one kind into a list"
        )
    if count == 0:
        raise RefusedError("the table has no columns; send one with at least one column")
    if about.num_rows > rows:
        raise RefusedError(
            f"the table has {about.num_rows} rows, the limit is {rows}; send it in parts"
        )
    if about.num_row_groups > 20_000:
        raise RefusedError(
            f"the table has {about.num_row_groups} row groups, the limit is 20000; write larger "
            f"ones"
        )
    given = first.schema_arrow
    targets = [_plain(pa, f.name, f.type) for f in given]
    # Texts are read as dictionaries where the file has them: one that is meant to burst is not
    # multiplied before its size is known.
    flat = [
        f.name
        for f in given
        if pa.types.is_string(f.type)
        or pa.types.is_binary(f.type)
        or pa.types.is_dictionary(f.type)
    ]
    source.seek(0)
    file = pq.ParquetFile(source, read_dictionary=flat, pre_buffer=False, **guards)
    schema = pa.schema(
        [
            pa.field(f"c{n}", t, metadata={"name": f.name, **_words(f.metadata)})
            for n, (f, t) in enumerate(zip(given, targets, strict=True))
        ],
        metadata=given.metadata,
    )
    room, done = expanded, 0
    with pa.ipc.new_stream(sys.stdout.buffer, schema) as out:
        for batch in file.iter_batches(batch_size=_ROWS, use_threads=False):
            arrays = []
            for values, target, f in zip(batch.columns, targets, given, strict=True):
                try:
                    found = _converted(pa, pc, values, target, f.name, room, cell)
                except RefusedError as error:
                    if error.row:
                        error.row += done
                    raise
                room -= found.nbytes
                if room < 0:
                    raise RefusedError(
                        f"its values take more than the {expanded} bytes allowed; send it in "
                        f"parts, or fewer columns"
                    )
                arrays.append(found)
            out.write_batch(pa.record_batch(arrays, schema=schema))
            done += batch.num_rows
            if done > rows:
                raise RefusedError(f"the table has more than {rows} rows, which is the limit")


def _words(metadata: dict[bytes, bytes] | None) -> dict[str, bytes]:
    known = ("unit", "ucd", "utype", "xtype", "description")
    return {k: v for k in known if (v := (metadata or {}).get(k.encode()))}


def _told(what: str, column: str | None = None, row: int | None = None) -> None:
    sys.stderr.write("\n" + json.dumps({"what": what, "column": column, "row": row}) + "\n")
    sys.stderr.flush()
    os._exit(1)  # nothing is worth tidying, and tidying may need memory


if __name__ == "__main__":
    try:
        main(*(int(word) for word in sys.argv[1:5]))
    except RefusedError as refused:
        _told(refused.what, refused.column, refused.row)
    except MemoryError:
        _told("to decode it takes more memory than the limits allow; send it in parts")
    except Exception as error:  # noqa: BLE001  # whatever the decoder meets is the file's fault
        if "alloc failed" in str(error) or "bad_alloc" in str(error):
            _told("to decode it takes more memory than the limits allow; send it in parts")
        _told(
            f"it is not a sound Parquet file ({' '.join(str(error).split())[:200]}); write it again"
        )
