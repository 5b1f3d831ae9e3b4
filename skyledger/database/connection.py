"""Connections to the database: the embedded server, or the external one the settings name."""

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class in all but name
from psycopg2.extensions import make_dsn

from skyledger import settings
from skyledger.database.cluster import Cluster
from skyledger.errors import DatabaseError
from skyledger.settings import DATABASE, Settings

APPLICATION = "skyledger"


def dsn(database: str | None = None, configured: Settings | None = None) -> str:
    """Return the connection string of a database, as its owner.

    Parameters
    ----------
    database : str, optional
        Name of the PostgreSQL database; by default the one the external server's settings name,
        or ``skyledger``.
    configured : Settings, optional
        Settings; read from the environment by default.
    """
    configured = configured or settings.read()
    if configured.external is None:
        embedded = Cluster(configured.home).dsn(database or DATABASE)
        return str(make_dsn(embedded, application_name=APPLICATION))
    given = {"application_name": APPLICATION}
    if database:
        given["dbname"] = database
    try:
        return str(make_dsn(configured.external, **given))
    except psycopg2.ProgrammingError as error:
        raise DatabaseError(
            f"{configured.external_source} is not a connection string: {str(error).strip()}; "
            "give a postgresql:// URL or key=value pairs"
        ) from error


def connect(database: str | None = None, *, autocommit: bool = False) -> Connection:
    """Connect to the database as its owner.

    Parameters
    ----------
    database : str, optional
        Name of the PostgreSQL database, as for `dsn`.
    autocommit : bool
        Whether each statement is a transaction of its own.

    Raises
    ------
    DatabaseError
        If the server is not running or does not let us in.
    """
    configured = settings.read()
    try:
        connection = psycopg2.connect(dsn(database, configured))
    except psycopg2.OperationalError as error:
        raise DatabaseError(_explain(configured, error)) from error
    connection.autocommit = autocommit
    return connection


def _explain(configured: Settings, error: psycopg2.OperationalError) -> str:
    reason = str(error).strip().splitlines()[-1].strip()
    if configured.external is not None:
        return (
            f"the PostgreSQL server named by {configured.external_source} cannot be used: "
            f"{reason}; correct or unset the variable"
        )
    cluster = Cluster(configured.home)
    if cluster.pid() is None:
        return (
            f"the database in {configured.home} is not running; start it with `skyledger db start`"
        )
    return f"the database in {configured.home} refuses the connection: {reason}; see {cluster.log}"
