"""pg_sphere: the stock extension, a private PostgreSQL tree, or plain objects.

The script of pg_sphere 1.2.0 declares two obsolete operators, ``@ (bigint, smoc)`` and
``@ (spoint, smoc)``, whose COMMUTATOR and NEGATOR are already taken. PostgreSQL 15.20 refuses
that; 15.18 did not look. Upstream removed the two in pg_sphere 1.4. Nothing here uses them, so:

1. ``CREATE EXTENSION pg_sphere`` is tried first and used where it works;
2. the embedded server runs from a private copy of the PostgreSQL programs whose script lacks the
   two operators: a real extension (`build_tree`, `tree_key`);
3. an external server, reached as superuser, gets the objects of the script without the two
   operators in a schema ``pgsphere`` (`install`).
"""

import hashlib
import re
import shutil
from pathlib import Path
from typing import Literal

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class in all but name

from skyledger.errors import ConfigurationError, DatabaseError

Way = Literal["extension", "objects"]

SCRIPT = "pg_sphere--1.2.0.sql"
SCHEMA = "pgsphere"
_REFUSAL = re.compile(r"(commutator|negator) operator .* is already the (commutator|negator) of")
_OBSOLETE = re.compile(
    r"CREATE\s+OPERATOR\s+@\s*\(\s*LEFTARG\s*=\s*(?:bigint|spoint),\s*RIGHTARG\s*=\s*smoc,[^;]*;",
    re.IGNORECASE,
)
_LEFT_OUT = ("bitcode", "man", "locale")  # nothing a server without JIT reads


def patched(script: str) -> str:
    """Return pg_sphere's script without the two obsolete operators.

    Raises
    ------
    ConfigurationError
        If the script does not hold exactly these two operators.
    """
    text, count = _OBSOLETE.subn("", script)
    if count != 2:
        raise ConfigurationError(
            f"{SCRIPT} holds {count} of the 2 obsolete operators that are dropped from it; "
            "install the packages postgresql-15 and postgresql-15-pgsphere of Debian 12"
        )
    return text


def is_refusal(error: psycopg2.Error) -> bool:
    """Tell whether an error is PostgreSQL's refusal of the stock script."""
    return bool(_REFUSAL.search(str(error)))


def tree_key(programs: Path, share: Path) -> str:
    """Fingerprint of installed PostgreSQL files: changes with every package update.

    Names, sizes and modification times of all files below ``programs``
    (``/usr/lib/postgresql/15``) and ``share`` (``/usr/share/postgresql/15``) enter it.
    """
    digest = hashlib.sha256()
    for top in (programs, share):
        for path in sorted(p for p in top.rglob("*") if p.is_file()):
            status = path.stat()
            digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def build_tree(programs: Path, share: Path, destination: Path) -> Path:
    """Copy the PostgreSQL programs with a pg_sphere script that can be loaded.

    A server finds ``share/`` relative to its own program, so the copy keeps Debian's layout.
    An older copy at ``destination`` is replaced.

    Returns
    -------
    Path
        The copy's folder of programs (``…/bin``).
    """
    new = destination.with_name(destination.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    lib = new / "lib" / "postgresql" / programs.name
    data = new / "share" / "postgresql" / share.name
    left_out = shutil.ignore_patterns(*_LEFT_OUT)
    shutil.copytree(programs, lib, ignore=left_out, ignore_dangling_symlinks=True)
    shutil.copytree(share, data, ignore=left_out, ignore_dangling_symlinks=True)
    script = data / "extension" / SCRIPT
    script.write_text(patched(script.read_text(encoding="utf-8")), encoding="utf-8")
    shutil.rmtree(destination, ignore_errors=True)
    new.rename(destination)
    return tree_programs(destination)


def tree_programs(tree: Path) -> Path:
    """Folder of programs in a private tree."""
    return next((tree / "lib" / "postgresql").iterdir()) / "bin"


def installed(connection: Connection) -> Way | None:
    """Tell which way pg_sphere is present in the connected database; None if it is not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_sphere'")
        if cursor.fetchone():
            return "extension"
        cursor.execute("SELECT to_regtype(%s) IS NOT NULL", (f"{SCHEMA}.spoint",))
        row = cursor.fetchone()
        return "objects" if row and row[0] else None


def install(connection: Connection) -> Way:
    """Make pg_sphere's types and operators available in the connected database.

    Runs in the transaction of ``connection`` and does nothing if they are there.

    Returns
    -------
    str
        ``extension`` (in schema public) or ``objects`` (in schema pgsphere, which the database's
        search path then names).

    Raises
    ------
    DatabaseError
        If the server has no pg_sphere, or the role may not install it.
    """
    present = installed(connection)
    if present:
        return present
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT pgsphere")
        try:
            cursor.execute("CREATE EXTENSION pg_sphere SCHEMA public")
        except psycopg2.Error as error:
            cursor.execute("ROLLBACK TO SAVEPOINT pgsphere")
            if not is_refusal(error):
                raise _not_installable(connection, error) from error
            _create_objects(connection)
            return "objects"
        cursor.execute("RELEASE SAVEPOINT pgsphere")
    return "extension"


def _not_installable(connection: Connection, error: psycopg2.Error) -> DatabaseError:
    server = connection.info.host or "local socket"
    if isinstance(error, errors.FeatureNotSupported | errors.UndefinedFile):
        return DatabaseError(
            f"the PostgreSQL server at {server} has no pg_sphere; install the Debian package "
            "postgresql-15-pgsphere on that machine"
        )
    return DatabaseError(
        f"role {connection.info.user!r} cannot install pg_sphere in database "
        f"{connection.info.dbname!r} ({error.diag.message_primary}); connect as a superuser once"
    )


def _create_objects(connection: Connection) -> None:
    """Execute the server's own script, patched, in schema pgsphere."""
    database = connection.info.dbname
    with connection.cursor() as cursor:
        try:
            cursor.execute(
                "SELECT pg_read_file(setting || '/extension/' || %s) "
                "FROM pg_config WHERE name = 'SHAREDIR'",
                (SCRIPT,),
            )
        except errors.InsufficientPrivilege as error:
            raise _not_installable(connection, error) from error
        except psycopg2.Error as error:
            raise DatabaseError(
                f"pg_sphere cannot be installed: its script {SCRIPT} cannot be read on the "
                f"server ({error.diag.message_primary}); install postgresql-15-pgsphere there"
            ) from error
        row = cursor.fetchone()
        if row is None:
            raise DatabaseError("the server does not say where its extension scripts are")
        script = patched(row[0]).replace("MODULE_PATHNAME", "$libdir/pg_sphere")
        # Lines starting with a backslash guard against running the script in psql.
        script = "\n".join(line for line in script.splitlines() if not line.startswith("\\"))
        cursor.execute("SHOW search_path")
        row = cursor.fetchone()
        path = row[0] if row else ""
        cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(SCHEMA)))
        cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO PUBLIC").format(sql.Identifier(SCHEMA)))
        cursor.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(SCHEMA)))
        cursor.execute(script)
        # For the sessions to come, and for this one.
        wider = f"{path}, {SCHEMA}" if path else SCHEMA
        cursor.execute(
            sql.SQL("ALTER DATABASE {} SET search_path = {}").format(
                sql.Identifier(database), sql.SQL(wider)
            )
        )
        cursor.execute(sql.SQL("SET search_path = {}").format(sql.SQL(wider)))
