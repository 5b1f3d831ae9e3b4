"""Readers who ask in ADQL, and the databases they ask."""

from contextlib import contextmanager

import astropy.units as u
import numpy as np
import psycopg2
import sqlalchemy as sa
from adql_sets import MINE_SQL, archive
from astropy.coordinates import SkyCoord
from sqlalchemy.pool import StaticPool
from test_published_plans import FILL, nodes

from services.adql import Column, Table, translate
from skyledger import dictionary as dd
from skyledger.database import metadata as md

PLACES = Table(
    "TAP_UPLOAD",
    "places",
    (
        Column("id", "integer"),
        Column("lon", "double precision", "deg", "pos.eq.ra;meta.main"),
        Column("lat", "double precision", "deg", "pos.eq.dec;meta.main"),
    ),
    "pg_temp.places",
    key=("id",),
    spatial=(("lon", "lat"),),
)
CATALOGUE = archive().plus(PLACES)
NUMERIC = 1700  # PostgreSQL's type; nothing of it may come out, as no format has it


def positions():
    """Positions all over the sky, thick around the seam, the poles and (100, 40)."""
    random = np.random.default_rng(4)
    lon = random.uniform(0, 360, 600)
    lat = np.degrees(np.arcsin(random.uniform(-1, 1, 600)))
    lon[:100] = random.normal(0, 1, 100) % 360
    lat[:100] = random.normal(0, 1, 100)
    lat[100:150] = 90 - np.abs(random.normal(0, 2, 50))
    lat[150:200] = -90 + np.abs(random.normal(0, 2, 50))
    lon[200:400] = random.normal(100, 3, 200)
    lat[200:400] = random.normal(40, 3, 200)
    lon[400:404], lat[400:404] = (0, 360, 0, 180), (0, 0, 90, -90)
    return lon, lat


LON, LAT = positions()
HERE = SkyCoord(LON * u.deg, LAT * u.deg)


def vectors(lon, lat):
    lon, lat = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


class Desk:
    """A reader who asks in ADQL."""

    def __init__(self, connection, instant):
        self.connection, self.instant = connection, instant

    def run(self, text, **options):
        found = translate(text, CATALOGUE, **options)
        with self.connection.cursor() as cursor:
            cursor.execute(found.sql)
            return found, cursor.description, cursor.fetchall()

    def rows(self, text, **options):
        return self.run(text, **options)[2]

    def plan(self, text, **options):
        with self.connection.cursor() as cursor:
            cursor.execute("EXPLAIN (FORMAT JSON) " + translate(text, CATALOGUE, **options).sql)
            return list(nodes(cursor.fetchone()[0][0]["Plan"]))


@contextmanager
def desk_of(server, template, name, **sizes):
    """Yield the desk of a database of its own, with so many objects and sources."""
    admin = psycopg2.connect(server.dsn("postgres"))
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    admin.close()
    connection = psycopg2.connect(server.dsn(name))
    with connection.cursor() as cursor:
        cursor.execute(FILL.format(**sizes))
        connection.commit()
        connection.autocommit = True
        cursor.execute("CREATE SCHEMA dr1")
        engine = sa.create_engine(
            "postgresql+psycopg2://", creator=lambda: connection, poolclass=StaticPool
        )
        md.release(dd.shipped(), "dr1").create_all(engine)
        cursor.execute(
            "GRANT USAGE ON SCHEMA dr1 TO skyledger_reader; "
            "GRANT SELECT ON ALL TABLES IN SCHEMA dr1 TO skyledger_reader"
        )
        cursor.execute("VACUUM ANALYZE")
        cursor.execute(MINE_SQL)
        cursor.execute(
            "INSERT INTO mine SELECT (1::bigint << 54) + g, 'n' || g, 10.5 + g, g / 10.0, 0.01, g, "
            "g % 2 = 0, '2026-01-01', ARRAY[15, 0, g] FROM generate_series(0, 8) AS g"
        )
        cursor.execute("CREATE TEMP TABLE places (id integer, lon float8, lat float8)")
        cursor.execute(
            "INSERT INTO places SELECT k - 1, lon, lat "
            "FROM unnest(%s::float8[], %s::float8[]) WITH ORDINALITY AS p (lon, lat, k)",
            (LON.tolist(), LAT.tolist()),
        )
        cursor.execute("CREATE INDEX ON places USING gist (spoint(radians(lon), radians(lat)))")
        cursor.execute("ANALYZE mine, places")
        cursor.execute("GRANT SELECT ON mine, places TO skyledger_reader")
        cursor.execute("SET SESSION AUTHORIZATION skyledger_reader")
        # Nothing here takes a second; what goes wrong is to be seen soon.
        cursor.execute("SET statement_timeout = '20s'")
        cursor.execute("SELECT ledger.horizon()")
        (instant,) = cursor.fetchone()
    yield Desk(connection, instant)
    connection.close()
    # Another test may have restarted the server since.
    admin = psycopg2.connect(server.dsn("postgres"))
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()
