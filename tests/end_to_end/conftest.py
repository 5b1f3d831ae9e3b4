"""A simulated survey, processed once a test process; one of its visits comes late."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import psycopg2
import pyarrow.parquet as pq
import pytest

from ingest.run import process_directory
from simulate.survey import simulate
from skyledger import dictionary

SEED = 7
LIVING = [relation.sql_name for relation in dictionary.shipped().of_kind("living")]


def command(*words, environment, seconds=120, **options):
    """Run the real command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *map(str, words)],
        check=False,
        capture_output=True,
        text=options.pop("text", True),
        timeout=seconds,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "OMP_NUM_THREADS": "1"} | environment,
        **options,
    )


@pytest.fixture(scope="session")
def skyledger():
    """Runs the command line in a process of its own: words, then ``environment``."""
    return command


def fingerprints(connection, instant):
    """Number of rows and a checksum over all columns of every living relation, as of an instant."""
    found = {}
    with connection.cursor() as cursor:
        for name in LIVING:
            cursor.execute(
                "SELECT count(*), md5(coalesce(string_agg(h, '' ORDER BY h), '')) "
                f"FROM (SELECT md5(t::text) AS h FROM prompt_at.{name}(%s) AS t) AS hashed",
                (instant,),
            )
            found[name] = cursor.fetchone()
    connection.rollback()
    return found


@dataclass
class Survey:
    """A processed survey: its data, its truth, and what the database said while it grew."""

    data: Path
    truth: Path
    home: Path
    dsn: str
    late: int  # visitId of the visit that arrived after all others
    runs: list = field(default_factory=list)  # outcome of each run
    answers: list = field(default_factory=list)  # (epoch, fingerprints) after each publication

    @staticmethod
    def fingerprints(connection, instant):
        return fingerprints(connection, instant)

    @property
    def environment(self):
        return {"SKYLEDGER_DATABASE_URL": self.dsn, "SKYLEDGER_HOME": str(self.home)}

    def connect(self):
        return psycopg2.connect(self.dsn)

    def all(self, statement, *values):
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall()
        finally:
            connection.close()

    def columns(self, statement, *values):
        """Scalar columns as arrays by name; NULL numbers become NaN."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                names = [d.name for d in cursor.description]
                rows = cursor.fetchall()
        finally:
            connection.close()
        found = {}
        for k, name in enumerate(names):
            listed = [row[k] for row in rows]
            if any(isinstance(v, list) for v in listed):
                continue
            found[name] = np.array([np.nan if v is None else v for v in listed])
        return found

    def true(self, name):
        """Table of the truth as arrays by column name."""
        columns = pq.read_table(self.truth / f"{name}.parquet").to_pydict()
        return {key: np.array(values) for key, values in columns.items()}

    @cached_property
    def outcome(self):
        """Every visit that was published, in the order of publication."""
        return [visit for run in self.runs for visit in run.visits if visit.epoch is not None]

    def process(self, directory):
        """Process a folder, recording after each publication what the database says."""
        connection, observer = self.connect(), self.connect()

        def watch(what, done, total):
            with observer.cursor() as cursor:
                cursor.execute("SELECT ledger.horizon()")
                epoch = cursor.fetchone()[0]
            observer.rollback()
            if done and epoch not in [known for known, _ in self.answers]:
                self.answers.append((epoch, fingerprints(observer, epoch)))

        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(os.environ, "SKYLEDGER_HOME", str(self.home))
            try:
                self.runs.append(
                    process_directory(connection, directory, "simulated", progress=watch)
                )
            finally:
                connection.close()
                observer.close()


def folder_of(data, folder, keep):
    """Data set with the frames of another that ``keep`` (of the path) chooses."""
    (folder / "raw").mkdir(parents=True)
    for name in ("calibration", "reference.parquet"):
        (folder / name).symlink_to(data / name)
    for path in sorted((data / "raw").glob("*.fits")):
        if keep(path):
            (folder / "raw" / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """Folder with ``data`` and ``truth`` of the smallest simulated survey."""
    folder = tmp_path_factory.mktemp("a survey")
    simulate(folder / "data", folder / "truth", "smoke", SEED)
    return folder


@pytest.fixture(scope="session")
def survey(simulated, server, template, tmp_path_factory):
    connection = psycopg2.connect(server.dsn("postgres"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE survey TEMPLATE {template}")
    connection.close()
    home = tmp_path_factory.mktemp("home of the survey")
    made = Survey(simulated / "data", simulated / "truth", home, server.dsn("survey"), 0)
    visits = made.true("visits")
    # The first visit of the second night comes a night late.
    made.late = int(visits["visitId"][visits["night"] == 2].min())
    early = folder_of(
        made.data, home / "without the late visit", lambda p: not p.stem.startswith(str(made.late))
    )
    made.process(early)
    made.process(made.data)
    yield made
    shutil.rmtree(home)
