"""Reference catalogues as files: CSV, FITS tables and Parquet, read piece by piece.

A mapping (a TOML file) says which column of the catalogue is what, and in which unit; each piece
comes out in the units of the dictionary, with the reason for every row that cannot be used.
"""

import csv
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
from astropy import units
from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from skyledger.errors import ConfigurationError, DataRejectedError

FloatArray = NDArray[np.float64]
ROWS = 100_000  # of a piece
BANDS = "ugrizy"

# What a mapping may name: unit it comes out in, lowest and highest value that make sense.
_ANGLE_ERROR = ("arcsec", 0.0, 3600.0)
_MOTION = ("mas/yr", -1e5, 1e5)
_MOTION_ERROR = ("mas/yr", 0.0, 1e5)
FIELDS: dict[str, tuple[str, float, float]] = {
    "ra": ("deg", 0.0, 360.0),
    "decl": ("deg", -90.0, 90.0),
    "raErr": _ANGLE_ERROR,
    "declErr": _ANGLE_ERROR,
    "epoch": ("d", 15020.0, 90000.0),
    "pmRa": _MOTION,
    "pmDecl": _MOTION,
    "pmRaErr": _MOTION_ERROR,
    "pmDeclErr": _MOTION_ERROR,
    "parallax": ("mas", -1e4, 1e4),
    "parallaxErr": ("mas", 0.0, 1e4),
    "extendedness": ("", 0.0, 1.0),
    **{f"{b}Flux": ("nJy", -1e15, 1e15) for b in BANDS},
    **{f"{b}FluxErr": ("nJy", 0.0, 1e15) for b in BANDS},
}
REQUIRED = ("ra", "decl", "extendedness")
_NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
_MISSING = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "--", "None"]


@dataclass(frozen=True)
class Source:
    """Where a field comes from: a column of the catalogue, or one value for all rows."""

    column: str | None
    value: float | None
    unit: str  # "mag" for fluxes given as AB magnitudes


@dataclass
class Piece:
    """Some rows of a catalogue; missing values are NaN, refused rows are in ``refused`` alone."""

    values: dict[str, FloatArray] = field(default_factory=dict)
    refused: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # (reason, row)

    def __len__(self) -> int:
        return len(self.values["ra"])


