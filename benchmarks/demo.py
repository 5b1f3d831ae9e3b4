"""How long the demo takes, stage by stage: simulation, calibration, templates, visits, question.

Runs the whole demo with a database of its own; seconds of wall time, and of CPU where the stage
runs in this process and its children.
"""

import json
import os
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2

from ingest.run import process_directory
from simulate.survey import simulate
from skyledger import answers
from skyledger.database import schema
from skyledger.database.cluster import Cluster, temporary_home
from skyledger.virtual import VirtualDatabase


def _cpu() -> float:
    """CPU seconds of this process and of those of its children that have ended."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def timed(stage: str, work: Callable[[], Any]) -> Any:
    """Run a stage and print its figure."""
    wall, cpu = time.perf_counter(), _cpu()
    result = work()
    print(
        json.dumps(
            {
                "name": f"demo.{stage}",
                "value": round(time.perf_counter() - wall, 2),
                "unit": "s",
                "cpu": round(_cpu() - cpu, 2),
            }
        ),
        flush=True,
    )
    return result


def main() -> None:
    """Run the demo's nights with a throw-away database and print the seconds of each stage."""
    home = temporary_home()
    os.environ["SKYLEDGER_HOME"] = str(home)
    cluster = Cluster(home)
    data, truth = Path(home) / "demo" / "data", Path(home) / "demo" / "truth"
    try:
        timed("server", cluster.start)
        connection = psycopg2.connect(cluster.dsn("postgres"))
        timed("schema", lambda: schema.upgrade(connection))
        for night in range(4):
            timed(f"simulate{night}", lambda n=night: simulate(data, truth, "demo", 1, nights=[n]))
            outcome = timed(
                f"process{night}",
                lambda: process_directory(connection, data, "simulated", workers=os.cpu_count()),
            )
            if outcome.failures or outcome.bugs:
                raise SystemExit(f"visits failed: {outcome.failures}")
        timed(
            "question",
            lambda: answers.run(
                connection, "SELECT count(*) FROM DIASource", VirtualDatabase("prompt")
            ),
        )
        connection.close()
    finally:
        cluster.destroy()
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
