"""Process a data set: template season first, then every visit in the order of its time.

At the end new objects are looked for on the images of the days before (:mod:`ingest.precovery`),
and images that are of no more use are removed (:mod:`ingest.image_cache`).

Frames are measured by worker processes, visits are published one after the other by the parent,
so that each visit sees the objects of those before it.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import psycopg2

from ingest import image_cache, masters, measure, precovery, templates
from ingest.measure import Job, Measured
from ingest.publish import Published, publish_visit
from ingest.workers import at_once, lost, worker_pool
from processing import instrument as instruments
from processing import spuriousness
from processing.instrument import Instrument
from processing.reader import Frame, scan
from skyledger import provenance
from skyledger.errors import DatabaseError, DataRejectedError

Progress = Callable[[str, int, int], None]  # what, done, of how many
_LOST = (
    "a worker process was killed (out of memory?), and with it the visits in work; "
    "run the same command again, with fewer --workers"
)


@dataclass
class Outcome:
    """What became of a data set."""

    visits: list[Published] = field(default_factory=list)
    templates: list[dict[str, Any]] = field(default_factory=list)
    refused: list[tuple[Path, str]] = field(default_factory=list)  # unreadable files
    certified: masters.Outcome = field(default_factory=masters.Outcome)
    without_template: list[tuple[str, str]] = field(default_factory=list)  # (band, reason)
    precovered: precovery.Precovered = field(default_factory=precovery.Precovered)
    evicted: image_cache.Usage = field(default_factory=lambda: image_cache.Usage(0, 0))
    bugs: int = 0

    @property
    def failures(self) -> list[tuple[int, int, str]]:
        """(visitId, detector, reason) of every detector that could not be published."""
        return [(v.visit_id, d, reason) for v in self.visits for d, reason in v.failures]


def _by_visit(jobs: Sequence[Job]) -> list[list[Job]]:
    return [list(group) for _, group in groupby(jobs, key=lambda j: j.frame.visit.visit_id)]


class _Night:
    """One run over a data set."""

    def __init__(
        self, connection: Any, directory: Path, used: Instrument, run: str, workers: int
    ) -> None:
        self.connection, self.directory, self.used, self.run = connection, directory, used, run
        self.workers = workers
        self.outcome = Outcome()
        self.masters: list[masters.Certified] = []
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM ledger.subthresholdrule WHERE isinforce)")
            self.below_threshold = cursor.fetchone()[0]
            self.provenance = provenance.record(
                cursor,
                "prompt",
                used.name,
                {
                    "instrument": used.model_dump(mode="json"),
                    "spuriousness": spuriousness.shipped().version,
                },
            )
        connection.commit()

    def job(self, frame: Frame, found: tuple[templates.Registered, ...] = ()) -> Job:
        """Make the job of a frame, with its masters and the templates that may serve it."""
        path = refused = None
        if self.used.reader is None:
            try:
                path = masters.choose(self.masters, frame.visit).path
            except DataRejectedError as error:
                refused = " ".join([str(error), *(why for _, why in self.outcome.certified.failed)])
        return Job(
            frame, self.directory, self.used.name, found, self.below_threshold, path, refused
        )

    def certify_masters(self, pool: Executor, progress: Progress) -> None:
        """Make masters of new calibration frames; all that are certified can be used then."""
        self.outcome.certified = masters.certify(
            self.connection, pool, self.directory, self.used, self.provenance, progress=progress
        )
        with self.connection.cursor() as cursor:
            self.masters = masters.current(cursor, self.used.name)
        self.connection.commit()

    def published_before(self, frames: Sequence[Frame]) -> set[tuple[int, int]]:
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT visitid, detector FROM ledger.delivery "
                "WHERE run = %s AND state = 'published' AND visitid = ANY(%s)",
                (self.run, [f.visit.visit_id for f in frames]),
            )
            found = set(cursor.fetchall())
        self.connection.commit()
        return found

    def _measured(
        self, pool: Executor, visits: Sequence[Sequence[Job]]
    ) -> Iterator[list[Measured]]:
        """Measure visits ahead of their publication, but not more than the workers can hold."""
        waiting: deque[list[tuple[Job, Future[Measured]]]] = deque()
        todo = iter(visits)
        killed: BaseException | None = None

        def hand_over() -> None:
            jobs = next(todo, None)
            if jobs is not None:
                waiting.append([(job, pool.submit(measure.measure, job)) for job in jobs])

        for _ in range(self.workers + 1):
            hand_over()
        while waiting:
            found = []
            for job, future in waiting.popleft():
                try:
                    found.append(future.result())
                except lost() as error:
                    killed = error
                    found.append(Measured(job.frame, reason=_LOST))
            yield found
            if killed is None:
                hand_over()
        if killed is not None:
            raise killed

    def publish(
        self,
        pool: Executor,
        visits: Sequence[Sequence[Job]],
        what: str,
        progress: Progress,
    ) -> None:
        if visits:
            progress(what, 0, len(visits))
        for done, found in enumerate(self._measured(pool, visits), start=1):
            self.outcome.bugs += sum(one.bug for one in found)
            self.outcome.visits.append(
                publish_visit(self.connection, found, self.run, self.provenance, measure.force)
            )
            progress(what, done, len(visits))

    def make_templates(self, pool: Executor, progress: Progress) -> None:
        """Build the templates of calibrated visits that are not there yet."""
        waiting = []
        with self.connection.cursor() as cursor:
            for band in sorted({f.band for f in self.used.filters.values()}):
                inputs = templates.sources(cursor, self.used.name, band)
                cursor.execute(
                    "SELECT inputccdvisitids FROM prompt_store.template "
                    "WHERE instrument = %s AND band = %s",
                    (self.used.name, band),
                )
                known = {tuple(row[0]) for row in cursor.fetchall()}
                for group in templates.groups(inputs, self.used.template):
                    if tuple(s.ccd_visit_id for s in group) in known:
                        continue
                    number = templates.new_id(cursor, group[0].ra, group[0].decl)
                    path = templates.target(self.used.name, number)
                    future = pool.submit(measure.combine, [s.path for s in group], path)
                    waiting.append((band, number, path, future))
        self.connection.commit()
        if waiting:
            progress("templates", 0, len(waiting))
        for done, (band, number, path, future) in enumerate(waiting, start=1):
            try:
                row = {**future.result(), "templateId": number, "path": path}
                self.outcome.templates.append(row)
            except DataRejectedError as error:
                self.outcome.without_template.append((band, str(error)))
            progress("templates", done, len(waiting))
        if self.outcome.templates:
            templates.register(self.connection, self.outcome.templates, self.run, self.provenance)

    def survey_jobs(self, frames: Sequence[Frame]) -> list[list[Job]]:
        """Jobs of the survey visits, each detector with its template."""
        with self.connection.cursor() as cursor:
            found = {
                band: templates.of_band(cursor, self.used.name, band)
                for band in {frame.visit.band for frame in frames}
            }
        jobs = [self.job(frame, found[frame.visit.band]) for frame in frames]
        self.connection.commit()
        return _by_visit(jobs)

    def refuse(self, frames: Sequence[Frame], problems: Sequence[tuple[Path, str]]) -> None:
        """Keep the files that could not be read, with their reason; forget those that now can."""
        self.outcome.refused = list(problems)
        with self.connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM ledger.refusedfile WHERE path = ANY(%s)",
                ([str(path) for frame in frames for path in frame.paths],),
            )
            for path, reason in problems:
                cursor.execute(
                    "INSERT INTO ledger.refusedfile (path, instrument, reason, refusedtai) "
                    "VALUES (%s, %s, %s, science.tai_now()) ON CONFLICT (path) DO UPDATE SET "
                    "instrument = excluded.instrument, reason = excluded.reason, "
                    "refusedtai = excluded.refusedtai",
                    (str(path), self.used.name, reason),
                )
        self.connection.commit()


def process_directory(
    connection: Any,
    directory: Path,
    instrument: str,
    *,
    run: str = "prompt",
    workers: int = 2,
    scheduler: str | None = None,
    progress: Progress = lambda _what, _done, _total: None,
) -> Outcome:
    """Process and publish everything in a data set that this run has not published yet.

    Parameters
    ----------
    connection
        psycopg2 connection of the owner; its transactions are begun and ended here.
    directory
        The data set (``docs/reference/dataset.md``).
    instrument
        Name of an instrument file.
    run
        Pipeline run; with visit and detector the token that makes a repetition a no-op.
    workers
        Number of worker processes.
    scheduler
        Address of a Dask scheduler whose workers are used instead.
    progress
        Called with a stage, the number done and the total.

    Raises
    ------
    DataRejectedError
        If there is nothing in the folder that could be processed, or a worker was killed.
    DatabaseError
        If the database failed meanwhile; the visit on its way can be published again.
    """
    used = instruments.load(instrument)
    directory = directory.resolve()
    frames, problems = scan(directory, used)
    night = _Night(connection, directory, used, run, workers)
    night.refuse(frames, problems)
    before = night.published_before(frames)
    todo = [f for f in frames if (f.visit.visit_id, f.visit.detector) not in before]
    for visit_id in sorted({f.visit.visit_id for f in frames} - {f.visit.visit_id for f in todo}):
        detectors = [f.visit.detector for f in frames if f.visit.visit_id == visit_id]
        night.outcome.visits.append(Published(visit_id, skipped=detectors))
    try:
        with worker_pool(workers, scheduler) as pool:
            night.workers = at_once(pool, workers)
            night.certify_masters(pool, progress)
            season = [night.job(f) for f in todo if f.visit.is_template]
            night.publish(pool, _by_visit(season), "template visits", progress)
            night.make_templates(pool, progress)
            survey = night.survey_jobs([f for f in todo if not f.visit.is_template])
            night.publish(pool, survey, "visits", progress)
            night.outcome.precovered = precovery.precover(
                connection, pool, run=run, progress=progress
            )
        night.outcome.evicted = image_cache.evict(connection)
    except lost() as error:
        raise DataRejectedError(f"{_LOST}. What was published before is safe") from error
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        reason = " ".join(str(error).split())
        raise DatabaseError(
            f"the database failed during publication: {reason}. What was published before is "
            f"safe, nothing half-done is visible; when `skyledger db check` is content, run the "
            f"same command again"
        ) from error
    return night.outcome
