"""What a TAP service says of itself: VOSI 1.1 and TAPRegExt 1.0 documents."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.adql import features
from services.adql.values import identifier
from services.tap import parameters, xml
from skyledger.catalogue import RESERVED
from skyledger.person_tables import PersonTable

_STANDARD = "ivo://ivoa.net/std/TAPRegExt#"
_NONE: Mapping[str, str] = {}
# One need not sign in; name and token; the token alone.
_SECURITY = ("", "ivo://ivoa.net/sso#BasicAA", "ivo://ivoa.net/sso#token")


@dataclass(frozen=True)
class Limits:
    """What the service gives away: rows, seconds, bytes."""

    retention_seconds: int
    seconds: int
    most_seconds: int
    upload_rows: int
    upload_bytes: int


def _interface(parent: Any, url: str, use: str = "full", given: Mapping[str, str] = _NONE) -> None:
    element = xml.add(parent, "interface", None, {xml.TYPE: "vs:ParamHTTP", **given})
    xml.add(element, "accessURL", url, {"use": use})
    for method in _SECURITY:
        xml.add(element, "securityMethod", None, {"standardID": method} if method else {})


def capabilities(
    base: str, limits: Limits, formats: Iterable[tuple[str, Sequence[str], str | None]],
) -> bytes:  # fmt: skip
    """Write the capabilities of a TAP service.

    Parameters
    ----------
    base : str
        Address of the service.
    limits
        What a client may ask for.
    formats
        Media type, short names and identifier of each format.
    """
    root = xml.root("vosi:capabilities")
    for name, place in (
        ("VOSI#capabilities", "capabilities"),
        ("VOSI#availability", "availability"),
        ("VOSI#tables-1.1", "tables"),
        ("DALI#examples", "examples"),
    ):
        element = xml.add(root, "capability", None, {"standardID": f"ivo://ivoa.net/std/{name}"})
        version = "1.1" if "tables" in name else "1.0"
        _interface(element, f"{base}/{place}", given={"version": version})
    standard = {"standardID": "ivo://ivoa.net/std/TAP", xml.TYPE: "tr:TableAccess"}
    tap = xml.add(root, "capability", None, standard)
    _interface(tap, base, "base", {"role": "std", "version": "1.1"})
    model = {"ivo-id": "ivo://ivoa.net/std/ObsCore#core-1.1"}
    xml.add(tap, "dataModel", "ObsCore-1.1", model)
    language = xml.add(tap, "language")
    xml.add(language, "name", "ADQL")
    for version in ("2.1", "2.0"):
        identifier = {"ivo-id": f"ivo://ivoa.net/std/ADQL#v{version}"}
        xml.add(language, "version", version, identifier)
    xml.add(language, "description", "Astronomical Data Query Language, 2.1 complete")
    for kind, forms in features.features().items():
        group = xml.add(language, "languageFeatures", None, {"type": kind})
        for form, description in forms:
            feature = xml.add(group, "feature")
            xml.add(feature, "form", form)
            if description:
                xml.add(feature, "description", description)
    for media_type, names, known in formats:
        given = {"ivo-id": known} if known else {}
        output = xml.add(tap, "outputFormat", None, given)
        xml.add(output, "mime", media_type)
        for name in names:
            xml.add(output, "alias", name)
    for method in ("inline", "http", "https"):
        xml.add(tap, "uploadMethod", None, {"ivo-id": f"{_STANDARD}upload-{method}"})
    for name, default, hard in (
        ("retentionPeriod", limits.retention_seconds, limits.retention_seconds),
        ("executionDuration", limits.seconds, limits.most_seconds),
    ):
        element = xml.add(tap, name)
        xml.add(element, "default", default)
        xml.add(element, "hard", hard)
    output = xml.add(tap, "outputLimit")
    xml.add(output, "default", parameters.DEFAULT_ROWS, {"unit": "row"})
    xml.add(output, "hard", parameters.MOST_ROWS, {"unit": "row"})
    upload = xml.add(tap, "uploadLimit")
    xml.add(upload, "default", limits.upload_rows, {"unit": "row"})
    xml.add(upload, "hard", limits.upload_bytes, {"unit": "byte"})
    return xml.document(root, "vr", "vs", "tr")


def availability(*, available: bool, since: datetime, note: str) -> bytes:
    """Write whether the service is there; ``since`` is UTC."""
    root = xml.root("avl:availability")
    xml.add(root, "avl:available", "true" if available else "false")
    xml.add(root, "avl:upSince", f"{since.isoformat(timespec='seconds')}Z")
    xml.add(root, "avl:note", note)
    return xml.document(root)


_TABLES = """
SELECT s.schemaname, s.description, t.tablename, t.kind, t.description, t.utype
FROM service.tapschema AS s JOIN service.taptable AS t USING (schemaname)
ORDER BY s.schemaindex, t.tableindex
"""
_COLUMNS = """
SELECT tablename, columnname, description, unit, ucd, utype, datatype, arraysize, xtype, principal,
       indexed, std
