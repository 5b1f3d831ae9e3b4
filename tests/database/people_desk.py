"""A database with people in it, and the logins through which they come."""

import contextlib
import io
import uuid
from dataclasses import dataclass, field

import psycopg2

from skyledger import people, person_tables
from skyledger.database import connection as connections
from skyledger.person_tables import ColumnDescription

COLUMNS = (
    ColumnDescription("starId", "bigint", "long", ucd="meta.id;meta.main"),
    ColumnDescription("ra", "double precision", "double", unit="deg", ucd="pos.eq.ra"),
    ColumnDescription("decl", "double precision", "double", unit="deg", ucd="pos.eq.dec"),
    ColumnDescription("name", "text", "unicodeChar", "*", description="What it is called."),
)


def content(n, width=3):
    """Lines of COPY for `COLUMNS`: n stars along the equator."""
    return "".join(f"{k}\t{k % 360}\t{k % 90}\t{'x' * width}\n" for k in range(n))


@dataclass
class People:
    """Sessions of the owner, the service and the login that asks for people."""

    owner: object
    service: object
    member: object
    tag: str = field(default_factory=lambda: uuid.uuid4().hex[:6])

    def name(self, who):
        """Roles are the whole server's, so each test has people of its own."""
        return f"{who}_{self.tag}"

    def add(self, *names, **more):
        for who in names:
            people.add_person(self.owner, self.name(who), who.title(), **more)
        self.owner.commit()
        return [self.name(who) for who in names]

    def load(self, who, table, rows=10, width=3, position=("ra", "decl"), columns=COLUMNS):
        """Make a table of a person; return what it became."""
        try:
            target = person_tables.open_table(
                self.service, who, table, columns, description="stars"
            )
            with self.service.cursor() as cursor:
                cursor.copy_expert(f"COPY {target} FROM STDIN", io.StringIO(content(rows, width)))
            sealed = person_tables.seal_table(self.service, who, table, position)
        except BaseException:
            self.service.rollback()
            raise
        self.service.commit()
        return sealed

    def ask(self, who, query, *values):
        """Ask as a person, as the service does."""
        with self.member.cursor() as cursor:
            try:
                cursor.execute(f"SET LOCAL ROLE {people.role(who)}")
                cursor.execute(query, values or None)
                return cursor.fetchall() if cursor.description else None
            finally:
                self.member.rollback()

    def reads(self, who, table):
        """Whether a person may read a table: mydb_NAME.TABLE."""
        try:
            self.ask(who, f"SELECT count(*) FROM {table}")
        except psycopg2.errors.InsufficientPrivilege:
            return False
        return True


@contextlib.contextmanager
def people_of(database):
    """Open the three sessions on a database."""
    where = database.dsn
    with contextlib.ExitStack() as stack:
        opened = [
            stack.enter_context(contextlib.closing(psycopg2.connect(where, **more)))
            for more in ({}, {"user": connections.KEEPER}, {"user": connections.MEMBER})
        ]
        yield People(*opened)


@contextlib.contextmanager
def impatient_people_of(database):
    """Like `people_of`; sessions that wait for each other fail instead of waiting for ever."""
    with contextlib.closing(database.connect(autocommit=True)) as opened:
        rows(opened, f"ALTER DATABASE {database.name} SET lock_timeout = '20s'")
    with people_of(database) as desk:
        yield desk


def rows(connection, query, *values):
    """Run a statement; return what it returns, None if nothing can come."""
    with connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchall() if cursor.description else None
