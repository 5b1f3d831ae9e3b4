"""The data dictionary: the one place where tables and columns are defined.

``db/dictionary/relations/*.yaml`` holds one relation a file, ``flags.yaml`` the bits of the flags
columns and ``features.yaml`` the elements of the light-curve feature arrays. From it come the
tables, comments, published forms, COPY layout and documentation (GEN-02, GEN-29, L1DB-01, CAT-01).
"""

import re
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from astropy import units
from astropy.io.votable.ucd import parse_ucd
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from skyledger import plain_yaml
from skyledger.errors import ConfigurationError
from skyledger.resources import db_dir

BANDS = ("u", "g", "r", "i", "z", "y")

# The UCD vocabulary knows the Johnson bands only; these hold the middle of ours.
BAND_UCD = {
    "u": "em.opt.U",  # 300-400 nm
    "g": "em.opt.B",  # 400-500 nm
    "r": "em.opt.R",  # 600-750 nm
    "i": "em.opt.I",  # 750-1000 nm
    "z": "em.opt.I",
    "y": "em.opt.I",
}

SqlType = Literal[
    "bigint",
    "integer",
    "smallint",
    "real",
    "double precision",
    "boolean",
    "text",
    "timestamp",
    "bytea",
    "jsonb",
    "bigint[]",
    "integer[]",
    "real[]",
    "double precision[]",
    "text[]",
]

_Strict = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@lru_cache(maxsize=1000)
def _vounit(unit: str) -> str:
    units.Unit(unit, format="vounit")
    return unit


@lru_cache(maxsize=1000)
def _known_ucd(ucd: str) -> str:
    parse_ucd(ucd, check_controlled_vocabulary=True)
    return ucd


Unit = Annotated[str, AfterValidator(_vounit)]
Ucd = Annotated[str, AfterValidator(_known_ucd)]
Length = Annotated[int, Field(ge=1, le=1000)]


class Column(BaseModel):
    """One SQL column."""

    model_config = _Strict

    name: Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9_]*$")]
    type: SqlType
    description: Annotated[str, Field(min_length=10)]
    unit: Unit | None = None  # VOUnit; None for a number without dimension or of mixed units
    ucd: Ucd | None = None  # UCD1+
    nullable: bool = True
    shape: tuple[Length, ...] | None = None  # fixed shape of an array column
    dpdd: str | None = None  # "radec" : the document's own name for the row
    row: int | None = None  # row of the DPDD table
    requirements: tuple[str, ...] = ()
    minimum: float | None = None  # values outside are rejected at load, with the reason
    maximum: float | None = None

    @property
    def sql_name(self) -> str:
        """Name in PostgreSQL: folded to lower case, never quoted."""
        return self.name.lower()

    @model_validator(mode="after")
    def _type_allows_it(self) -> "Column":
        if self.shape is not None and not self.type.endswith("[]"):
            raise ValueError(f"{self.name} has a shape but type {self.type}")
        bounded = self.minimum is not None or self.maximum is not None
        if bounded and self.type not in {
            "bigint",
            "integer",
            "smallint",
            "real",
            "double precision",
        }:
            raise ValueError(f"{self.name} has a minimum or maximum but type {self.type}")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"{self.name} has minimum {self.minimum} above maximum {self.maximum}")
        return self


class Index(BaseModel):
    """An index on a relation: column names, in order, and columns carried along.

    ``sparse``: rows whose first column is NULL are left out, and cost nothing.
    """

    model_config = _Strict

    columns: tuple[str, ...]
    include: tuple[str, ...] = ()
    sparse: bool = False


class ForeignKey(BaseModel):
    """A reference to the key of another relation, documented for users and TAP_SCHEMA."""

    model_config = _Strict

    columns: tuple[str, ...]
    relation: str
    references: tuple[str, ...]


