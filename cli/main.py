"""The ``skyledger`` command: groups of commands, errors and exit codes.

Exit codes: 0 done, 1 bug, 2 usage, 3 configuration, 4 database, 5 data rejected,
6 query refused, 130 interrupted.
"""

import logging
import sys

import psycopg2
import typer

from cli import db, simulate
from skyledger.errors import DatabaseError, SkyledgerError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A survey archive in one PostgreSQL: pixels in, repeatable queries out.",
)

# Groups of commands, in the order of the help page.
app.add_typer(db.app, name="db")
app.add_typer(simulate.app)


def _one_line(message: str) -> str:
    return " ".join(message.split())


def main() -> None:
    """Run the command line; errors a user may meet are one line on stderr and an exit code."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        app()
    except SkyledgerError as error:
        print(f"skyledger: {_one_line(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except psycopg2.OperationalError as error:
        print(f"skyledger: the database failed: {_one_line(str(error))}", file=sys.stderr)
        sys.exit(DatabaseError.exit_code)
    except KeyboardInterrupt:
        print("skyledger: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
