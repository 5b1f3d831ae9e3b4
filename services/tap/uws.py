"""UWS 1.1 documents: a job, a list of jobs, its parameters and results."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.tap import xml
from services.tap.jobs import Job

_HREF = xml.qualified_attribute("xlink:href")
_TYPE = xml.qualified_attribute("xlink:type")


def time(instant: datetime | None) -> str | None:
    """Write an instant [UTC] as UWS wants it."""
    return None if instant is None else f"{instant.isoformat(timespec='milliseconds')}Z"


def _link(parent: Any, name: str, address: str, given: Mapping[str, str]) -> Any:
    return xml.add(parent, name, None, {_TYPE: "simple", _HREF: address, **given})


def shown(parameters: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Parameters of a job as they were given, one pair a value."""
    return [(name, value) for name, values in parameters.items() for value in values]


def _parameters(parent: Any, job: Job) -> None:
    element = xml.add(parent, "uws:parameters")
    for name, value in shown(job.parameters):
        xml.add(element, "uws:parameter", value, {"id": name})


def _results(parent: Any, job: Job, address: str) -> None:
    element = xml.add(parent, "uws:results")
    if job.phase == "COMPLETED":
        size = {"size": str(job.size)}
        attributes = {"id": "result", "mime-type": job.media_type or "", **size}
        _link(element, "uws:result", f"{address}/results/result", attributes)


def _error(parent: Any, job: Job) -> None:
    if job.phase == "ERROR":
        element = xml.add(parent, "uws:errorSummary", None, {"type": "fatal", "hasDetail": "true"})
        xml.add(element, "uws:message", job.message or "no reason is known")


def job_document(job: Job, address: str) -> bytes:
    """Write a job; ``address`` is where it lies."""
    root = xml.root("uws:job", version="1.1")
    xml.add(root, "uws:jobId", job.job_id)
    if job.run_id:
        xml.add(root, "uws:runId", job.run_id)
    xml.add(root, "uws:ownerId", job.owner, nil=True)
    xml.add(root, "uws:phase", job.phase)
    # Nobody can say how long a query will take: the standard's word for that is nil.
    xml.add(root, "uws:quote", nil=True)
    xml.add(root, "uws:creationTime", time(job.created))
    xml.add(root, "uws:startTime", time(job.started), nil=True)
    xml.add(root, "uws:endTime", time(job.ended), nil=True)
    xml.add(root, "uws:executionDuration", job.execution_seconds)
    xml.add(root, "uws:destruction", time(job.destruction), nil=True)
    _parameters(root, job)
    _results(root, job, address)
    _error(root, job)
    information = xml.add(root, "uws:jobInfo")
    xml.add(information, "database", job.database)
    for name, value in (
        ("asof", job.instant.isoformat() if job.instant else None),
        ("rows", job.rows),
        ("overflow", None if job.truncated is None else str(job.truncated).lower()),
    ):
        if value is not None:
            xml.add(information, name, value)
    return xml.document(root)


def list_document(jobs: Sequence[Job], address: str) -> bytes:
    """Write a list of jobs; ``address`` is where the list lies."""
    root = xml.root("uws:jobs", version="1.1")
    for job in jobs:
        element = _link(root, "uws:jobref", f"{address}/{job.job_id}", {"id": job.job_id})
        xml.add(element, "uws:phase", job.phase)
        if job.run_id:
            xml.add(element, "uws:runId", job.run_id)
        if job.owner:
            xml.add(element, "uws:ownerId", job.owner)
        xml.add(element, "uws:creationTime", time(job.created))
    return xml.document(root)


def parameters_document(job: Job) -> bytes:
    """Write the parameters of a job."""
    root = xml.root("uws:parameters")
    for name, value in shown(job.parameters):
        xml.add(root, "uws:parameter", value, {"id": name})
    return xml.document(root)


def results_document(job: Job, address: str) -> bytes:
    """Write where the results of a job are."""
    whole = xml.root("uws:job")
    _results(whole, job, address)
    return xml.document(whole[0])
