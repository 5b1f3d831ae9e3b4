"""The living database in the names of Rubin's own schemas: ``rubin``, ``rubin_live``, ``rubin_at``.

``db/dictionary/rubin.yaml`` says which of our columns is which of Rubin's; from it come views on
the published forms, so that queries written for the Rubin Science Platform run unchanged, as of
any instant too (design sections 3 and 4; L1DB-05).
"""

import re
from functools import lru_cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from skyledger import dictionary as dd
from skyledger import plain_yaml
from skyledger.database import metadata as md
from skyledger.database import stacked
from skyledger.database.published import Item
from skyledger.errors import ConfigurationError
from skyledger.resources import db_dir

_BASE = re.compile(r"prompt\.(\w+) AS (\w+)")
_PLAIN = re.compile(r"(\w+)\.(\w+)")
_Strict = ConfigDict(extra="forbid", frozen=True)


class RubinColumn(BaseModel):
    """One column of Rubin's: ``column`` of ours, or an expression, or the name of a flag."""

    model_config = _Strict

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    column: str | None = None  # s.psFlux
    sql: str | None = None
    flag: str | None = None  # of the first relation of the body
    unit: dd.Unit | None = None
    description: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "RubinColumn":
        if sum(x is not None for x in (self.column, self.sql, self.flag)) != 1:
            raise ValueError(f"{self.name} needs one of column, sql and flag")
        if (self.sql is None) != (self.description is None):
            raise ValueError(f"{self.name}: a description goes with sql, and only with it")
        return self


class RubinRelation(BaseModel):
    """One relation of Rubin's: what it is read from, its columns, and those we do not have."""

    model_config = _Strict

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    description: Annotated[str, Field(min_length=10)]
    body: Annotated[str, Field(pattern=r"^prompt\.")]  # the FROM clause
    columns: tuple[RubinColumn, ...]
    missing: dict[str, str]  # why there is no equivalent, by names of columns

    @property
    def bases(self) -> dict[str, str]:
        """Relations of schema ``prompt`` by their aliases, the main one first."""
        return {alias: name for name, alias in _BASE.findall(self.body)}

    def source(self, column: RubinColumn) -> dd.Column | None:
        """Column of the dictionary that a column shows unchanged, if it is one."""
        if column.column is None:
            return None
        match = _PLAIN.fullmatch(column.column)
        relation = dd.shipped().relations.get(self.bases.get(match[1], "")) if match else None
        if match is None or relation is None:
            return None
        return relation.by_name.get(match[2])

    def expression(self, column: RubinColumn) -> str:
        """Write the SQL of a column."""
        if column.flag is None:
            return str(column.column or column.sql)
        alias, relation = next(iter(self.bases.items()))
        return f"science.has_flag({alias}.flags, {dd.flag_bit(relation, column.flag)})"

    def described(self, column: RubinColumn) -> tuple[str, str | None]:
        """Meaning and unit of a column."""
        source = self.source(column)
        if source is not None:
            return source.description, source.unit
        if column.flag is not None:
            relation = next(iter(self.bases.values()))
            flags = dd.flag_definitions()
            (said,) = (
                f.description for f in flags if f.relation == relation and f.name == column.flag
            )
            return said, None
        if column.column is not None:
            # Of a denormalised relation: a column of its own, or one of those below it.
            name = column.column.split(".")[1]
            known = dd.all_derived() | {
                c.sql_name: c for r in dd.shipped().of_kind("living") for c in r.columns
            }
            if name.lower() not in known:
                raise ConfigurationError(
                    f"rubin.yaml: {self.name}.{column.name} shows {column.column}, which no "
                    f"relation of {', '.join(self.bases.values())} has"
                )
            return known[name.lower()].description, known[name.lower()].unit
        return str(column.description), column.unit


@lru_cache(maxsize=1)
def relations() -> tuple[RubinRelation, ...]:
    """Return Rubin's relations as ``db/dictionary/rubin.yaml`` defines them.

    Raises
    ------
    ConfigurationError
        If the file is not valid; it names the relation and the column.
    """
    path = db_dir() / "dictionary" / "rubin.yaml"
    try:
        raw = plain_yaml.read(path.read_text(encoding="utf-8"))
        found = []
        for record in plain_yaml.records(raw, "relations"):
            columns = [
                {key: value.replace("{b}", band) for key, value in column.items()}
                for column in record["columns"]
                for band in (dd.BANDS if "{b}" in column["name"] else ("",))
            ]
            found.append(RubinRelation.model_validate({**record, "columns": columns}))
    except plain_yaml.FAULTS as error:
        raise ConfigurationError(f"{path.name}: {plain_yaml.explain(error)}") from error
    return tuple(found)


def items() -> list[Item]:
    """Build views and functions of the schemas ``rubin``, ``rubin_live`` and ``rubin_at``."""
    found = []
    for relation in relations():
        shown = ",\n  ".join(f"{relation.expression(c)} AS {c.name}" for c in relation.columns)
        comments = {}
        for column in relation.columns:
            said, unit = relation.described(column)
            comments[column.name.lower()] = md.named_comment(column.name, said, unit)
        body = stacked.Body(
            relation.name.lower(),
            f"SELECT {shown}\nFROM {relation.body}",
            relation.description,
            comments,
        )
        found += stacked.forms(body, "rubin")
    return found
