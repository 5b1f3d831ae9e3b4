"""The ``skyledger`` command: groups of commands, errors and exit codes.

Exit codes: 0 done, 1 bug, 2 usage, 3 configuration, 4 database, 5 data rejected,
6 query refused, 130 interrupted.
"""

import importlib
import logging
import sys

import psycopg2
import typer

from skyledger.errors import DatabaseError, SkyledgerError

# Commands in the order of the help page, and the modules that hold them (each has an `app`).
# Only the module of the command in use is imported: pixels take seconds to load, `db stop` none.
COMMANDS = {
    "db": "cli.db",
    "simulate": "cli.simulate",
    "process": "cli.process",
    "images": "cli.images",
    "masters": "cli.masters",
    "inject": "cli.inject",
    "judge": "cli.judge",
    "survey": "cli.survey",
    "reference": "cli.reference",
    "query": "cli.query",
    "serve": "cli.serve",
    "people": "cli.people",
    "cite": "cli.cite",
    "verify": "cli.cite",
    "plot": "cli.plot",
    "demo": "cli.demo",
}
# Modules whose commands form a group of that name.
GROUPS = {
    "cli.db": "db",
    "cli.images": "images",
    "cli.masters": "masters",
    "cli.reference": "reference",
    "cli.plot": "plot",
    "cli.people": "people",
}


def build(command: str | None) -> typer.Typer:
    """Make the command line with one command's module, or with all where it is not known."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help="A survey archive in one PostgreSQL: pixels in, repeatable queries out.",
    )
    app.callback()(lambda: None)  # keeps the command's name in use where it is the only one
    known = [COMMANDS[command]] if command in COMMANDS else COMMANDS.values()
    for module in dict.fromkeys(known):
        group = importlib.import_module(module).app
        app.add_typer(group, name=GROUPS.get(module))
    return app


def _one_line(message: str) -> str:
    return " ".join(message.split())


def main() -> None:
    """Run the command line; errors a user may meet are one line on stderr and an exit code."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        build(sys.argv[1] if len(sys.argv) > 1 else None)()
    except SkyledgerError as error:
        print(f"skyledger: {_one_line(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except psycopg2.OperationalError as error:
        print(f"skyledger: the database failed: {_one_line(str(error))}", file=sys.stderr)
        sys.exit(DatabaseError.exit_code)
    except KeyboardInterrupt:
        print("skyledger: interrupted", file=sys.stderr)
        sys.exit(130)
    except SystemExit as ended:
        if ended.code == 130:  # typer has caught the interruption and says nothing
            print("skyledger: interrupted", file=sys.stderr)
        raise


if __name__ == "__main__":
    main()