class Relation(BaseModel):
    """A table, with its temporal kind.

    kind
        ``living``: versioned in ``prompt_store``; ``static``: belongs to a data release;
        ``ledger``: append-only bookkeeping in schema ``ledger``; ``derived``: kept in
        ``prompt_store`` by publications, made from living relations and not published itself;
        ``service``: what the query service keeps, in schema ``service``.
    """

    model_config = _Strict

    name: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]*$")]
    kind: Literal["living", "static", "ledger", "derived", "service"]
    description: Annotated[str, Field(min_length=10)]
    requirements: tuple[str, ...] = ()
    dpdd_table: int | None = None
    key: tuple[str, ...]
    partition_by_id: bool = False  # RANGE of the key, a month of nights a partition
    spatial: tuple[str, str] | None = None  # (ra, decl) columns of the GiST index
    insert_only: bool = False  # published as pure INSERT; history holds re-linked rows only
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[str, ...] = ()  # SQL conditions that always hold, rows failing them are rejected
    columns: tuple[Column, ...]

    @property
    def sql_name(self) -> str:
        """Name in PostgreSQL."""
        return self.name.lower()

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by their display name."""
        return {column.name: column for column in self.columns}

    def __getitem__(self, name: str) -> Column:
        return self.by_name[name]

    @field_validator("checks")
    @classmethod
    def _one_check_a_band(cls, checks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(c.replace("{b}", band) for c in checks for band in BANDS))

    @model_validator(mode="after")
    def _names_exist_once(self) -> "Relation":
        names = [column.sql_name for column in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{self.name}: columns {twice} appear twice")
        used = set(self.key) | set(self.spatial or ())
        for index in self.indexes:
            used |= set(index.columns) | set(index.include)
        for foreign in self.foreign_keys:
            used |= set(foreign.columns)
        unknown = sorted(used - set(self.by_name))
        if unknown:
            raise ValueError(f"{self.name}: keys or indexes name unknown columns {unknown}")
        loose = [name for name in self.key if self[name].nullable]
        if loose or not self.key:
            raise ValueError(f"{self.name}: columns {loose} of key {self.key} may be NULL")
        return self


class Dictionary(BaseModel):
    """All relations, by name."""

    model_config = _Strict

    relations: dict[str, Relation]

    @model_validator(mode="after")
    def _references_lead_somewhere(self) -> "Dictionary":
        for relation in self.relations.values():
            for foreign in relation.foreign_keys:
                target = self.relations.get(foreign.relation)
                known = target.by_name if target else {}
                same_number = len(foreign.columns) == len(foreign.references)
                if not same_number or not set(foreign.references) <= set(known):
                    raise ValueError(
                        f"{relation.name}: foreign key {foreign.columns} leads to"
                        f" {foreign.relation} {foreign.references}, which does not exist"
                    )
        return self

    def __getitem__(self, name: str) -> Relation:
        try:
            return self.relations[name]
        except KeyError:
            known = ", ".join(self.relations)
            raise ConfigurationError(
                f"the dictionary has no relation {name!r}; it has {known}"
            ) from None

    def of_kind(self, kind: str) -> list[Relation]:
        """Relations of one temporal kind, in the order of their names."""
        return [r for r in self.relations.values() if r.kind == kind]


class FlagDefinition(BaseModel):
    """One bit of a flags column.

    ``bit`` counts from 0; Object goes on in a second column, ``flags2``, with bit 64.
    """

    model_config = _Strict

    relation: str
    bit: Annotated[int, Field(ge=0, le=126)]
    name: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
    description: Annotated[str, Field(min_length=10)]

    @property
    def column(self) -> str:
        """Column that holds the bit."""
        return "flags" if self.bit < 64 else "flags2"

    @property
    def mask(self) -> int:
        """Value of the bit within its column."""
        return 1 << (self.bit % 64)


class FeatureDefinition(BaseModel):
    """One element of ``lcPeriodic`` or ``lcNonPeriodic``; ``index`` counts from 1 as in SQL."""

    model_config = _Strict

    kind: Literal["periodic", "nonperiodic"]
    index: Annotated[int, Field(ge=1, le=32)]
    name: Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9]*$")]
    unit: Unit | None = None
    description: Annotated[str, Field(min_length=10)]


def _expand(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Expand a record whose name holds ``{b}`` into one record a band."""
    if "{b}" not in record["name"]:
        return [record]
    return [
        {
            key: value.replace("em.opt.{b}", BAND_UCD[band]).replace("{b}", band)
            if isinstance(value, str)
            else value
            for key, value in record.items()
        }
        for band in BANDS
    ]


def parse(text: str, source: str) -> Relation:
    """Read one relation from YAML; ``source`` is named in the error."""
    names: list[str] = []
    try:
        raw = plain_yaml.read(text)
        raw["columns"] = [
            column for record in plain_yaml.records(raw, "columns") for column in _expand(record)
        ]
        names = [column["name"] for column in raw["columns"]]
        return Relation.model_validate(raw)
    except plain_yaml.FAULTS as error:
        raise ConfigurationError(
            f"{source} is not a valid dictionary entry: {plain_yaml.explain(error, names)}"
        ) from error


