"""How fast measured rows reach the staging tables, against text COPY through psycopg2.

Both sides start from the same columns of a DIASource table (all columns, a tenth of the values of
nullable columns missing) and end with the rows in the same UNLOGGED staging table; client and
server work of both is counted. ``value`` is rows a second of wall time; ``ratio`` compares the CPU
seconds of client and server together, which other work on the machine hardly disturbs; ``wall``
is the same ratio in wall time.
"""

import io
import json
import os
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2

from ingest.staging import slot, stage
from skyledger import dictionary as dd
from skyledger.database import schema
from skyledger.database.cluster import Cluster, temporary_home

ROWS = 20_000
REPETITIONS = 5


def columns(relation: dd.Relation, n: int, rng: np.random.Generator) -> dict[str, Any]:
    """Columns of random values, masked where a nullable column misses a value."""
    found: dict[str, Any] = {}
    for column in relation.columns:
        size = int(np.prod(column.shape)) if column.shape else 1
        if column.type in {"bigint", "integer", "smallint"}:
            values: Any = rng.integers(0, 30000, n)
        elif column.type.endswith("[]"):
            values = rng.normal(0, 1, (n, size)).astype(np.float32)
        else:
            values = rng.normal(0, 1, n)
        mask = np.zeros(values.shape, dtype=bool)
        if column.nullable:
            mask[rng.random(n) < 0.1] = True
        found[column.name] = np.ma.MaskedArray(values, mask=mask)
    return found


def text(relation: dd.Relation, rows: dict[str, Any]) -> io.StringIO:
    """Format the same rows as COPY's text."""
    lists = []
    for column in relation.columns:
        values = rows[column.name]
        if column.type.endswith("[]"):
            lists.append(
                [
                    r"\N" if gone.all() else "{" + ",".join(map(repr, value.tolist())) + "}"
                    for value, gone in zip(values.data, values.mask, strict=True)
                ]
            )
        else:
            lists.append(
                [
                    r"\N" if gone else repr(value)
                    for value, gone in zip(values.data.tolist(), values.mask, strict=True)
                ]
            )
    return io.StringIO("\n".join("\t".join(row) for row in zip(*lists, strict=True)) + "\n")


def backend_cpu(pid: int) -> float:
    """CPU seconds that a server process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", maxsplit=1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Load the same rows in turn both ways and print the figures."""
    relation = dd.shipped()["DIASource"]
    rows = columns(relation, ROWS, np.random.default_rng(1))
    names = ", ".join(c.sql_name for c in relation.columns)
    home = temporary_home()
    cluster = Cluster(home)
    cluster.start()
    try:
        connection = psycopg2.connect(cluster.dsn("postgres"))
        schema.upgrade(connection)
        spent: dict[str, list[tuple[float, float]]] = {"binary": [], "text": []}
        with slot(connection) as number, connection.cursor() as cursor:
            cursor.execute(
                f"ALTER TABLE staging.diasource_s{number} ALTER slot SET DEFAULT {number}"
            )
            connection.commit()
            for turn in range(REPETITIONS + 1):
                for way, times in spent.items():
                    cursor.execute("SELECT staging.clear(%s::smallint)", (number,))
                    connection.commit()
                    pid = connection.info.backend_pid
                    wall, cpu = time.perf_counter(), time.process_time() + backend_cpu(pid)
                    if way == "binary":
                        stage(connection, relation, rows, number)
                    else:
                        cursor.copy_expert(
                            f"COPY staging.diasource_s{number} ({names}) FROM STDIN",
                            text(relation, rows),
                        )
                    connection.commit()
                    if turn:  # the first turn warms up
                        spent_cpu = time.process_time() + backend_cpu(pid) - cpu
                        times.append((time.perf_counter() - wall, spent_cpu))
                    cursor.execute("SELECT count(*) FROM staging.diasource")
                    found = cursor.fetchone()
                    if found != (ROWS,):
                        raise SystemExit(f"{way}: {found} rows arrived, not {ROWS}")
        connection.close()
    finally:
        cluster.destroy()
        shutil.rmtree(home)
    wall_ratio = statistics.median(
        t[0] / b[0] for b, t in zip(spent["binary"], spent["text"], strict=True)
    )
    cpu_ratio = statistics.median(
        t[1] / b[1] for b, t in zip(spent["binary"], spent["text"], strict=True)
    )
    print(
        json.dumps(
            {
                "name": "copy.diasource",
                "value": round(ROWS / statistics.median(t[0] for t in spent["binary"])),
                "unit": "rows/s",
                "ratio": round(cpu_ratio, 2),
                "wall": round(wall_ratio, 2),
                "against": "psycopg2 text COPY",
            }
        )
    )


if __name__ == "__main__":
    main()
