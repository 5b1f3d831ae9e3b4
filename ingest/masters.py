"""Certified masters: made of the calibration frames of a data set, kept with their validity.

A file of masters belongs to a detector and a folder of frames; its rows are in ``ledger.master``.
If the frames of a folder change, new masters replace the old ones, which stay with their file. A
visit takes, of the masters that hold at its time and were not replaced, those of the latest frames.
DIA-07, RET-03.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest import measure
from processing import calibration_frames, masters
from processing.calibration_frames import Series
from processing.exposure import VisitInfo
from processing.instrument import Instrument
from processing.masters import Master
from skyledger import products
from skyledger.errors import DataRejectedError

_LOCK = 7541

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Certified:
    """A file of masters, and the times [MJD TAI] for which it holds."""

    path: str
    detector: int
    begin: float
    end: float


@dataclass
class Outcome:
    """Files that were made, and folders or detectors whose frames make no masters."""

    made: list[str] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)


def current(cursor: Any, instrument: str) -> list[Certified]:
    """Masters of an instrument that were not replaced; those to be preferred come first."""
    cursor.execute(
        "SELECT DISTINCT path, detector, validbegin, validend, version FROM ledger.master "
        "WHERE instrument = %s AND replacedtai IS NULL ORDER BY validend DESC, version DESC",
        (instrument,),
    )
    return [Certified(*row[:4]) for row in cursor.fetchall()]


def choose(held: Sequence[Certified], visit: VisitInfo) -> Certified:
    """Return the masters for a visit; raises DataRejectedError if none hold at its time."""
    mine = [one for one in held if one.detector == visit.detector]
    for one in mine:
        if one.begin <= visit.mid_tai < one.end:
            return one
    spans = ", ".join(sorted(f"MJD {one.begin:.1f} to {one.end:.1f}" for one in mine))
    raise DataRejectedError(
        f"visit {visit.visit_id} detector {visit.detector} of MJD {visit.mid_tai:.2f}: no "
        f"certified masters hold then; "
        f"{f'there are some for {spans}' if mine else 'the detector has none'}. "
        "Add calibration frames of its time to the data set, then run the same command again"
    )


@contextmanager
def _alone(connection: Any) -> Iterator[None]:
    """Wait until no other session certifies masters: two would give one version twice."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, 1)", (_LOCK,))
        connection.commit()
        try:
            yield
        finally:
            if not connection.closed:
                connection.rollback()
                cursor.execute("SELECT pg_advisory_unlock(%s, 1)", (_LOCK,))
                connection.commit()


def certify(
    connection: Any,
    pool: Executor,
    directory: Path,
    used: Instrument,
    provenance: int,
    *,
    again: bool = False,
    progress: Progress = lambda _what, _done, _total: None,
) -> Outcome:
    """Make the masters of a data set's calibration frames that are not certified yet.

    Parameters
    ----------
    connection
        psycopg2 connection of the owner, not in a transaction; commits.
    pool
        Workers that make them.
    directory
        The data set.
    used
        Its instrument.
    provenance
        ``provenanceId`` of the run.
    again
        Make a new version of masters, though the frames are the same.
    progress
        Called with a stage, the number done and the total.
    """
    done = Outcome()
    if used.reader is not None or not (directory / "calibration").is_dir():
        return done
    with _alone(connection):
        waiting: list[tuple[Series, int, dict[str, str], str, Future[list[Master]]]] = []
        for folder in calibration_frames.folders(directory):
            try:
                series = calibration_frames.read_series(folder, used)
            except DataRejectedError as error:
                done.failed.append((folder, str(error)))
                continue
            frames = masters.inputs(series)
            for detector in series.detectors:
                newest = _newest(connection, used.name, detector)
                if again or not _known(connection, used.name, detector, series, frames):
                    later = sum(detector == other[1] for other in waiting)
                    path = products.master_path(used.name, detector, newest + 1 + later)
                    future = pool.submit(
                        measure.make_masters, series, detector, used.name, frames, path
                    )
                    waiting.append((series, detector, frames, path, future))
        if waiting:
            progress("masters", 0, len(waiting))
        for count, (series, detector, frames, path, future) in enumerate(waiting, start=1):
            try:
                _register(connection, used.name, detector, series, frames, path, future.result(),
                          provenance)  # fmt: skip
                done.made.append(path)
            except DataRejectedError as error:
                done.failed.append((series.folder, str(error)))
            progress("masters", count, len(waiting))
    return done


def _newest(connection: Any, instrument: str, detector: int) -> int:
    """Return the latest version of a detector's masters, 0 if there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(max(version), 0) FROM ledger.master "
            "WHERE instrument = %s AND detector = %s",
            (instrument, detector),
        )
        return int(cursor.fetchone()[0])


def _known(
    connection: Any, instrument: str, detector: int, series: Series, frames: dict[str, str]
) -> bool:
    """Tell whether masters of these very frames, for these times, are in use."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT path, array_agg(DISTINCT frame) FROM ledger.master, unnest(inputs) AS frame "
            "WHERE instrument = %s AND detector = %s AND folder = %s AND replacedtai IS NULL "
            "AND validbegin = %s AND validend = %s GROUP BY path",
            (instrument, detector, str(series.folder.resolve()), series.begin, series.end),
        )
        wanted = set(_words(frames))
        return any(
            set(found) == wanted and (products.root() / path).is_file()
            for path, found in cursor.fetchall()
        )


def _words(frames: dict[str, str]) -> list[str]:
    return [f"{name} {digest}" for name, digest in frames.items()]


def _register(
    connection: Any,
    instrument: str,
    detector: int,
    series: Series,
    frames: dict[str, str],
    path: str,
    listed: list[Master],
    provenance: int,
) -> None:
    """Enter masters in the books, in place of those of the same folder."""
    folder = str(series.folder.resolve())
    version = int(Path(path).stem.rpartition("v")[2])
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger.master SET replacedtai = science.tai_now() WHERE instrument = %s "
            "AND detector = %s AND folder = %s AND replacedtai IS NULL",
            (instrument, detector, folder),
        )
        for master in listed:
            made_of = _words({name: frames[name] for name in master.inputs})
            cursor.execute(
                "INSERT INTO ledger.master (path, extension, instrument, detector, kind, band, "
                "version, validbegin, validend, folder, inputs, unit, mean, spread, certifiedtai, "
                "provenanceid) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, "
                "science.tai_now(), %s)",
                (path, master.extension, instrument, detector, master.kind, master.band or None,
                 version, series.begin, series.end, folder, made_of, master.unit or None,
                 master.mean, master.spread, provenance),
            )  # fmt: skip
    connection.commit()