def load(directory: Path | None = None) -> Dictionary:
    """Read every ``relations/*.yaml`` below ``directory`` (default: the shipped dictionary)."""
    folder = (directory or db_dir() / "dictionary") / "relations"
    relations = {}
    for path in sorted(folder.glob("*.yaml")):
        relation = parse(path.read_text(encoding="utf-8"), path.name)
        if path.stem != relation.sql_name:
            raise ConfigurationError(
                f"{path.name} defines {relation.name}; name the file {relation.sql_name}.yaml"
            )
        relations[relation.name] = relation
    if not relations:
        raise ConfigurationError(f"no dictionary found in {folder}")
    try:
        return Dictionary(relations=relations)
    except ValidationError as error:
        raise ConfigurationError(
            f"the dictionary in {folder}: {plain_yaml.explain(error)}"
        ) from error


@lru_cache(maxsize=1)
def shipped() -> Dictionary:
    """Return the dictionary of this version of the software, read once."""
    return load()


def _once(what: str, values: list[Any]) -> None:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"{what} given twice: {twice}")


def parse_flags(text: str, source: str) -> list[FlagDefinition]:
    """Read flag definitions from YAML; ``{B}`` in a name stands for six flags, bit after bit."""
    flags = []
    try:
        raw = plain_yaml.read(text)
        for relation in raw:
            for record in plain_yaml.records(raw, relation):
                bands = BANDS if "{B}" in record["name"] else ("",)
                for offset, band in enumerate(bands):
                    copy = dict(record)
                    copy["bit"] = record["bit"] + offset
                    copy["name"] = record["name"].replace("{B}", band.upper())
                    copy["description"] = record["description"].replace("{b}", band)
                    flags.append(FlagDefinition(relation=relation, **copy))
        _once("bit", [(flag.relation, flag.bit) for flag in flags])
        _once("name", [(flag.relation, flag.name) for flag in flags])
    except plain_yaml.FAULTS as error:
        raise ConfigurationError(
            f"{source} does not define flags: {plain_yaml.explain(error)}"
        ) from error
    return sorted(flags, key=lambda flag: (flag.relation, flag.bit))


def parse_features(text: str, source: str) -> list[FeatureDefinition]:
    """Read the definitions of the light-curve features from YAML, in their order."""
    try:
        raw = plain_yaml.read(text)
        features = [
            FeatureDefinition.model_validate({"kind": kind, "index": index, **record})
            for kind in raw
            for index, record in enumerate(plain_yaml.records(raw, kind), start=1)
        ]
        _once("name", [feature.name for feature in features])
    except plain_yaml.FAULTS as error:
        raise ConfigurationError(
            f"{source} does not define features: {plain_yaml.explain(error)}"
        ) from error
    return features


def _text(name: str) -> str:
    return (db_dir() / "dictionary" / name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _flags() -> dict[tuple[str, str], FlagDefinition]:
    flags = parse_flags(_text("flags.yaml"), "flags.yaml")
    return {(flag.relation, flag.name): flag for flag in flags}


def flag_definitions() -> list[FlagDefinition]:
    """Return all flags, by relation and bit: the rows of ``FlagDefinition``."""
    return list(_flags().values())


def flag_bit(relation: str, name: str) -> int:
    """Return the number of the bit of a flag: ``flag_bit("DIASource", "NEGATIVE")`` is 3."""
    try:
        return _flags()[relation, name].bit
    except KeyError:
        known = ", ".join(n for r, n in _flags() if r == relation) or "no flags"
        raise ConfigurationError(f"{relation} has no flag {name!r}; it has {known}") from None


@lru_cache(maxsize=1)
def feature_definitions() -> list[FeatureDefinition]:
    """Return the 32 periodic and 20 non-periodic light-curve features (L1DB-18), in order."""
    return parse_features(_text("features.yaml"), "features.yaml")


_DERIVED = re.compile(r"^--\s*(\w+): (.+) \[(.*)\]$", re.MULTILINE)


def derived_columns(text: str) -> list[Column]:
    """Columns that the body of a denormalised relation defines in comment lines.

    A line reads ``-- name: description [unit]`` (``db/views/*.sql``).
    """
    return [
        Column(name=name, type="double precision", description=said, unit=unit or None)
        for name, said, unit in _DERIVED.findall(text)
    ]


@lru_cache(maxsize=1)
def all_derived() -> dict[str, Column]:
    """Return the derived columns of all denormalised relations, by SQL name."""
    return {
        column.sql_name: column
        for path in sorted((db_dir() / "views").glob("*.sql"))
        for column in derived_columns(path.read_text(encoding="utf-8"))
    }
