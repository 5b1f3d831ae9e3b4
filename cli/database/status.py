"""``skyledger db status`` and ``heartbeat``: how the database is, and what keeps it so."""

import json
import signal
import threading
from typing import Annotated, Any

import typer

from cli.common import archive
from ingest import image_cache
from skyledger import settings
from skyledger.database import backup, connection, heartbeat, schema
from skyledger.database import status as figures
from skyledger.database.cluster import Cluster
from skyledger.errors import DatabaseError

app = typer.Typer()


def _server() -> tuple[dict[str, Any], list[str]]:
    """State of the server, and lines that show it."""
    configured = settings.read()
    if configured.external is not None:
        source = configured.external_source
        return {"state": "running", "server": source}, [f"database named by {source}: running"]
    cluster = Cluster(configured.home)
    found = cluster.status()
    lines = [f"database in {found.home}: {found.state}"]
    if found.pid:
        lines.append(f"  process  {found.pid}")
        lines.append(f"  connect  psql -h '{found.socket}' -p {found.port} -U skyledger skyledger")
    if found.state != "absent":
        lines.append(f"  log      {found.log}")
    archive = cluster.archive
    bases = backup.bases(archive.parent) if archive else []
    if archive:
        newest = f"newest of {bases[-1].finished.isoformat()} (TAI)" if bases else "not finished"
        lines.append(f"  backups  {len(bases)} in {archive.parent}, {newest}")
    kept = {"archive": str(archive) if archive else None, "backups": [b.as_dict() for b in bases]}
    return {**found.as_dict(), **kept}, lines


def _lines(found: list[figures.Figure]) -> list[str]:
    sizes = sorted((f for f in found if f.topic == "size"), key=lambda f: -(f.value or 0))
    rest = [f for f in found if f.topic not in {"size", "dead rows"} or f.ok is False]
    total = sum(f.value or 0 for f in sizes)
    shown = [(f"{f.topic} {f.item}", f) for f in rest]
    shown += [(f"size {f.item}", f) for f in sizes[:5]]
    lines = [
        f"{'!' if f.ok is False else ' '} {name:38s} {f.shown:>12s}  {f.note or ''}".rstrip()
        for name, f in shown
    ]
    return [*lines, f"  {'size of all tables':38s} {total / 1e6:>9.1f} MB"]


def _images(used: dict[str, image_cache.Usage]) -> str:
    return ", ".join(f"{u.files} {kind} {u.size / 1e6:.0f} MB" for kind, u in used.items())


@app.command()
def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say whether the server runs and how the database is: what needs attention is marked !."""
    said, lines = _server()
    found: list[figures.Figure] = []
    warnings = []
    if said["state"] == "running":
        opened = connection.connect()
        try:
            schema.check(opened)
            found = figures.read(opened)
        except DatabaseError as error:  # of another version: the server's state is told still
            warnings.append(str(error))
            lines.append(f"! schema   {error}")
        finally:
            opened.close()
    warnings += [f.warning for f in found if f.warning]
    used = image_cache.usage()
    lines.append(f"  images   {_images(used)}, kept {settings.read().image_days:g} d")
    if as_json:
        topics: dict[str, dict[str, Any]] = {}
        for f in found:
            rest = {"value": f.value, "unit": f.unit, "bound": f.bound, "ok": f.ok, "note": f.note}
            topics.setdefault(f.topic, {})[f.item] = rest
        images = {kind: {"files": u.files, "bytes": u.size} for kind, u in used.items()}
        said |= {"images": {**images, "keptDays": settings.read().image_days}}
        print(json.dumps({**said, "ledger": topics, "warnings": warnings}))
        return
    print("\n".join([*lines, *(_lines(found) if found else [])]))


@app.command(name="heartbeat")
def beat() -> None:
    """Keep the horizon young and partitions three months ahead, until interrupted."""
    with archive():
        pass
    stop = threading.Event()
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, lambda *_: stop.set())
    heartbeat.run(stop)
