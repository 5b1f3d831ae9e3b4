"""The catalogue of this archive, from the dictionary: everything that readers may query."""

import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

from skyledger import dictionary as dd
from skyledger.catalogue import Catalogue, Column, ForeignKey, Table
from skyledger.database import changes, computed, obscore, rubin, tap_schema
from skyledger.database import metadata as md
from skyledger.resources import db_dir
from skyledger.systems import LEDGER_MJD, system_of

# Names under which Rubin published its previews; see `Catalogue.aliases`.
_RUBIN_NAMES = ("dp1", "dp02_dc2_catalogs")
_SCHEMAS = {
    "prompt": "The living database: what is known of transients, variables and moving objects.",
    "prompt_history": "Every version of every row of the living database, from createdTai to "
    "deletedTai.",
    "prompt_changes": "What is not the same at two instants of ledger time.",
    "rubin": "The living database in the names and units of the Vera C. Rubin Observatory.",
    "ledger": "Epochs, detectors, provenance and the meaning of flags and features.",
    "ivoa": "Data models of the VO: the images of the archive as ObsCore.",
    "tap_schema": "What can be asked, as TAP describes it.",
}
# Ledger relations that readers may see (db/roles/grants.sql).
_LEDGER = (
    *("Epoch", "Database", "FlagDefinition", "FeatureDefinition", "Provenance", "Detector"),
    "Citation",
)
# Columns that most people want first.
_PRINCIPAL = ("meta.main", "phot.flux", "stat.", "time.epoch", "instr.bandpass")


def _column(column: dd.Column, relation: dd.Relation | None, name: str | None = None) -> Column:
    """Column as the dictionary knows it; ``relation`` tells what is indexed."""
    indexed = relation is not None and (
        column.name == relation.key[0]
        or column.name in (relation.spatial or ())
        or any(index.columns[0] == column.name for index in relation.indexes)
    )
    shown = name or column.name
    outline = column.name == "footprint" and column.type == "double precision[]"
    xtype = "polygon" if outline else None
    return Column(
        shown,
        column.type,
        column.unit,
        column.ucd,
        None,
        column.description,
        indexed,
        any(word in (column.ucd or "") for word in _PRINCIPAL),
        column.dpdd is not None,
        column.shape,
        xtype,
        system=system_of(column.type, column.unit, column.ucd, xtype),
    )


def _columns(relation: dd.Relation, *more: dd.Column) -> tuple[Column, ...]:
    found = [_column(c, relation) for c in relation.columns]
    if "decl" in relation.by_name and "dec" not in relation.by_name:
        found.append(_column(relation["decl"], relation, "dec"))
    return (*found, *(_column(c, None) for c in more))


def _features(relation: dd.Relation) -> tuple[Column, ...]:
    """Columns that DIAObject shows of DIAObjectFeatures: a row a band."""
    if relation.name != "DIAObject":
        return ()
    return tuple(
        replace(_column(c, None), shape=(len(dd.BANDS), *c.shape), principal=False)
        for c in dd.shipped()["DIAObjectFeatures"].columns
        if c.shape is not None
    )


def _spatial(relation: dd.Relation) -> tuple[tuple[str, str], ...]:
    if relation.spatial is None:
        return ()
    lon, lat = (relation[c].sql_name for c in relation.spatial)
    return ((lon, lat), (lon, "dec")) if lat == "decl" else ((lon, lat),)


def _living(relation: dd.Relation) -> list[Table]:
    name, columns = relation.sql_name, _columns(relation, md.INSERTED)
    key = tuple(relation[c].sql_name for c in relation.key)
    versions = (*columns, _column(md.CREATED, None), _column(md.DELETED, None))
    shown = ", ".join(c.sql for c in versions[:-1])
    # What was open at the instant has no end that was known then.
    past = (
        f"(SELECT {shown}, CASE WHEN deletedtai >= {{instant}} THEN timestamp '9999-12-31' "
        f"ELSE deletedtai END AS deletedtai FROM prompt_history.{name} "
        f"WHERE createdtai <= {{instant}} AND (SELECT ledger.settled({{instant}})))"
    )
    said = relation.description
    return [
        Table(
            "prompt",
            relation.name,
            (*columns, *_features(relation)),
            f"prompt_live.{name}",
            f"prompt_at.{name}({{instant}})",
            said,
            key=key,
            spatial=_spatial(relation),
        ),
        Table(
            "prompt_history",
            relation.name,
            versions,
            f"prompt_history.{name}",
            past,
            f"Every version of {relation.name}. {said}",
            key=(*key, "createdtai"),
            spatial=_spatial(relation),
        ),
    ]


