"""The results of a simulated survey against its truth: the figures of image processing.

Truth is what the simulator wrote (docs/reference/truth.md); results are what the archive has
published.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from ingest.judge_images import calibration, cosmics
from ingest.judge_sources import changes, forced_fluxes, sources
from ingest.judge_upsets import upsets
from ingest.verdict import Columns, Verdict
from skyledger import answers
from skyledger.errors import DataRejectedError
from skyledger.virtual import VirtualDatabase


def read_truth(folder: Path) -> dict[str, Columns]:
    """Read the tables of a truth folder that are needed here.

    Raises
    ------
    DataRejectedError
        If it is not the truth of a simulated survey.
    """
    found = {}
    for name in ("sources", "visits", "objects"):
        path = folder / f"{name}.parquet"
        try:
            table = pq.read_table(path)
        except (OSError, ValueError) as error:
            raise DataRejectedError(
                f"{folder} is not the truth of a simulated survey: {path.name} cannot be read "
                f"({error}); give the folder that `skyledger simulate` wrote beside its data set"
            ) from error
        found[name] = {key: np.array(values) for key, values in table.to_pydict().items()}
    return found


def _ask(connection: Any, database: VirtualDatabase, query: str) -> Columns:
    """Answer of a query as columns by lower-case name; NULL becomes NaN."""
    answer = answers.run(connection, query, database)
    columns = list(zip(*answer.rows, strict=True)) if answer.rows else [()] * len(answer.columns)
    found: Columns = {}
    for described, values in zip(answer.columns, columns, strict=True):
        listed = [np.nan if v is None else v for v in values]
        text = any(isinstance(v, str) for v in listed)
        found[described.name.lower()] = np.array(listed, dtype=object if text else None)
    return found


_SOURCES = """
SELECT s.diaSourceId, s.diaObjectId, s.visitId, s.detector, s.ra, s.decl, s.x, s.y, s.raErr,
  s.declErr, s.psFlux, s.psFluxErr, s.psRa, s.psDecl, s.psChi2, s.psNdata, s.snr, s.spuriousness,
  s.flags, s.trailFlux, s.trailLength, s.trailAngle, s.trailCov[1] AS trailFluxVar,
  s.trailCov[10] AS trailLengthVar, s.trailCov[15] AS trailAngleVar, s.dipMeanFlux, s.dipLength,
  s.dipAngle, s.dipCov[1] AS dipFluxVar, s.dipCov[15] AS dipLengthVar,
  s.dipCov[11] AS dipFluxLengthCov
FROM DIASource AS s
"""
_VISITS = """
SELECT c.ccdVisitId, c.visitId, c.detector, c.zeroPoint, c.photoCalibRelErr, c.seeing,
  c.psfResidual, c.wcsHeader, c.astromSysRaErr, c.astromSysDeclErr, c.usableFraction,
  c.diffNoise, c.scoreSd, c.pviPath, c.templateId, c.exposureTime
FROM CcdVisit AS c
"""
_FORCED = """
SELECT f.diaObjectId, f.visitId, f.detector, f.ra, f.decl, f.psFlux, f.psFluxErr, f.flags
FROM DIAForcedSource AS f WHERE f.psFlux IS NOT NULL
"""


_OWN_TEMPLATES = """
SELECT EXISTS (SELECT FROM prompt_store.template AS t WHERE NOT EXISTS (
  SELECT FROM prompt_store.ccdvisit AS c JOIN prompt_store.visit AS v USING (visitid)
  WHERE c.ccdvisitid = ANY (t.inputccdvisitids) AND v.programid <> 'special'))
"""
# Steps of the survey, and what is there if they were taken.
_STEPS = (
    (
        "Sources measured on visit images",
        "SELECT EXISTS (SELECT FROM prompt_store.ccdvisit WHERE sourcepath IS NOT NULL)",
    ),
    ("templates of the special programme's own, and its nightly coadds", _OWN_TEMPLATES),
    (
        "orbits of known asteroids, and the re-link after their fit",
        "SELECT EXISTS (SELECT FROM prompt_store.ssobject)",
    ),
    ("moving objects linked over nights", "SELECT EXISTS (SELECT FROM prompt_store.sssource)"),
    ("light-curve features", "SELECT EXISTS (SELECT FROM prompt_store.diaobjectfeatures)"),
    ("alerts and filters", "SELECT to_regclass('ledger.alert') IS NOT NULL"),
    (
        "data releases of its own",
        "SELECT EXISTS (SELECT FROM ledger.database WHERE kind = 'release' AND name <> 'dr0')",
    ),
    (
        "precovery on request",
        "SELECT EXISTS (SELECT FROM ledger.batch WHERE kind = 'precovery request')",
    ),
    (
        "catalogue detectors without pixels",
        "SELECT EXISTS (SELECT FROM ledger.detector WHERE detector >= 4)",
    ),
)


def judge(connection: Any, truth_folder: Path, database: VirtualDatabase) -> Verdict:
    """Compare what is published of a simulated survey with its truth.

    Parameters
    ----------
    connection
        psycopg2 connection; its transactions are begun and ended here.
    truth_folder
        The truth of the survey.
    database
        Which results, and as of which instant.

    Raises
    ------
    DataRejectedError
        If the folder is no truth, or none of its visits is in the database.
    """
    truth = read_truth(truth_folder)
    frames = _ask(connection, database, _VISITS)
    known = np.isin(truth["visits"]["visitId"], frames["visitid"])
    if not known.any():
        raise DataRejectedError(
            f"{database} holds none of the {len(known)} visits of {truth_folder}; process the data "
            f"set of that survey first"
        )
    planned = truth["visits"]
    truth["visits"] = {k: v[known] for k, v in truth["visits"].items()}
    there = np.isin(truth["sources"]["visitId"], truth["visits"]["visitId"])
    truth["sources"] = {k: v[there] for k, v in truth["sources"].items()}
    change = changes(truth)
    verdict = Verdict()
    sources(verdict, _ask(connection, database, _SOURCES), change)
    forced_fluxes(verdict, _ask(connection, database, _FORCED), change)
    calibration(verdict, frames, truth)
    cosmics(verdict, frames, truth_folder)
    with connection.cursor() as cursor:
        upsets(cursor, verdict, frames, planned)
        for step, question in _STEPS:
            cursor.execute(question)
            if not cursor.fetchone()[0]:
                verdict.missing.append(step)
        cursor.execute("SELECT count(*) FROM ledger.precovery_due()")
        verdict.add("precovery.waiting", cursor.fetchone()[0], None, 0)
    connection.rollback()
    return verdict