def read_mapping(path: Path) -> dict[str, Source]:
    """Read a mapping; see ``docs/guides/reference-catalogue.md``.

    Raises
    ------
    ConfigurationError
        If the file cannot be read, names an unknown field or unit, or lacks a needed field.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read as TOML: {error}") from error
    unknown = sorted(set(content) - set(FIELDS))
    if unknown:
        raise ConfigurationError(f"{path}: {', '.join(unknown)} is none of {', '.join(FIELDS)}")
    missing = [name for name in REQUIRED if name not in content]
    if missing:
        raise ConfigurationError(
            f"{path} does not say what {', '.join(missing)} is; write for example "
            f'{missing[0]} = "name of the column"'
        )
    return {name: _source(path, name, given) for name, given in content.items()}


def _source(path: Path, name: str, given: Any) -> Source:
    wanted = FIELDS[name][0]
    if isinstance(given, str):
        return Source(given, None, wanted)
    if isinstance(given, int | float) and not isinstance(given, bool):
        return Source(None, float(given), wanted)
    if not isinstance(given, dict) or set(given) - {"column", "value", "unit"}:
        raise ConfigurationError(
            f"{path}: {name} is {given!r}; write a column's name, a number, or "
            f'{{column = "name", unit = "unit"}}'
        )
    column, value, unit = given.get("column"), given.get("value"), str(given.get("unit", wanted))
    if (isinstance(column, str)) == (isinstance(value, int | float)):
        raise ConfigurationError(f"{path}: {name} needs either a column or a value")
    if not (unit == "mag" and wanted == "nJy"):
        try:
            units.Unit(unit).to(units.Unit(wanted))
        except (ValueError, units.UnitConversionError) as error:
            raise ConfigurationError(
                f"{path}: {name} is in {unit!r}, which cannot be turned into {wanted!r}: {error}"
            ) from error
    return Source(column, None if value is None else float(value), unit)


def count(path: Path) -> int | None:
    """Rows of a file, or None if only reading it tells."""
    if path.suffix.lower() in {".parquet", ".pq"}:
        try:
            return int(pq.ParquetFile(path).metadata.num_rows)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(path, "Parquet", error) from error
    return None


def pieces(path: Path, mapping: dict[str, Source]) -> Iterator[Piece]:
    """Read a catalogue piece by piece; the ending of its name tells the format.

    Raises
    ------
    DataRejectedError
        If the file cannot be read, is of an unknown format, or lacks a column.
    """
    readers = {".csv": _csv, ".parquet": _parquet, ".pq": _parquet, ".fits": _fits, ".fit": _fits}
    endings = [ending for ending in readers if path.name.lower().endswith((ending, ending + ".gz"))]
    if not endings:
        raise DataRejectedError(
            f"{path}: the name must end in {', '.join(readers)} to tell the format"
        )
    for columns, broken in readers[endings[0]](path, sorted(_columns(mapping))):
        yield _judged(columns, mapping, broken)


def _columns(mapping: dict[str, Source]) -> set[str]:
    return {source.column for source in mapping.values() if source.column is not None}


def _unreadable(path: Path, kind: str, error: BaseException) -> DataRejectedError:
    return DataRejectedError(f"{path} cannot be read as {kind}: {' '.join(str(error).split())}")


def _require(path: Path, wanted: list[str], found: list[str]) -> None:
    missing = [name for name in wanted if name not in found]
    if missing:
        raise DataRejectedError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(found)}"
        )


_Broken = list[tuple[str, dict[str, Any]]]
_Chunk = tuple[dict[str, Any], _Broken]


def _csv(path: Path, wanted: list[str]) -> Iterator[_Chunk]:
    broken: _Broken = []

    def odd(row: Any) -> str:
        reason = f"the line has {row.actual_columns} columns instead of {row.expected_columns}"
        broken.append((reason, {"line": row.text}))
        return "skip"

    try:
        names = _csv_names(path)
        _require(path, wanted, names)
        reader = pcsv.open_csv(
            path,
            # Bytes of any kind become letters, so that a line with odd ones can be refused.
            read_options=pcsv.ReadOptions(column_names=names, skip_rows=1, encoding="latin1"),
            parse_options=pcsv.ParseOptions(invalid_row_handler=odd),
            convert_options=pcsv.ConvertOptions(
                # Text, so that one word among the numbers costs its own row and no more.
                include_columns=wanted,
                column_types=dict.fromkeys(wanted, pa.string()),
                null_values=_MISSING,
                strings_can_be_null=True,
            ),
        )
        for batch in reader:
            found, broken[:] = list(broken), []
            yield {name: batch.column(name) for name in wanted}, found
        if broken:
            yield {name: pa.array([], pa.string()) for name in wanted}, broken
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, "CSV", error) from error


def _csv_names(path: Path) -> list[str]:
    """Names in the first line of a CSV file."""
    with pa.input_stream(str(path), compression="detect") as stream:
        head = stream.read(1 << 20).split(b"\n", 1)[0].decode("utf-8-sig", errors="replace")
    return [name.strip() for row in csv.reader([head.replace("\0", "")]) for name in row]


def _parquet(path: Path, wanted: list[str]) -> Iterator[_Chunk]:
    try:
        file = pq.ParquetFile(path)
        _require(path, wanted, file.schema_arrow.names)
        for batch in file.iter_batches(ROWS, columns=wanted):
            yield {name: batch.column(name) for name in wanted}, []
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, "Parquet", error) from error


def _fits(path: Path, wanted: list[str]) -> Iterator[_Chunk]:
    # The file is opened here, since astropy leaves those open that it cannot read.
    try:
        with path.open("rb") as raw:
            table = _first_table(path, raw)
            _require(path, wanted, list(table.columns.names))
            for start in range(0, len(table.data), ROWS):
                rows = table.data[start : start + ROWS]
                yield {name: _fits_column(rows, table.columns[name]) for name in wanted}, []
    except (OSError, ValueError, TypeError, LookupError, AttributeError, VerifyError) as error:
        raise _unreadable(path, "FITS", error) from error


def _first_table(path: Path, raw: BinaryIO) -> Any:
    with warnings.catch_warnings():
        # A file that astropy can mend is good enough.
        warnings.simplefilter("ignore", AstropyWarning)
        for hdu in fits.open(raw, memmap=not path.name.endswith(".gz")):
            if isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
                return hdu
    raise DataRejectedError(f"{path} holds no table")


def _fits_column(rows: Any, column: Any) -> pa.Array:
    values = np.asarray(rows[column.name])
    if values.ndim != 1:
        raise DataRejectedError(f"column {column.name} holds arrays of shape {values.shape[1:]}")
    if values.dtype.kind not in "iufb":
        return pa.array([str(v).strip() or None for v in values], pa.string())
    null = values == column.null if column.null not in (None, "") else None
    return pa.array(values.astype(values.dtype.newbyteorder("=")), mask=null)


def _numbers(values: Any) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Numbers of a column, NaN where missing, and where it holds something else."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    kind = values.type
    strange = np.zeros(len(values), bool)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        good = pc.fill_null(pc.match_substring_regex(values, _NUMBER), pa.scalar(value=False))
        words = pc.and_kleene(pc.is_valid(values), pc.invert(good))
        strange = np.asarray(words.to_numpy(zero_copy_only=False), bool)
        cleaned = pc.utf8_trim_whitespace(pc.if_else(good, values, None))
        values = cleaned.cast(pa.float64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        return np.full(len(values), np.nan), ~strange
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.array(numbers, dtype=np.float64), strange


def _judged(columns: dict[str, Any], mapping: dict[str, Source], broken: _Broken) -> Piece:
    """Convert a chunk and sort out the rows that cannot be used."""
    n = len(next(iter(columns.values()))) if columns else 0
    raw: dict[str, FloatArray] = {}
    reasons = np.full(n, "", dtype=object)

    def refuse(where: NDArray[np.bool_], said: str, shown: Any = None) -> None:
        for row in np.flatnonzero(where):
            reasons[row] += "; " if reasons[row] else ""
            reasons[row] += said if shown is None else said.format(shown[int(row)])

    for name, source in mapping.items():
        if source.column is None:
            raw[name] = np.full(n, source.value)
            continue
        raw[name], strange = _numbers(columns[source.column])
        refuse(strange, f"{source.column} = {{}} is no number", columns[source.column])
    values = _in_units(raw, mapping)
    for name, array in values.items():
        _, low, high = FIELDS[name]
        if name in REQUIRED:
            refuse(np.isnan(array) & (reasons == ""), f"{name} is missing")
        infinite = np.isinf(array)
        refuse(infinite, f"{name} is not a finite number")
        outside = ~infinite & ((array < low) | (array > high))
        refuse(outside, f"{name} = {{:.9g}} is outside {low:g} to {high:g}", array)
    good = reasons == ""
    refused = [
        (str(reasons[k]), {c: _plain(columns[c][int(k)].as_py()) for c in columns})
        for k in np.flatnonzero(~good)
    ]
    return Piece({name: array[good] for name, array in values.items()}, [*broken, *refused])


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if value is None or isinstance(value, bool | int | str):
        return value if not isinstance(value, str) else value.replace("\0", "")
    return value if isinstance(value, float) and np.isfinite(value) else str(value)


def _in_units(raw: dict[str, FloatArray], mapping: dict[str, Source]) -> dict[str, FloatArray]:
    """Values in the units of the dictionary; AB magnitudes become fluxes."""
    found = {}
    with np.errstate(over="ignore", invalid="ignore"):
        for name, array in raw.items():
            source = mapping[name]
            if source.unit == "mag":
                if name.endswith("Err"):
                    continue
                found[name] = 10 ** ((31.4 - array) / 2.5)
            else:
                wanted = units.Unit(FIELDS[name][0])
                found[name] = array * units.Unit(source.unit).to(wanted)
        for name, array in raw.items():
            if mapping[name].unit == "mag" and name.endswith("Err"):
                flux = found.get(name.removesuffix("Err"), np.full(len(array), np.nan))
                found[name] = np.abs(flux) * array * np.log(10) / 2.5
    return found