_BASES = re.compile(r"\b(?:FROM|JOIN)\s+prompt\.(\w+)\s+AS\s+(\w+)", re.IGNORECASE)
_SELECTED = re.compile(r"\ASELECT\s+(.*?)\nFROM\s", re.DOTALL)
_DERIVED_TYPES = {
    "isgalaxy": "boolean",
    "objectid": "bigint",
    "rank": "bigint",
    "dist": "real",
    "lnp": "real",
}


# Keys of what shows no relation whole.
_KEYS = {
    "diaobjectmatch": ("diaobjectid", "rank"),
    "diasourceobjectmatch": ("diasourceid", "rank"),
}


def _items(text: str) -> list[str]:
    """Entries of a select list, split at the commas outside parentheses."""
    found, depth, start = [], 0, 0
    for k, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            found.append(text[start:k].strip())
            start = k + 1
    return [*found, text[start:].strip()]


def _stacked(known: dict[str, Table]) -> list[Table]:
    """Tables of ``db/views``: the columns of what they are built on, and some of their own."""
    waiting = {
        path.stem: path.read_text(encoding="utf-8")
        for path in sorted((db_dir() / "views").glob("*.sql"))
    }
    found: dict[str, Table] = {}
    while waiting:
        for stem, text in list(waiting.items()):
            body = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
            bases = {alias: base for base, alias in _BASES.findall(body)}
            if any(base.lower() in waiting for base in bases.values()):
                continue
            del waiting[stem]
            tables = {alias: (known | found)[base.lower()] for alias, base in bases.items()}
            found[stem] = _stack(stem, text, body, tables)
    return list(found.values())


def _stack(stem: str, text: str, body: str, tables: dict[str, Table]) -> Table:
    own = {c.sql_name: c for c in dd.derived_columns(text)}
    main = next(iter(tables.values()))
    match = _SELECTED.match(body)
    columns: list[Column] = []
    for item in _items(match[1]) if match else []:
        alias, _, name = item.rpartition(".")
        if item.endswith(".*"):
            columns += tables[alias].columns
        elif alias in tables:
            columns += tables[alias].by_name[name.lower()]
        else:
            name = item.rsplit(" AS ", maxsplit=1)[-1].rpartition(".")[2]
            made = _column(own[name.lower()], None)
            columns.append(replace(made, type=_DERIVED_TYPES.get(made.sql, made.type)))
    whole = body.startswith("SELECT") and (match or [""])[0].startswith("SELECT") and ".*" in body
    lines = [line for line in text.splitlines() if line.startswith("--")]
    said = " ".join(
        line.removeprefix("--").strip() for line in lines if not dd.derived_columns(line)
    )
    keys = main.key if whole else _KEYS.get(stem, ())
    return Table(
        "prompt",
        _display(stem, main.name),
        tuple(replace(c, indexed=c.indexed and c in main.columns) for c in columns),
        f"prompt_live.{stem}",
        f"prompt_at.{stem}({{instant}})",
        said,
        key=keys,
        spatial=main.spatial if whole else (),
    )


def _display(stem: str, base: str) -> str:
    """Spell a relation as the one it is built on: ``diasourcefull`` is DIASourceFull."""
    rest = stem.removeprefix(base.lower())
    return base + re.sub(r"object|match|full", lambda m: m[0].capitalize(), rest)


def _rubin(known: dict[str, Table]) -> list[Table]:
    found = []
    for relation in rubin.relations():
        bases = {alias: known[name.lower()] for alias, name in relation.bases.items()}
        main = next(iter(bases.values()))
        shown: dict[str, str] = {}  # our SQL name in the main relation -> Rubin's
        columns = []
        for column in relation.columns:
            said, unit = relation.described(column)
            ours = None
            if column.column is not None:
                alias, _, name = column.column.partition(".")
                (ours,) = bases[alias].by_name[name.lower()]
                if bases[alias] is main:
                    shown.setdefault(ours.sql, column.name.lower())
            kind = "boolean" if column.flag else "double precision"
            if column.sql and column.sql.endswith("::real"):
                kind = "real"
            dated = ours is None and column.name.endswith("MjdTai")
            system = LEDGER_MJD.name if dated else None
            base = ours or Column(column.name, kind, system=system)
            columns.append(
                replace(
                    base,
                    name=column.name,
                    sql=column.name.lower(),
                    unit=unit,
                    description=said,
                    indexed=base.indexed and base in main.columns,
                )
            )
        name = relation.name.lower()
        names = {c.sql for c in columns}
        key = tuple(shown.get(k, "") for k in main.key)
        found.append(
            Table(
                "rubin",
                relation.name,
                tuple(columns),
                f"rubin_live.{name}",
                f"rubin_at.{name}({{instant}})",
                relation.description,
                key=key if all(key) else (),
                spatial=tuple(
                    (lon, lat)
                    for lon in ("ra", "coord_ra")
                    for lat in ("dec", "decl", "coord_dec")
                    if main.spatial and {lon, lat} <= names
                ),
            )
        )
    return found


