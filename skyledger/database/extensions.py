"""The PostgreSQL extensions the product needs, installed in one call."""

import psycopg2
from psycopg2 import errors
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class in all but name

from skyledger.database import pgsphere
from skyledger.errors import DatabaseError

# The input function of pg_sphere 1.2's ellipses brings the server down with text that is none. A
# cast asks for no right that could be taken away, so the function is replaced by one of PostgreSQL
# that refuses every text; ellipses are made by sellipse(spoint, a, b, angle).
_NO_ELLIPSE_FROM_TEXT = """
DO $$
DECLARE
  place name;
BEGIN
  SELECT n.nspname INTO place
  FROM pg_type AS y JOIN pg_namespace AS n ON n.oid = y.typnamespace
  JOIN pg_proc AS p ON p.oid = y.typinput
  WHERE y.typname = 'sellipse' AND n.nspname IN ('public', 'pgsphere') AND p.prosrc <> 'shell_in';
  IF FOUND THEN
    EXECUTE format('CREATE OR REPLACE FUNCTION %I.sellipse_in(cstring) RETURNS %1$I.sellipse '
      'LANGUAGE internal IMMUTABLE STRICT AS %L', place, 'shell_in');
  END IF;
END $$
"""

PACKAGES = {"q3c": "postgresql-15-q3c", "plpython3u": "postgresql-plpython3-15"}


def install(connection: Connection) -> pgsphere.Way:
    """Install pg_sphere, q3c and plpython3u in the connected database.

    Runs in the transaction of ``connection``; extensions that are there are left alone.

    Returns
    -------
    str
        The way pg_sphere is present: ``extension`` or ``objects``.

    Raises
    ------
    DatabaseError
        If an extension's package is missing on the server, or the role may not install it.
    """
    way = pgsphere.install(connection)
    with connection.cursor() as cursor:
        cursor.execute(_NO_ELLIPSE_FROM_TEXT)
        for name, package in PACKAGES.items():
            try:
                cursor.execute(f"CREATE EXTENSION IF NOT EXISTS {name}")
            except (errors.FeatureNotSupported, errors.UndefinedFile) as error:
                raise DatabaseError(
                    f"the PostgreSQL server has no {name}; install the Debian package {package} "
                    "on its machine"
                ) from error
            except errors.InsufficientPrivilege as error:
                raise DatabaseError(
                    f"role {connection.info.user!r} cannot install {name}; connect as a superuser "
                    "once"
                ) from error
    return way


def versions(connection: Connection) -> dict[str, str]:
    """Versions of the installed extensions, by name."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extname, extversion FROM pg_extension ORDER BY extname")
        return dict(cursor.fetchall())


def numpy_version(connection: Connection) -> str:
    """Version of numpy that functions in PL/Python see.

    Raises
    ------
    DatabaseError
        If the server's Python finds no numpy.
    """
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT numpy")
        try:
            cursor.execute(
                "CREATE FUNCTION pg_temp.numpy_version() RETURNS text LANGUAGE plpython3u AS "
                "$$import numpy; return numpy.__version__$$"
            )
            cursor.execute("SELECT pg_temp.numpy_version()")
        except psycopg2.Error as error:
            cursor.execute("ROLLBACK TO SAVEPOINT numpy")
            raise DatabaseError(
                "functions in PL/Python find no numpy; install the Debian package python3-numpy "
                f"on the server's machine ({str(error).splitlines()[0]})"
            ) from error
        row = cursor.fetchone()
        cursor.execute("ROLLBACK TO SAVEPOINT numpy")
    return str(row[0]) if row else ""
