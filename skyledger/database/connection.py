"""Connections to the database: the embedded server, or the external one the settings name."""

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class in all but name
from psycopg2.extensions import make_dsn, parse_dsn

from skyledger import settings
from skyledger.database.cluster import Cluster
from skyledger.errors import DatabaseError
from skyledger.settings import DATABASE, Settings

APPLICATION = "skyledger"
READER = "skyledger_user"  # reads, and nothing else; made by db/roles/grants.sql
KEEPER = "skyledger_service"  # keeps jobs and the log of queries; made there too
MEMBER = "skyledger_member"  # takes the role of one person for each transaction; made there too


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


def connect(
    database: str | None = None, *, autocommit: bool = False, configured: Settings | None = None
) -> Connection:
    """Connect to the database as its owner.

    Parameters
    ----------
    database : str, optional
        Name of the PostgreSQL database, as for `dsn`.
    autocommit : bool
        Whether each statement is a transaction of its own.
    configured : Settings, optional
        As for `dsn`.

    Raises
    ------
    DatabaseError
        If the server is not running or does not let us in.
    """
    configured = configured or settings.read()
    try:
        connection = psycopg2.connect(dsn(database, configured))
    except psycopg2.OperationalError as error:
        raise DatabaseError(_explain(configured, error)) from error
    connection.autocommit = autocommit
    return connection


def is_superuser(connection: Connection) -> bool:
    """Whether a connection may do everything."""
    return connection.info.parameter_status("is_superuser") == "on"


def _as(login: str, given: str, **more: str) -> Connection:
    """Connect to where ``given`` leads, as ``login``, with a password from the password file only.

    Raises
    ------
    DatabaseError
        If the server does not let that login in.
    """
    where = {k: v for k, v in parse_dsn(given).items() if k not in {"password", "user"}}
    try:
        opened: Connection = psycopg2.connect(**{**where, **more, "user": login})
    except psycopg2.OperationalError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise DatabaseError(
            f"the login {login} is refused: {reason}; make it with `skyledger db upgrade` (or "
            f"`skyledger db init`), and on a server of your own let it in, or name another reader "
            f"in SKYLEDGER_DATABASE_URL"
        ) from error
    return opened


def reader_beside(connection: Connection, **more: str) -> Connection:
    """Open a second connection to the same database, as `READER`; ``more`` are libpq's words."""
    return _as(READER, connection.dsn, **more)


def connect_reader(configured: Settings | None = None) -> Connection:
    """Connect to the database as somebody who can only ask.

    On the embedded server this is `READER`, also on an external one whose settings name a
    superuser; any other login that they name is taken as it is.

    Raises
    ------
    DatabaseError
        If the server is not running or does not let us in.
    """
    configured = configured or settings.read()
    if configured.external is None and Cluster(configured.home).pid() is not None:
        return _as(READER, dsn(None, configured))
    opened = connect(configured=configured)  # says why, if the server is not there
    if not is_superuser(opened):
        return opened
    opened.close()
    return reader_beside(opened)


def connect_keeper(configured: Settings | None = None) -> Connection:
    """Connect as the login that keeps jobs and the log of queries (`KEEPER`).

    Raises
    ------
    DatabaseError
        If the server is not running or does not let that login in.
    """
    return _as(KEEPER, dsn(None, configured))


def connect_member(configured: Settings | None = None) -> Connection:
    """Connect as the login that asks for people (`MEMBER`); by itself it may read nothing.

    Each transaction begins with ``SET LOCAL ROLE`` and `skyledger.people.role` of the person.

    Raises
    ------
    DatabaseError
        If the server is not running or does not let that login in.
    """
    return _as(MEMBER, dsn(None, configured))


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
