"""A query as a tree: what the grammar builds and the translation reads.

Chains of the same operator are lists, not nested pairs: the depth of a tree is that of the
parentheses in the text, whatever its length.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Node:
    """Something of a query, at an offset of its text."""

    offset: int


@dataclass(slots=True)
class Name(Node):
    """An identifier; ``quoted`` if it was delimited."""

    text: str
    quoted: bool


@dataclass(slots=True)
class Number(Node):
    """An unsigned numeric literal, as written."""

    text: str


@dataclass(slots=True)
class Text(Node):
    """A character literal."""

    text: str


@dataclass(slots=True)
class Truth(Node):
    """TRUE or FALSE."""

    value: bool


@dataclass(slots=True)
class ColumnName(Node):
    """``[[schema.]table.]column``."""

    parts: tuple[Name, ...]


@dataclass(slots=True)
class Star(Node):
    """``*`` or ``[schema.]table.*`` in a select list, or the argument of COUNT."""

    qualifier: tuple[Name, ...] = ()


@dataclass(slots=True)
class Call(Node):
    """A function, in capitals if it is one of ADQL's own."""

    name: str
    arguments: "tuple[Expression, ...]"


@dataclass(slots=True)
class Aggregate(Node):
    """COUNT, SUM, AVG, MIN or MAX."""

    name: str
    argument: "Expression | Star"
    distinct: bool


@dataclass(slots=True)
class Cast(Node):
    """``CAST(value AS type)``; ``length`` of CHAR and VARCHAR."""

    value: "Expression"
    type: str
    length: int | None


@dataclass(slots=True)
class Chain(Node):
    """Operands of one precedence: ``operators[k]`` stands before ``operands[k + 1]``."""

    operands: "list[Expression]"
    operators: list[str]


@dataclass(slots=True)
class Signed(Node):
    """``-x``, ``+x`` or ``~x``."""

    sign: str
    value: "Expression"


@dataclass(slots=True)
class Subquery(Node):
    """A query in parentheses that stands for a value."""

    query: "Query"


@dataclass(slots=True)
class Logical(Node):
    """Conditions joined by AND or OR."""

    operator: str
    terms: "list[Expression]"


@dataclass(slots=True)
class Not(Node):
    """``NOT condition``."""

    condition: "Expression"


@dataclass(slots=True)
class Comparison(Node):
    """``left operator right``."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(slots=True)
class Between(Node):
    """``value [NOT] BETWEEN low AND high``."""

    value: "Expression"
    low: "Expression"
    high: "Expression"
    negated: bool


@dataclass(slots=True)
class In(Node):
    """``value [NOT] IN (values or query)``."""

    value: "Expression"
    values: "list[Expression] | Query"
    negated: bool


@dataclass(slots=True)
class Like(Node):
    """``value [NOT] LIKE pattern``, or ILIKE."""

    operator: str
    value: "Expression"
    pattern: "Expression"
    negated: bool


@dataclass(slots=True)
class IsNull(Node):
    """``value IS [NOT] NULL``."""

    value: "Expression"
    negated: bool


@dataclass(slots=True)
class Exists(Node):
    """``EXISTS (query)``."""

    query: "Query"


Condition = Logical | Not | Comparison | Between | In | Like | IsNull | Exists
Expression = (
    Number
    | Text
    | Truth
    | ColumnName
    | Call
    | Aggregate
    | Cast
    | Chain
    | Signed
    | Subquery
    | Condition
)


@dataclass(slots=True)
class Item(Node):
    """One entry of a select list."""

    value: Expression | Star
    alias: Name | None


@dataclass(slots=True)
class TableName(Node):
    """``[schema.]table [AS alias]``."""

    parts: tuple[Name, ...]
    alias: Name | None


@dataclass(slots=True)
class Derived(Node):
    """``(query) AS alias``."""

    query: "Query"
    alias: Name


@dataclass(slots=True)
class Join(Node):
    """Two table references; ``kind``: INNER, LEFT, RIGHT, FULL or CROSS."""

    kind: str
    natural: bool
    left: "TableReference"
    right: "TableReference"
    on: Expression | None
    using: tuple[Name, ...]


TableReference = TableName | Derived | Join


@dataclass(slots=True)
class Order(Node):
    """One entry of ORDER BY."""

    value: Expression
    descending: bool


@dataclass(slots=True)
class Select(Node):
    """``SELECT ... FROM ... WHERE ... GROUP BY ... HAVING ...``."""

    distinct: bool
    top: int | None
    items: list[Item]
    tables: list[TableReference]
    where: Expression | None = None
    group: list[Expression] = field(default_factory=list)
    having: Expression | None = None


@dataclass(slots=True)
class SetOperation(Node):
    """``left UNION [ALL] right``, or EXCEPT, INTERSECT; several of a kind in a row."""

    operands: "list[Query | Select | SetOperation]"
    operators: list[str]


@dataclass(slots=True)
class With(Node):
    """``name [(columns)] AS (query)``."""

    name: Name
    columns: tuple[Name, ...]
    query: "Query"


@dataclass(slots=True)
class Query(Node):
    """A query expression with what applies to it as a whole."""

    withs: list[With]
    body: "Query | Select | SetOperation"
    order: list[Order]
    offset_rows: int | None
