"""Every SQL example of the documentation runs and finds something, and TOML examples are valid."""

import re
import textwrap
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2
import pytest

from ingest import catalogue, reference
from ingest.staging import slot, stage
from processing import instrument
from skyledger import dictionary, ids, provenance
from skyledger.answers import run
from skyledger.database.cluster import Cluster
from skyledger.virtual import VirtualDatabase

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md"] + [
    path
    for path in sorted((REPOSITORY / "docs").rglob("*.md"))
    if not {"generated", "_build"} & set(path.parts)
]
DD = dictionary.shipped()
RA, DECL = 229.4, -15.1  # the field of the simulated survey, which the pages ask about
FIRST_NIGHT = 61171.2  # MJD TAI
FLAGS = 1 << dictionary.flag_bit("DIASource", "NEGATIVE")


def blocks(language: str) -> list[Any]:
    """Return the examples of the pages in a language, named by page and number."""
    return [
        pytest.param(text, id=f"{path.stem}-{number}")
        for path in PAGES
        for number, text in enumerate(
            re.findall(
                rf"^ *```{language}\n(.*?)^ *```$",
                path.read_text(encoding="utf-8"),
                re.MULTILINE | re.DOTALL,
            ),
            start=1,
        )
    ]


@dataclass(frozen=True)
class Archive:
    """A database with three nights in it, and what the examples' placeholders stand for."""

    connection: Any
    first_epoch: datetime
    object_id: int

    def real(self, text: str) -> str:
        """Put an instant and an object of this database in the place of those of the pages."""
        text = re.sub(r"'20\d\d-\d\d-\d\d[ T][\d:.]+'", f"'{self.first_epoch.isoformat()}'", text)
        return re.sub(r"\b\d{15,19}\b", str(self.object_id), text)


