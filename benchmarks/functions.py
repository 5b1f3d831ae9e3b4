"""What it costs to call a database function instead of writing its expression out.

Each scalar function of the schema ``science`` is called on the columns of a table, in turn with
its own body written over the same columns. Aggregates are compared with the textbook sums that
they replace. One JSON line a function; ``value`` is the ratio of the median CPU times of the
server process, which other work on the machine disturbs little. The scalar functions should stay
below 1.2: above 3 one has lost its inlining.
"""

import json
import shutil
import statistics
from pathlib import Path

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class in all but name

from skyledger.database import schema
from skyledger.database.cluster import Cluster, temporary_home

ROWS = 200_000
REPETITIONS = 7

# Values of the functions' parameters, where their main branch works.
VALUES = {
    "bit_number": "63 * random()",
    "ccd_visit": "16777216 * random()",
    "chi2": "50 * random()",
    "cov": "ARRAY[1 + random(), random() - 0.5, 1 + random(), 0.1, 0.2, 1 + random()]",
    "db": "1023 * random()",
    "decl": "180 * random() - 90",
    "decl0": "180 * random() - 90",
    "decl1": "180 * random() - 90",
    "decl2": "180 * random() - 90",
    "delta": "0.5 + 3 * random()",
    "detector": "188 * random()",
    "epoch": "55000 + 5000 * random()",
    "err": "0.5 + random()",
    "flags": "1e15 * random()",
    "flux": "1e5 * random() - 1e4",
    "fluxerr": "100 * random()",
    "g1": "0.6 * random()",
    "g12": "0.8 * random()",
    "g2": "0.4 * random()",
    "h": "10 + 15 * random()",
    "i": "1 + 2 * random()",
    "id": "9e18 * random()",
    "ixx": "1 + random()",
    "ixy": "random() - 0.5",
    "iyy": "1 + random()",
    "j": "1 + 2 * random()",
    "k": "1 + 6 * random()",
    "ln_l": "-100 * random()",
    "m": "14 + 12 * random()",
    "mag": "14 + 12 * random()",
    "magerr": "0.1 * random()",
    "mjd": "55000 + 8000 * random()",
    "n": "50 * random()",
    "nann": "8",
    "ndata": "20 * random()",
    "night": "16000 * random()",
    "nparam": "3 + 5 * random()",
    "phase": "150 * random()",
    "pixel": "12287 * random()",
    "pmdecl": "100 * random() - 50",
    "pmra": "100 * random() - 50",
    "q": "random()",
    "r": "0.9 + 3 * random()",
    "r_earth": "0.98 + 0.04 * random()",
    "ra": "360 * random()",
    "ra0": "360 * random()",
    "ra1": "360 * random()",
    "ra2": "360 * random()",
    "radius": "3600 * random()",
    "rmax": "10 + 10 * random()",
    "rmin": "0.5 + random()",
    "sequence": "2000 * random()",
    "serial": "500000 * random()",
    "sum_ln_sigma": "100 * random()",
    "tai": "timestamp '1975-01-01' + interval '50 years' * random()",
    "utc": "timestamp '1975-01-01' + interval '50 years' * random()",
    "value": "100 * random()",
    "visit": "33000000 * random()",
}

SCALAR = """
SELECT DISTINCT ON (p.proname) p.proname, p.proargnames,
    ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) AS t),
    regexp_replace(pg_get_function_sqlbody(p.oid), '^RETURN ', '')
FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
WHERE p.pronamespace = 'science'::regnamespace AND p.prokind = 'f' AND NOT p.proretset
    AND l.lanname = 'sql' AND p.provolatile = 'i' AND p.pronargs > 0
    AND p.prosqlbody IS NOT NULL
    AND NOT EXISTS (SELECT FROM pg_aggregate AS a WHERE a.aggfinalfn = p.oid)
ORDER BY p.proname, p.oid
"""

NOT_SCALAR = {"aperture_flux"}  # sums over an array

AGGREGATES = {
    "weighted_mean(value, err)": "sum(value / (err * err)) / sum(1 / (err * err))",
    "weighted_mean_err(value, err)": "1 / sqrt(sum(1 / (err * err)))",
    "weighted_chi2(value, err)": (
        "sum(value * value / (err * err)) "
        "- power(sum(value / (err * err)), 2) / sum(1 / (err * err))"
    ),
    "n_used(value, err)": "count(*) FILTER (WHERE err > 0 AND value IS NOT NULL)",
    "sample_sigma(value)": "stddev_samp(value)",
}


def make_table(cursor: Cursor, columns: dict[str, str]) -> None:
    """Make the table ``measured`` with a column (name, type) a parameter."""
    missing = columns.keys() - VALUES.keys()
    if missing:
        raise SystemExit(f"no values for {', '.join(sorted(missing))}: add them to VALUES")
    chosen = ", ".join(f"({VALUES[name]})::{kind} AS {name}" for name, kind in columns.items())
    cursor.execute("DROP TABLE IF EXISTS measured")
    cursor.execute(
        f"CREATE TEMPORARY TABLE measured AS SELECT {chosen} FROM generate_series(1, {ROWS})"
    )
    cursor.execute("ANALYZE measured")


def cpu_seconds(server_process: int) -> float:
    """Time the server process has spent on a processor [s]."""
    spent = Path(f"/proc/{server_process}/schedstat").read_text(encoding="ascii").split()[0]
    return int(spent) / 1e9


def compare(cursor: Cursor, name: str, call: str, plain: str, against: str) -> None:
    """Run both expressions in turn and print the ratio of the medians."""
    process = cursor.connection.info.backend_pid
    spent: dict[str, list[float]] = {call: [], plain: []}
    for _ in range(REPETITIONS):
        for expression, times in spent.items():
            before = cpu_seconds(process)
            cursor.execute(f"SELECT {expression} FROM measured")
            cursor.fetchall()
            times.append(cpu_seconds(process) - before)
    ours, theirs = (statistics.median(times) for times in spent.values())
    line = {
        "name": f"functions.{name}",
        "value": round(ours / theirs, 3),
        "unit": "ratio",
        "ratio": round(ours / theirs, 3),
        "against": against,
        "cpu_seconds": round(ours, 4),
        "rows": ROWS,
    }
    print(json.dumps(line), flush=True)


def measure(cursor: Cursor) -> None:
    """Measure every scalar function and every aggregate."""
    cursor.execute("SET max_parallel_workers_per_gather = 0; SET jit = off")
    cursor.execute(SCALAR)
    for name, names, types, body in cursor.fetchall():
        if name in NOT_SCALAR:
            continue
        make_table(cursor, dict(zip(names, types, strict=True)))
        call = f"count(science.{name}({', '.join(names)}))"
        compare(cursor, name, call, f"count({body})", "plain expression")
    make_table(cursor, {"value": "double precision", "err": "double precision"})
    for call, plain in AGGREGATES.items():
        compare(cursor, call.partition("(")[0], f"science.{call}", plain, "textbook sums")


def main() -> None:
    """Measure on a server of our own, which disappears afterwards."""
    home = temporary_home()
    cluster = Cluster(home, {"fsync": "off", "shared_buffers": "256MB", "autovacuum": "off"})
    try:
        cluster.start()
        connection = psycopg2.connect(cluster.dsn("postgres"))
        try:
            schema.upgrade(connection)
            connection.commit()
            connection.autocommit = True
            with connection.cursor() as cursor:
                measure(cursor)
        finally:
            connection.close()
    finally:
        cluster.destroy()
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