FROM service.tapcolumn ORDER BY tablename, columnindex
"""
_KEYS = """
SELECT k.fromtable, k.targettable, p.fromcolumn, p.targetcolumn, k.keyid
FROM service.tapkey AS k JOIN service.tapkeycolumn AS p USING (keyid)
ORDER BY k.keyid, p.fromcolumn
"""


def _column(table: Any, row: Sequence[Any]) -> None:
    name, description, unit, ucd, utype, datatype, arraysize, xtype = row[1:9]
    principal, indexed, std = row[9:]
    column = xml.add(table, "column", None, {"std": "true"} if std else {})
    xml.add(column, "name", name)
    for tag, value in (
        ("description", description), ("unit", unit), ("ucd", ucd), ("utype", utype),
    ):  # fmt: skip
        if value:
            xml.add(column, tag, value)
    size = {"arraysize": arraysize} if arraysize else {}
    extended = {"extendedType": xtype} if xtype else {}
    kind = {xml.TYPE: "vs:VOTableType"}
    xml.add(column, "dataType", datatype, {**kind, **size, **extended})
    for flag, name in ((indexed, "indexed"), (principal, "principal")):
        if flag:
            xml.add(column, "flag", name)


def _table(parent: Any, row: Sequence[Any], columns: Sequence[Any], keys: Sequence[Any]) -> None:
    name, kind, description, utype = row[2:]
    what = "table" if kind in {"static", "user"} else "view"
    table = xml.add(parent, "table", None, {"type": what})
    xml.add(table, "name", name)
    if description:
        xml.add(table, "description", description)
    if utype:
        xml.add(table, "utype", utype)
    for column in columns:
        _column(table, column)
    for target in dict.fromkeys(key[1:2] + key[4:5] for key in keys):
        foreign = xml.add(table, "foreignKey")
        xml.add(foreign, "targetTable", target[0])
        for key in keys:
            if key[4] == target[1]:
                pair = xml.add(foreign, "fkColumn")
                xml.add(pair, "fromColumn", key[2])
                xml.add(pair, "targetColumn", key[3])


def _person_row(person: PersonTable) -> tuple[Any, ...]:
    said = f"Tables of {person.owner}."
    return person.schema, said, person.table.full_name, "user", person.description, None


def _person_columns(person: PersonTable) -> Iterable[tuple[Any, ...]]:
    types = zip(person.columns, person.datatypes, person.arraysizes, strict=True)
    for c, datatype, arraysize in types:
        plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", c.name) and c.name.upper() not in RESERVED
        yield (
            person.table.full_name, c.name if plain else identifier(c.name), c.description, c.unit,
            c.ucd, c.utype, datatype, arraysize, c.xtype, c.principal, c.indexed, c.std,
        )  # fmt: skip


def tables(
    cursor: Any, people: Sequence[PersonTable] = (), *, columns: bool = True,
    only: str | None = None,
) -> bytes | None:  # fmt: skip
    """Write the tables that can be asked; None if ``only`` names one that is not there.

    Parameters
    ----------
    cursor
        psycopg2 cursor of the service.
    people
        Tables of people that the asker may see.
    columns
        Whether columns and joins are listed too.
    only
        Name of the one table that is wanted.
    """
    cursor.execute(_TABLES)
    known = cursor.fetchall() + [_person_row(t) for t in people]
    rows = [r for r in known if only is None or r[2].lower() == only.lower()]
    by_table: dict[str, list[Any]] = {}
    joins: dict[str, list[Any]] = {}
    if columns:
        cursor.execute(_COLUMNS)
        for row in cursor.fetchall():
            by_table.setdefault(row[0], []).append(row)
        for person in people:
            by_table[person.table.full_name] = list(_person_columns(person))
        cursor.execute(_KEYS)
        for row in cursor.fetchall():
            joins.setdefault(row[0], []).append(row)
    if only is not None:
        if not rows:
            return None
        root = xml.root("vtm:table")
        whole = xml.root("vtm:tableset")
        _table(whole, rows[0], by_table.get(rows[0][2], []), joins.get(rows[0][2], []))
        root.attrib.update(whole[0].attrib)
        root.extend(list(whole[0]))
        return xml.document(root, "vs")
    root = xml.root("vtm:tableset")
    schemas: dict[str, Any] = {}
    for row in rows:
        if row[0] not in schemas:
            schemas[row[0]] = xml.add(root, "schema")
            xml.add(schemas[row[0]], "name", row[0])
            xml.add(schemas[row[0]], "description", row[1])
        _table(schemas[row[0]], row, by_table.get(row[2], []), joins.get(row[2], []))
    return xml.document(root, "vs")
