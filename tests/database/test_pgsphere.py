"""pg_sphere in each of its three ways: stock extension, private tree, plain objects."""

import json
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg2
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from skyledger.database import extensions, pgsphere, schema
from skyledger.database.cluster import PROGRAMS, SHARE, Cluster, temporary_home
from skyledger.errors import ConfigurationError, DatabaseError

FAST = {"fsync": "off", "full_page_writes": "off"}
SCRIPT = SHARE / "extension" / pgsphere.SCRIPT
POINTS = 20000


@pytest.fixture(scope="module")
def stock() -> Iterator[Cluster]:
    """Yield a server of Debian's own programs, as an administrator would run it."""
    home = temporary_home()
    made = Cluster(home, FAST)
    try:
        made.init()
        made._launch()
        made._create_database()
        yield made
    finally:
        made.destroy()
        shutil.rmtree(home)


@pytest.fixture
def external(stock: Cluster) -> Iterator[str]:
    """Yield the connection string of an empty database on the stock server."""
    _admin(stock, "CREATE DATABASE outside TEMPLATE template0")
    yield stock.dsn("outside")
    _admin(stock, "DROP DATABASE outside WITH (FORCE)")


def _admin(cluster: Cluster, *statements: str) -> None:
    opened = psycopg2.connect(cluster.dsn("postgres"))
    opened.autocommit = True
    with opened.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    opened.close()


def _stock_script_is_refused(dsn: str) -> bool:
    opened = psycopg2.connect(dsn)
    try:
        with opened.cursor() as cursor:
            cursor.execute("CREATE EXTENSION pg_sphere")
    except psycopg2.Error as error:
        if not pgsphere.is_refusal(error):
            raise
        return True
    finally:
        opened.close()
    return False


def _check_cone_search(dsn: str) -> None:
    """Compare a cone over the GiST index with astropy, and read the plan."""
    rng = np.random.default_rng(4)
    ra, decl = rng.uniform(0, 360, POINTS), np.degrees(np.arcsin(rng.uniform(-1, 1, POINTS)))
    opened = psycopg2.connect(dsn)
    try:
        with opened.cursor() as cursor:
            cursor.execute(
                "CREATE TABLE sky AS SELECT i, ra, decl FROM "
                "unnest(%s::int[], %s::float8[], %s::float8[]) AS t (i, ra, decl)",
                (list(range(POINTS)), ra.tolist(), decl.tolist()),
            )
            cursor.execute(
                "CREATE INDEX sky_cone ON sky USING gist (spoint(radians(ra), radians(decl)))"
            )
            cursor.execute("ANALYZE sky")
            query = (
                "SELECT i FROM sky WHERE spoint(radians(ra), radians(decl)) "
                "<@ scircle(spoint(radians(%s), radians(%s)), radians(3)) ORDER BY i"
            )
            for center in ((0.5, 10.0), (359.9, -89.0), (123.0, 90.0)):
                cursor.execute(query, center)
                found = [row[0] for row in cursor.fetchall()]
                distance = SkyCoord(ra, decl, unit="deg").separation(SkyCoord(*center, unit="deg"))
                # 1e-9 rad (0.2 mas) is the precision of a double's arc at these distances.
                inside = np.flatnonzero(distance < 3 * u.deg - 1e-9 * u.rad)
                assert set(inside) <= set(found)
                assert set(found) <= set(np.flatnonzero(distance < 3 * u.deg + 1e-9 * u.rad))
                assert len(found) > 3
            cursor.execute("EXPLAIN " + query, (0.5, 10.0))
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "sky_cone" in plan, plan
    finally:
        opened.rollback()
        opened.close()


def test_exactly_the_two_obsolete_operators_are_dropped() -> None:
    original = SCRIPT.read_text(encoding="utf-8")
    shortened = pgsphere.patched(original)
    declaration = re.compile(r"CREATE\s+(?:OPERATOR|FUNCTION|TYPE|AGGREGATE|CAST)\b", re.IGNORECASE)
    assert len(declaration.findall(original)) - len(declaration.findall(shortened)) == 2
    assert "healpix_subset_smoc,\n   COMMUTATOR = '@>',\n   NEGATOR    = '!<@'" in original
    assert original.count("CREATE OPERATOR <@") == shortened.count("CREATE OPERATOR <@")


def test_a_script_without_these_operators_is_not_touched_in_silence() -> None:
    with pytest.raises(ConfigurationError, match="0 of the 2 obsolete operators"):
        pgsphere.patched("CREATE OPERATOR @ (LEFTARG = spoint, RIGHTARG = scircle);")


def test_the_embedded_server_has_a_real_extension(server: Cluster, empty_database) -> None:
    opened = empty_database.connect()
    assert pgsphere.installed(opened) is None
    assert pgsphere.install(opened) == "extension"
    assert pgsphere.install(opened) == "extension"
    with opened.cursor() as cursor:
        cursor.execute(
            "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace "
            "WHERE extname = 'pg_sphere'"
        )
        assert cursor.fetchone() == ("public",)
        # What is missing of the stock script is the two operators and nothing else.
        cursor.execute(
            "SELECT count(*) FROM pg_operator WHERE oprname = '@' AND oprright = 'smoc'::regtype"
        )
        left = cursor.fetchone()[0]
    opened.commit()
    opened.close()
    assert left == (0 if server.tree.is_dir() else 2)
    _check_cone_search(empty_database.dsn)


