"""Which two columns of an upload are a position on the sky."""

from collections.abc import Sequence

import numpy as np

from services.uploads.table import Uploaded, UploadedColumn

Pair = tuple[UploadedColumn, UploadedColumn]

# UCD1+ and UCD1, the more telling first.
_UCDS = (
    ("pos.eq.ra;meta.main", "pos.eq.dec;meta.main"),
    ("pos_eq_ra_main", "pos_eq_dec_main"),
    ("pos.eq.ra", "pos.eq.dec"),
    ("pos_eq_ra", "pos_eq_dec"),
)
_NAMES = (
    ("ra", "decl"),
    ("ra", "dec"),
    ("_raj2000", "_dej2000"),
    ("raj2000", "dej2000"),
    ("ra_icrs", "de_icrs"),
    ("ra_icrs", "dec_icrs"),
    ("ra_j2000", "dec_j2000"),
    ("alpha_j2000", "delta_j2000"),
    ("radeg", "dedeg"),
    ("ra_deg", "dec_deg"),
    ("radeg", "decdeg"),
    ("s_ra", "s_dec"),
    ("coord_ra", "coord_dec"),
    ("rightascension", "declination"),
)
_NUMBERS = {"double precision", "real"}
_DEGREES = {"", "deg", "degree", "degrees"}


def position(uploaded: Uploaded) -> Pair | None:
    """Find the columns that hold right ascension and declination in degrees.

    By UCD, of which ``meta.main`` goes first, else by the usual names. None if there are none,
    if they are in other units, or if a value lies outside the sphere: such columns are not
    positions, whatever they are called.
    """
    pair = named(uploaded.columns)
    return pair if pair is not None and _on_sphere(uploaded, pair) else None


def named(columns: Sequence[UploadedColumn]) -> Pair | None:
    """Find the columns that are called right ascension and declination, whatever they hold."""
    usable = [c for c in columns if c.type in _NUMBERS and (c.unit or "").lower() in _DEGREES]
    by_ucd: dict[str, UploadedColumn] = {}
    by_name: dict[str, UploadedColumn] = {}
    for c in usable:
        by_ucd.setdefault((c.ucd or "").replace(" ", "").lower(), c)
        by_name.setdefault(c.sql_name, c)
    for known, pairs in ((by_ucd, _UCDS), (by_name, _NAMES)):
        for ra, decl in pairs:
            if ra in known and decl in known and known[ra] is not known[decl]:
                return known[ra], known[decl]
    return None


def _on_sphere(uploaded: Uploaded, pair: Pair) -> bool:
    at = [uploaded.columns.index(c) for c in pair]
    for chunk in uploaded.chunks:
        for place, low, high in zip(at, (-360.0, -90.0), (720.0, 90.0), strict=True):
            values = np.ma.compressed(chunk[place])
            if len(values) and not (values.min() >= low and values.max() <= high):
                return False
    return True