def _rows(serials: list[int], night: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A ccdVisit in r and its sources: one object brightens, another joins on the second night."""
    mjd = FIRST_NIGHT + night
    visit = ids.visit_id(ids.night_of(mjd), 1)
    ccd = ids.ccd_visit_id(visit, 0)
    n = len(serials)
    corners = [[RA - 0.03, DECL - 0.03], [RA + 0.03, DECL - 0.03],
               [RA + 0.03, DECL + 0.03], [RA - 0.03, DECL + 0.03]]  # fmt: skip
    ccd_visit = {
        "ccdVisitId": [ccd], "visitId": [visit], "detector": [0], "instrument": ["simulated"],
        "band": ["r"], "filterName": ["SIM-r"], "programId": ["main"], "ra": [RA],
        "decl": [DECL], "beginTai": [mjd - 2e-4], "midPointTai": [mjd], "endTai": [mjd + 2e-4],
        "exposureTime": [30.0], "nSnaps": [2], "seeing": [0.8], "zeroPoint": [31.4],
        "footprint": np.array([np.ravel(corners)]), "diffNoise": [40.0],
    }  # fmt: skip
    sources = {
        "diaSourceId": ids.source_ids(1, ccd, np.array(serials)),
        "ccdVisitId": np.full(n, ccd), "visitId": np.full(n, visit),
        "detector": np.zeros(n, int), "templateId": np.full(n, 7),
        "midPointTai": np.full(n, mjd), "ra": RA + 0.002 * np.arange(n),
        "decl": np.full(n, DECL), "raErr": np.full(n, 0.05), "declErr": np.full(n, 0.05),
        "raDeclCov": np.zeros(n), "x": np.arange(n) + 5.0, "y": np.arange(n) + 5.0,
        "snr": np.full(n, 20.0), "psFlux": 1000.0 * (1 + night) + np.arange(n),
        "psFluxErr": np.full(n, 50.0), "psLnL": np.full(n, -1.0), "psChi2": np.full(n, 400.0),
        "psNdata": np.full(n, 441),
        "psCov": np.tile(np.array([2500, 1, 0.0025, 0, 0, 0.0025]), (n, 1)),
        "totFlux": np.full(n, 5000.0), "totFluxErr": np.full(n, 50.0),
        "flags": np.arange(n) * FLAGS, "hpx29": np.full(n, 1 << 55),
    }  # fmt: skip
    return {k: v if k == "footprint" else np.array(v) for k, v in ccd_visit.items()}, sources


def _publish(connection: Any, night: int, made_by: int, forced_for: int | None) -> datetime:
    """Publish one visit; on the night of ``forced_for`` that object has a forced flux only."""
    ccd_visit, sources = _rows([1] if night in (0, 3) else [1, 2], night)
    if forced_for is not None:
        sources = {name: values[1:] for name, values in _rows([1, 2], night)[1].items()}
    ccd_visit["provenanceId"] = np.array([made_by])
    with slot(connection) as number, connection.cursor() as cursor:
        mjd = float(ccd_visit["midPointTai"][0])
        cursor.execute("SELECT ledger.ensure_partitions(%s, %s)", (mjd, mjd))
        connection.commit()
        cursor.execute(
            "SELECT batch FROM ledger.open_batch('visit', %s, '{0}', 'prompt', %s::smallint)",
            (int(ccd_visit["visitId"][0]), number),
        )
        batch = cursor.fetchone()[0]
        stage(connection, DD["CcdVisit"], ccd_visit, number)
        stage(connection, DD["DIASource"], sources, number)
        if forced_for is not None:
            forced = {
                name: ccd_visit[name] for name in ("ccdVisitId", "visitId", "detector")
            } | {
                "diaForcedSourceId": ids.source_ids(
                    1, int(ccd_visit["ccdVisitId"][0]), np.array([1])
                ),
                "diaObjectId": np.array([forced_for]), "midPointTai": ccd_visit["midPointTai"],
                "ra": np.array([RA]), "decl": np.array([DECL]), "templateId": np.array([7]),
                "flags": np.array([0]), "psFlux": np.array([-12.0]),
                "psFluxErr": np.array([40.0]), "totFlux": np.array([3000.0]),
                "totFluxErr": np.array([50.0]),
            }  # fmt: skip
            stage(connection, DD["DIAForcedSource"], forced, number)
        cursor.execute("SELECT staging.validate(%s::smallint, %s)", (number, batch))
        for step in ("associate", "characterize", "nearby", "characterize_fluxes"):
            cursor.execute(f"SELECT staging.{step}(%s::smallint)", (number,))
        cursor.execute("SELECT ledger.publish(%s)", (batch,))
        epoch: datetime = cursor.fetchone()[0]
        connection.commit()
    return epoch


def _known_before(connection: Any, folder: Path) -> None:
    """Load a star and a galaxy near the objects as dr0, and tell of the detector."""
    path = folder / "reference.csv"
    path.write_text(f"ra,decl,ext\n{RA + 1e-5},{DECL},0\n{RA + 1e-3},{DECL},1\n", encoding="utf-8")
    names = {"ra": "ra", "decl": "decl", "extendedness": "ext"}
    mapping = {
        field: catalogue.Source(column, None, catalogue.FIELDS[field][0])
        for field, column in names.items()
    }
    reference.load(connection, [path], mapping)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger.detector (instrument, detector, name, nx, ny, pixelscale) "
            "VALUES ('simulated', 0, 'simulated 0', 1080, 1080, 0.2)"
        )
    connection.commit()


@pytest.fixture(scope="module")
def archive(
    server: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Archive]:
    name = f"examples_{uuid.uuid4().hex[:12]}"
    master = psycopg2.connect(server.dsn("postgres"))
    master.autocommit = True
    with master.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    connection = psycopg2.connect(server.dsn(name))
    with connection.cursor() as cursor:
        made_by = provenance.record(cursor, "prompt", "simulated", {})
        connection.commit()
    _known_before(connection, tmp_path_factory.mktemp("reference"))
    first = _publish(connection, 0, made_by, None)
    with connection.cursor() as cursor:
        cursor.execute("SELECT diaobjectid FROM prompt_live.diaobject")
        ((object_id,),) = cursor.fetchall()
    _publish(connection, 1, made_by, None)
    _publish(connection, 2, made_by, object_id)
    _publish(connection, 3, made_by, None)
    with connection.cursor() as cursor:  # what operators look for
        cursor.execute("UPDATE ledger.delivery SET state = 'failed', reason = 'no stars' "
                       "WHERE visitid = (SELECT max(visitid) FROM ledger.delivery)")  # fmt: skip
        cursor.execute("INSERT INTO ledger.refusedfile VALUES ('raw/1-0.fits', 'simulated', "
                       "'is cut off', science.tai_now())")  # fmt: skip
        cursor.execute("INSERT INTO ledger.rejected VALUES (1, 1, 'DIASource', 'ra = 400'"
                       ", '{}', science.tai_now())")  # fmt: skip
    connection.commit()
    yield Archive(connection, first, object_id)
    connection.close()
    with master.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    master.close()


def test_there_are_examples() -> None:
    assert len(blocks("sql")) > 15
    assert len(blocks("postgresql")) > 3


@pytest.mark.requirement("GEN-01")
@pytest.mark.parametrize("text", blocks("sql"))
def test_examples_of_queries_find_something(archive: Archive, text: str) -> None:
    answer = run(archive.connection, archive.real(text), VirtualDatabase("prompt"))
    assert answer.rows, text
    # A column that is empty throughout says that the example shows nothing, unless it may be so.
    may_be_empty = {"photoCalibRelErr", "photoCalibAbsErr", "pviPath", "differencePath", "trail",
                    "dipole", "gitRevision"}  # fmt: skip
    empty = {
        column.name
        for index, column in enumerate(answer.columns)
        if all(row[index] is None for row in answer.rows)
    }
    assert empty <= {name.lower() for name in may_be_empty} | may_be_empty


@pytest.mark.requirement("GEN-20", "GEN-21")
@pytest.mark.parametrize("text", blocks("postgresql"))
def test_examples_for_psql_run(archive: Archive, text: str) -> None:
    connection = archive.connection
    try:
        with connection.cursor() as cursor:
            for statement in archive.real(text).split(";\n"):
                if statement.strip():
                    cursor.execute(statement)
                    if cursor.description is not None:
                        assert cursor.fetchall(), statement
    finally:
        connection.rollback()


@pytest.mark.parametrize("text", blocks("python"))
def test_examples_in_python_are_python(text: str) -> None:
    compile(textwrap.dedent(text), "the page", "exec")


def test_the_first_query_in_python_runs(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (REPOSITORY / "docs/start/first-queries.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    monkeypatch.setenv("SKYLEDGER_DATABASE_URL", archive.connection.dsn)
    names: dict[str, Any] = {}
    exec(program, names)  # noqa: S102 - our own page
    printed = capsys.readouterr().out.splitlines()
    assert datetime.fromisoformat(printed[0]) >= archive.first_epoch
    assert printed[1].split() == ["diaObjectId", "ra", "dec"]
    assert printed[4].split()[:2] == [str(archive.object_id), str(RA)]


@pytest.mark.parametrize("text", blocks("toml"))
def test_examples_of_instruments_are_valid(text: str) -> None:
    described = instrument.parse(text, "the page")
    assert described.keywords is not None
    assert described.defects