def _ledger(relation: dd.Relation) -> Table:
    name = f"ledger.{relation.sql_name}"
    past = f"(SELECT * FROM {name} WHERE epochtai <= {{instant}})"
    return Table(
        "ledger",
        relation.name,
        tuple(_column(c, relation) for c in relation.columns),
        name,
        past if relation.name == "Epoch" else "",
        relation.description,
        key=tuple(relation[c].sql_name for c in relation.key),
    )


def _static(relation: dd.Relation, release: str) -> Table:
    return Table(
        release,
        relation.name,
        tuple(_column(c, relation) for c in relation.columns),
        f"{release}.{relation.sql_name}",
        "",
        relation.description,
        key=tuple(relation[c].sql_name for c in relation.key),
        spatial=((relation.spatial[0].lower(), relation.spatial[1].lower()),)
        if relation.spatial
        else (),
    )


@lru_cache(maxsize=8)
def catalogue(releases: tuple[str, ...] = (), path: str = "prompt") -> Catalogue:
    """Make the catalogue of an archive from the dictionary.

    Parameters
    ----------
    releases
        Schemas of the static releases that the archive holds (``ledger.database``), oldest first:
        ``("dr0", "dr1")``.
    path
        Schema of table names without one: the virtual database, ``prompt`` or ``dr1``.

    Returns
    -------
    Catalogue
        Living relations with their history, denormalised ones, light curves, Rubin's names, the
        ledger, and the releases. ``dp1`` stands for the newest release, then for ``rubin``;
        ``rubin`` has the tables of the newest release too.
    """
    dictionary = dd.shipped()
    tables: list[Table] = []
    for relation in dictionary.of_kind("living"):
        tables += _living(relation)
    known = {t.name.lower(): t for t in tables if t.schema == "prompt"}
    stacked = _stacked(known)
    tables += stacked
    tables += computed.tables()
    tables += [
        changes.table(r, tuple(known[r.sql_name].by_name[k.lower()][0] for k in r.key))
        for r in dictionary.of_kind("living")
    ]
    known |= {t.name.lower(): t for t in stacked}
    tables += _rubin(known)
    tables += [_ledger(dictionary[name]) for name in _LEDGER]
    tables.append(obscore.table())
    tables += tap_schema.tables()
    tables += [_static(r, release) for release in releases for r in dictionary.of_kind("static")]
    newest = releases[-1:]
    aliases = dict.fromkeys(_RUBIN_NAMES, (*newest, "rubin"))
    aliases["rubin"] = newest
    schemas = _SCHEMAS | {
        name: f"Data release {name}: tables that do not change." for name in releases
    }
    return Catalogue.of(tables, schemas, (path,), aliases, _keys(dictionary, tables))


def of_database(cursor: Any) -> Catalogue:
    """Make the catalogue of a database, with the releases that it holds."""
    cursor.execute(
        "SELECT d.name FROM ledger.database AS d JOIN pg_namespace AS n ON n.nspname = d.name "
        "WHERE d.name <> 'prompt' ORDER BY d.databaseid"
    )
    return catalogue(tuple(name for (name,) in cursor.fetchall()))


def _keys(dictionary: dd.Dictionary, tables: list[Table]) -> tuple[ForeignKey, ...]:
    present = {t.full_name: t for t in tables}
    found = []
    for table in tables:
        relation = dictionary.relations.get(table.name)
        if relation is None or table.schema in {"prompt_history", "rubin"}:
            continue
        if table.spans:
            pairs = tuple((name, name) for name in relation.key)
            found.append(ForeignKey(table.full_name, f"prompt.{relation.name}", pairs))
            continue
        for foreign in relation.foreign_keys:
            for schema in (table.schema, "ledger"):
                target = f"{schema}.{foreign.relation}"
                if target in present:
                    pairs = tuple(zip(foreign.columns, foreign.references, strict=True))
                    found.append(ForeignKey(table.full_name, target, pairs))
                    break
    found += [
        ForeignKey(f"tap_schema.{table}", f"tap_schema.{target}", ((column, referred),))
        for table, column, target, referred in tap_schema.REFERENCES
    ]
    return tuple(found)
