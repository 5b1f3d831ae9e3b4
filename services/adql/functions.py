"""Functions beyond ADQL's own: the database's, those that IVOA recommends, and Rubin's.

One list: the translation calls them, the capabilities and the documentation show them.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from skyledger.resources import db_dir

# ADQL's names of types, for signatures.
ADQL_TYPES = {
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "real": "REAL",
    "double precision": "DOUBLE",
    "text": "VARCHAR",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "point": "POINT",
}


def adql_type(name: str) -> str:
    """Name a type as ADQL does; arrays end with []."""
    return ADQL_TYPES[name.removesuffix("[]")] + ("[]" if name.endswith("[]") else "")


@dataclass(frozen=True)
class Function:
    """A function that queries may call.

    Attributes
    ----------
    sql
        What is written, ``{0}`` for the first argument and so on.
    returns
        A type of the dictionary, or ``point``: then an array of degrees.
    aggregate
        Whether it makes one value of many rows.
    repeatable
        False if the same query has another answer every time.
    optional
        How many of the last arguments may be missing; ``sql`` is for all of them.
    """

    name: str
    arguments: tuple[tuple[str, str], ...]
    returns: str
    description: str
    sql: str
    aggregate: bool = False
    repeatable: bool = True
    unit: str | None = None
    ucd: str | None = None

    @property
    def signature(self) -> str:
        """``name(argument TYPE, ...) -> TYPE``, as TAPRegExt has it."""
        arguments = ", ".join(f"{name} {adql_type(kind)}" for name, kind in self.arguments)
        return f"{self.name}({arguments}) -> {adql_type(self.returns)}"


_D, _I, _B, _T = "double precision", "integer", "bigint", "text"
_WORDS = "' ' || regexp_replace(lower({}), '[^[:alnum:]]+', ' ', 'g') || ' '"
_NEEDLE = "' ' || btrim(regexp_replace(lower({}), '[^[:alnum:]]+', ' ', 'g')) || ' '"


def _bitwise(name: str, operator: str, said: str) -> Function:
    return Function(
        f"ivo_bitwise_{name}",
        (("a", _B), ("b", _B)),
        _B,
        f"Bitwise {said} of two integers.",
        f"({{0}} {operator} {{1}})",
    )


_STANDARD = (
    Function(
        "ivo_hasword",
        (("haystack", _T), ("needle", _T)),
        _I,
        "1 if needle is a word, or several in a row, of haystack, whatever their case; else 0.",
        f"(strpos({_WORDS.format('{0}')}, {_NEEDLE.format('{1}')}) > 0)::integer",
    ),
    Function(
        "ivo_hashlist_has",
        (("hashlist", _T), ("item", _T)),
        _I,
        "1 if item is one of the entries of hashlist, which are separated by #, whatever their "
        "case; else 0.",
        "(lower({1}) = ANY (string_to_array(lower({0}), '#')))::integer",
    ),
    Function(
        "ivo_nocasematch",
        (("value", _T), ("pattern", _T)),
        _I,
        "1 if value is like pattern, whatever their case; else 0.",
        "({0} ILIKE {1} ESCAPE '')::integer",
    ),
    Function(
        "ivo_string_agg",
        (("expression", _T), ("delimiter", _T)),
        _T,
        "The texts of a group in their order, with delimiter between them.",
        "string_agg({0}, {1} ORDER BY {0})",
        aggregate=True,
    ),
    Function(
        "ivo_to_mjd",
        (("t", "timestamp"),),
        _D,
        "Modified Julian Date of a time, in the same time scale.",
        "(extract(epoch FROM {0})::float8 / 86400 + 40587)",
        unit="d",
        ucd="time.epoch",
    ),
    Function(
        "ivo_to_jd",
        (("t", "timestamp"),),
        _D,
        "Julian Date of a time, in the same time scale.",
        "(extract(epoch FROM {0})::float8 / 86400 + 2440587.5)",
        unit="d",
        ucd="time.epoch",
    ),
    Function(
        "ivo_healpix_index",
        (("hpxOrder", _I), ("ra", _D), ("dec", _D)),
        _B,
        "Number of the HEALPix pixel of an order (0 to 29, nested) in which a position [deg] is.",
        "healpix_nest({0}, spoint(radians({1}), radians({2})))",
        ucd="pos.healpix",
    ),
    Function(
        "ivo_healpix_index",
        (("hpxOrder", _I), ("p", "point")),
        _B,
        "Number of the HEALPix pixel of an order (0 to 29, nested) in which a position is.",
        "healpix_nest({0}, {1})",
        ucd="pos.healpix",
    ),
    Function(
        "ivo_healpix_center",
        (("hpxOrder", _I), ("hpxIndex", _B)),
        "point",
        "Centre of a HEALPix pixel of an order (0 to 29, nested).",
        "centre_of_healpix_nest({0}, {1})",
        ucd="pos.eq",
    ),
    Function(
        "ivo_interval_overlaps",
        (("l1", _D), ("h1", _D), ("l2", _D), ("h2", _D)),
        _I,
        "1 if the intervals from l1 to h1 and from l2 to h2 have a number in common; else 0.",
        "({0} <= {3} AND {2} <= {1} AND {0} <= {1} AND {2} <= {3})::integer",
    ),
    Function(
        "ivo_apply_pm",
        (("ra", _D), ("dec", _D), ("pmra", _D), ("pmdec", _D), ("epdist", _D)),
        "point",
        "Position ra, dec [deg] after epdist Julian years with proper motions pmra (with cos dec) "
        "and pmdec [deg/yr], along a great circle.",
        "spoint(radians(science.propagate_ra({0}, {1}, 3.6e6::float8 * {2}, 3.6e6::float8 * {3}, "
        "0, 365.25::float8 * {4})), radians(science.propagate_decl({0}, {1}, 3.6e6::float8 * {2}, "
        "3.6e6::float8 * {3}, 0, 365.25::float8 * {4})))",
        ucd="pos.eq",
    ),
    Function(
        "ivo_normal_random",
        (("mu", _D), ("sigma", _D)),
        _D,
        "A random number of a normal distribution; another one in each row and each query.",
        "({0} + {1} * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))",
        repeatable=False,
    ),
    _bitwise("and", "&", "AND"),
    _bitwise("or", "|", "OR"),
    _bitwise("xor", "#", "exclusive OR"),
    Function("ivo_bitwise_not", (("a", _B),), _B, "All bits of an integer turned over.", "(~ {0})"),
    Function(
        "scisql_nanojanskyToAbMag",
        (("flux", _D),),
        _D,
        "AB magnitude of a flux [nJy]; NULL where it is not positive.",
        "science.flux_to_mag({0})",
        unit="mag",
        ucd="phot.mag",
    ),
    Function(
        "scisql_nanojanskyToAbMagSigma",
        (("flux", _D), ("fluxSigma", _D)),
        _D,
        "Error of the AB magnitude of a flux with its error [nJy], to first order.",
        "science.flux_to_mag_err({0}, {1})",
        unit="mag",
        ucd="stat.error;phot.mag",
    ),
)

# Parts of other functions, and those whose answer is never the same.
_LEFT_OUT = re.compile(r".*_final$|weighted_(accumulate|combine)$|(tai|mjd)_now$")
_MADE = re.compile(
    r"CREATE OR REPLACE (FUNCTION|AGGREGATE) science\.(\w+)\s*\((.*?)\)\s*"
    r"(?:RETURNS\s+([\w \[\]]+?)\s*\n)?(.*?)COMMENT ON \1 science\.\2\s*\(.*?\)\s*IS\s*"
    r"((?:'(?:[^']|'')*'\s*)+);",
    re.DOTALL,
)
_PIECE = re.compile(r"'((?:[^']|'')*)'")
_UNIT = re.compile(r"^[^\[;.]*\[([A-Za-z]+)\]")


def _shipped(name: str) -> list[Function]:
    """Functions of schema science that a file makes and queries can call."""
    path = db_dir() / "functions" / "science" / name
    found = []
    for kind, function, listed, made, rest, comment in _MADE.findall(
        path.read_text(encoding="utf-8")
    ):
        arguments, returns = (
            text.replace("timestamp without time zone", "timestamp") for text in (listed, made)
        )
        if kind == "AGGREGATE":
            final = re.search(r"FINALFUNC = (?:science\.)?(\w+)", rest)
            returns = "bigint" if function == "n_used" else "double precision" if final else ""
        pairs = [" ".join(a.split()).split(" DEFAULT ")[0] for a in arguments.split(",")]
        named = [tuple(p.split(" ", 1)) for p in pairs if " " in p]
        types = [t for _, t in named] + [returns]
        if len(named) != len(pairs) or any(t.removesuffix("[]") not in ADQL_TYPES for t in types):
            continue
        said = "".join(p.replace("''", "'") for p in _PIECE.findall(comment)).strip()
        unit = _UNIT.match(said)
        called = ", ".join(f"{{{k}}}" for k in range(len(named)))
        found.append(
            Function(
                function,
                tuple((n, t) for n, t in named),
                returns,
                said,
                f"science.{function}({called})",
                aggregate=kind == "AGGREGATE",
                unit=unit[1] if unit and unit[1] in {"mag", "nJy", "deg", "arcsec", "d"} else None,
            )
        )
    return found


@lru_cache(maxsize=1)
def functions() -> dict[str, tuple[Function, ...]]:
    """Return all functions by their names in lower case; some have several forms."""
    found: dict[str, tuple[Function, ...]] = {}
    files = sorted((db_dir() / "functions" / "science").glob("*.sql"))
    ours = [
        function
        for path in files
        if not _LEFT_OUT.match(path.stem)
        for function in _shipped(path.name)
    ]
    for function in (*_STANDARD, *ours):
        name = function.name.lower()
        found[name] = (*found.get(name, ()), function)
    return found
