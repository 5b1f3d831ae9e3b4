"""Published forms of relations that are built on others: denormalised ones, and Rubin's names.

Each comes from one body, a query on the relations of schema ``prompt``; the form decides which
form of those it reads, so that a query on it means one instant throughout (GEN-29, L1DB-05).
"""

import re
from dataclasses import dataclass

from skyledger import dictionary as dd
from skyledger.database import metadata as md
from skyledger.database.published import Item, quote

PUBLISHED = re.compile(r"\bprompt\.(\w+)")
_FUNCTION = re.compile(r"\bscience\.(\w+)\(")
# A body that shows all columns of its only base has versions of its own.
_WHOLE = re.compile(r"\ASELECT (\w+)\.\*,?\s")


@dataclass(frozen=True)
class Body:
    """What a stacked relation is made of: its query and what is said of it and its columns."""

    name: str  # SQL name
    query: str
    description: str
    comments: dict[str, str]  # of columns, by SQL name; others carry those of their base

    @property
    def bases(self) -> tuple[str, ...]:
        """SQL names of the relations of schema ``prompt`` that the query reads."""
        return tuple(sorted({base.lower() for base in PUBLISHED.findall(self.query)}))

    @property
    def functions(self) -> tuple[str, ...]:
        """Functions that the query calls."""
        return tuple(sorted({f"science.{name}" for name in _FUNCTION.findall(self.query)}))


def _inherited_comments(view: str, base: str) -> str:
    """Build a statement that gives columns without a comment that of ``base``."""
    return f"""DO $$ DECLARE c record; BEGIN
  FOR c IN
    SELECT a.attname, col_description(a.attrelid, a.attnum) AS said
    FROM pg_attribute AS a JOIN pg_attribute AS mine ON mine.attname = a.attname
    WHERE a.attrelid = '{base}'::regclass AND a.attnum > 0 AND mine.attrelid = '{view}'::regclass
      AND col_description(mine.attrelid, mine.attnum) IS NULL
  LOOP
    EXECUTE format('COMMENT ON COLUMN {view}.%I IS %L', c.attname, c.said);
  END LOOP;
END $$;"""


def _view(body: Body, schema: str, form: str) -> Item:
    """Build the view in ``schema`` that reads the relations of schema ``form``."""
    view = f"{schema}.{body.name}"
    comments = [f"COMMENT ON VIEW {view} IS {quote(body.description)};"]
    comments += [
        f"COMMENT ON COLUMN {view}.{column} IS {quote(said)};"
        for column, said in body.comments.items()
    ]
    comments += [_inherited_comments(view, f"{form}.{base}") for base in body.bases]
    shown = PUBLISHED.sub(rf"{form}.\1", body.query)
    return Item(
        view,
        "view",
        f"CREATE VIEW {view} AS\n{shown};\n" + "\n".join(comments),
        (*(f"{form}.{base}" for base in body.bases), *body.functions),
    )


def forms(body: Body, family: str = "prompt") -> list[Item]:
    """Build the published forms of one body: ``X``, ``X_live``, ``X_at``, maybe ``X_history``.

    Parameters
    ----------
    body
        Query on the relations of schema ``prompt``, and its comments.
    family
        Schema of the form that reads the session's instant; the others are named after it.

    Returns
    -------
    list of Item
        Three forms, and the history of a relation that shows its only base whole.
    """
    items = [_view(body, f"{family}_live", "prompt_live"), _view(body, family, "prompt")]
    if _WHOLE.match(body.query) and len(body.bases) == 1:
        items.append(_view(body, f"{family}_history", "prompt_history"))
    shown = PUBLISHED.sub(r"prompt_at.\1(instant)", body.query)
    at, live = f"{family}_at.{body.name}", f"{family}_live.{body.name}"
    items.append(
        Item(
            at,
            "routine",
            f"CREATE FUNCTION {at}(instant timestamp)\nRETURNS SETOF {live}\n"
            f"LANGUAGE sql STABLE PARALLEL SAFE ROWS 100000\nBEGIN ATOMIC\n{shown};\nEND;\n"
            f"COMMENT ON FUNCTION {at}(timestamp) IS "
            + quote(f"{body.description} As of an instant of ledger time (TAI).")
            + ";",
            (live, *(f"prompt_at.{base}" for base in body.bases), *body.functions),
        )
    )
    return items


def denormalised(name: str, text: str) -> list[Item]:
    """Build the forms of a denormalised relation from its file (``db/views/NAME.sql``).

    Comment lines before the query say what it is, and ``-- column: description [unit]`` what each
    column is that the dictionary does not have.
    """
    lines = [line for line in text.splitlines() if line.startswith("--")]
    return forms(
        Body(
            name.lower(),
            "\n".join(line for line in text.splitlines() if not line.startswith("--")),
            " ".join(
                line.removeprefix("--").strip() for line in lines if not dd.derived_columns(line)
            ),
            {column.sql_name: md.comment(column) for column in dd.derived_columns(text)},
        )
    )
