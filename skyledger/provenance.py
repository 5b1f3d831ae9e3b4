"""Provenance: which software, configuration and inputs made a row (DPDD section 3; REPROC-01)."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from skyledger import __version__


def git_revision() -> str | None:
    """Revision of the checkout this software runs from; None when it is installed."""
    here = Path(__file__).resolve().parent.parent
    if not (here / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def identifier(content: dict[str, Any]) -> int:
    """63-bit id of a provenance record: the same content always has the same id."""
    text = json.dumps(content, sort_keys=True, default=str)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def record(cursor: Any, pipeline: str, instrument: str, configuration: dict[str, Any]) -> int:
    """Store the provenance of a processing run and return its ``provenanceId``."""
    content = {
        "pipeline": pipeline,
        "softwareVersion": __version__,
        "gitRevision": git_revision(),
        "instrument": instrument,
        "configuration": configuration,
    }
    number = identifier(content)
    cursor.execute("SELECT version_num FROM ledger.schema_version")
    schema = cursor.fetchone()[0]
    cursor.execute(
        "INSERT INTO ledger.provenance (provenanceid, pipeline, softwareversion, gitrevision, "
        "schemaversion, instrument, configuration, inputs, createdtai) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, science.tai_now()) ON CONFLICT DO NOTHING",
        (
            number,
            pipeline,
            __version__,
            content["gitRevision"],
            schema,
            instrument,
            json.dumps(configuration, default=str),
            json.dumps({}),
        ),
    )
    return number
