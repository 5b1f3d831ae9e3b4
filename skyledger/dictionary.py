"""The data dictionary: the one place where tables and columns are defined.

``db/dictionary/*.yaml`` holds one relation a file. From it come the tables, comments, published
forms, COPY layout and documentation (design section 3; GEN-02, GEN-29, L1DB-01, CAT-01).
"""

from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from astropy import units
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

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

_Strict = ConfigDict(extra="forbid", frozen=True)


class Column(BaseModel):
    """One SQL column."""

    model_config = _Strict

    name: Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9_]*$")]
    type: SqlType
    description: Annotated[str, Field(min_length=10)]
    unit: str | None = None  # VOUnit
    ucd: str | None = None
    nullable: bool = True
    shape: tuple[int, ...] | None = None  # fixed shape of an array column
    dpdd: str | None = None  # "radec" : the document's own name for the row
    row: int | None = None  # row of the DPDD table
    requirements: tuple[str, ...] = ()
    minimum: float | None = None  # values outside are rejected at load, with the reason
    maximum: float | None = None

    @property
    def sql_name(self) -> str:
        """Name in PostgreSQL: folded to lower case, never quoted."""
        return self.name.lower()

    @field_validator("unit")
    @classmethod
    def _unit_is_vounit(cls, value: str | None) -> str | None:
        if value is not None:
            units.Unit(value, format="vounit")
        return value

    @model_validator(mode="after")
    def _shape_needs_array(self) -> "Column":
        if (self.shape is not None) and not self.type.endswith("[]"):
            raise ValueError(f"{self.name} has a shape but type {self.type}")
        return self


class Index(BaseModel):
    """An index on a relation: column names, in order, and columns carried along."""

    model_config = _Strict

    columns: tuple[str, ...]
    include: tuple[str, ...] = ()


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
        ``ledger``: append-only bookkeeping in schema ``ledger``.
    """

    model_config = _Strict

    name: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]*$")]
    kind: Literal["living", "static", "ledger"]
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
        return self


class Dictionary(BaseModel):
    """All relations, by name."""

    model_config = _Strict

    relations: dict[str, Relation]

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


def _expand(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Expand a record whose name holds ``{b}`` into one record a band."""
    if "{b}" not in record["name"]:
        return [record]
    expanded = []
    for band in BANDS:
        copy = dict(record)
        copy["name"] = record["name"].replace("{b}", band)
        copy["description"] = record["description"].replace("{b}", band)
        if "ucd" in record:
            copy["ucd"] = record["ucd"].replace("em.opt.{b}", BAND_UCD[band])
        expanded.append(copy)
    return expanded


def parse(text: str, source: str) -> Relation:
    """Read one relation from YAML; ``source`` is named in the error."""
    try:
        raw = yaml.safe_load(text)
        raw["columns"] = [c for record in raw["columns"] for c in _expand(record)]
        return Relation.model_validate(raw)
    except (ValidationError, yaml.YAMLError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{source} is not a valid dictionary entry: {error}") from error


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
    return Dictionary(relations=relations)


@lru_cache(maxsize=1)
def shipped() -> Dictionary:
    """Return the dictionary of this version of the software, read once."""
    return load()