def test_embedded_programs_follow_what_the_stock_extension_does(
    server: Cluster, external: str
) -> None:
    expected = "private tree" if _stock_script_is_refused(external) else "stock"
    assert server.status().pg_sphere == expected


def test_an_external_server_gets_what_works_there(external: str) -> None:
    refused = _stock_script_is_refused(external)
    opened = psycopg2.connect(external)
    way = pgsphere.install(opened)
    opened.commit()
    assert way == ("objects" if refused else "extension")
    assert pgsphere.install(opened) == way
    opened.close()
    _check_cone_search(external)


def test_plain_objects_are_complete_and_named_by_the_search_path(
    stock: Cluster, external: str
) -> None:
    _admin(stock, "ALTER DATABASE outside SET search_path = mine, public")
    opened = psycopg2.connect(external)
    pgsphere._create_objects(opened)
    with opened.cursor() as cursor:
        cursor.execute("SELECT spoint(0, 0) <-> spoint(radians(90), 0)")
        assert cursor.fetchone()[0] == pytest.approx(math.pi / 2, rel=1e-15)
    opened.commit()
    opened.close()
    opened = psycopg2.connect(external)
    assert pgsphere.installed(opened) == "objects"
    with opened.cursor() as cursor:
        cursor.execute("SHOW search_path")
        assert cursor.fetchone()[0] == "mine, public, pgsphere"
        cursor.execute("SELECT count(*) FROM pg_proc WHERE pronamespace = 'pgsphere'::regnamespace")
        functions = cursor.fetchone()[0]
    opened.close()
    # CREATE OR REPLACE aside, each function and aggregate of the script is one object.
    text = pgsphere.patched(SCRIPT.read_text(encoding="utf-8"))
    text = re.sub(r"--[^\n]*", "", text)
    assert functions == len(
        re.findall(r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|AGGREGATE)\s", text, re.IGNORECASE)
    )
    _check_cone_search(external)


def test_the_schema_stands_on_plain_objects(external: str) -> None:
    opened = psycopg2.connect(external)
    pgsphere._create_objects(opened)
    opened.commit()
    assert schema.upgrade(opened) is True
    opened.close()
    opened = psycopg2.connect(external)
    schema.check(opened)
    assert pgsphere.installed(opened) == "objects"
    opened.close()


def test_who_may_not_install_is_told_so(stock: Cluster, external: str) -> None:
    _admin(stock, "DROP ROLE IF EXISTS plain", "CREATE ROLE plain LOGIN")
    opened = psycopg2.connect(external, user="plain")
    with pytest.raises(DatabaseError, match=r"role 'plain' cannot install pg_sphere .* superuser"):
        pgsphere.install(opened)
    with opened.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'pgsphere'")
        assert cursor.fetchone() == (0,)
    opened.close()


def test_missing_packages_are_named_and_the_tree_is_rebuilt_after_an_update() -> None:
    home = temporary_home()
    made = Cluster(home, FAST)
    try:
        made.init()
        pgsphere.build_tree(PROGRAMS, SHARE, made.tree)
        scripts = made.tree / "share/postgresql/15/extension"
        (scripts / "pg_sphere.control").unlink()
        made._launch()
        opened = psycopg2.connect(made.dsn("postgres"))
        with pytest.raises(DatabaseError, match="postgresql-15-pgsphere"):
            pgsphere.install(opened)
        opened.rollback()
        (scripts / "pg_sphere.control").write_bytes(
            (SHARE / "extension/pg_sphere.control").read_bytes()
        )
        (scripts / "q3c.control").unlink()
        with pytest.raises(DatabaseError, match="postgresql-15-q3c"):
            extensions.install(opened)
        opened.close()
        # The tree was made from other files than those installed now: a start replaces it.
        made.stop()
        record = made.base / "programs.json"
        record.write_text(json.dumps({"key": "older", "way": "private tree"}), encoding="ascii")
        made.start()
        assert json.loads(record.read_text(encoding="ascii"))["key"] == pgsphere.tree_key(
            PROGRAMS, SHARE
        )
        opened = psycopg2.connect(made.dsn())
        assert extensions.install(opened) == "extension"
        opened.close()
    finally:
        made.destroy()
        shutil.rmtree(home)


def test_every_change_of_an_installed_file_changes_the_key(tmp_path: Path) -> None:
    programs, share = tmp_path / "lib", tmp_path / "share"
    for folder in (programs, share):
        folder.mkdir()
        (folder / "file").write_text("15.19", encoding="ascii")
    before = pgsphere.tree_key(programs, share)
    assert before == pgsphere.tree_key(programs, share)
    (share / "file").write_text("15.20+1", encoding="ascii")
    changed = pgsphere.tree_key(programs, share)
    (programs / "new").write_text("", encoding="ascii")
    assert len({before, changed, pgsphere.tree_key(programs, share)}) == 3
