"""Figures and plots of the benchmark of visits."""

import json
import statistics
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt


def draw(bench: Any, folder: Path) -> None:
    """Draw the plots of growth and latency."""
    figure, axes = plt.subplots(figsize=(7, 4))
    for name in ("load", "associate", "recompute"):
        axes.plot([visit[name] for visit in bench.year], label=name)
    axes.set(xlabel="visit of the field", ylabel="CPU of a visit [s]", ylim=(0, None))
    axes.legend()
    figure.savefig(folder / "visit-load-growth.png", dpi=120, bbox_inches="tight")
    figure, axes = plt.subplots(figsize=(7, 4))
    axes.plot([visit["load wall"] for visit in bench.ours], "o", label="Skyledger")
    if bench.theirs:
        axes.plot([visit["wall"] for visit in bench.theirs], "s", label="lsst-dax-apdb")
    axes.set(xlabel="visit", ylabel="time to store a visit [s]", yscale="log")
    axes.legend()
    figure.savefig(folder / "visit-load-latency.png", dpi=120, bbox_inches="tight")
    plt.close("all")


def figure(name: str, value: float, unit: str, **more: Any) -> None:
    """Print one figure."""
    print(json.dumps({"name": f"visit-load.{name}", "value": value, "unit": unit, **more}))


def median(found: list[dict[str, Any]], name: str) -> float:
    """Median over the visits."""
    return round(statistics.median(float(visit[name]) for visit in found), 3)


def report(bench: Any) -> None:
    """Print the figures."""
    against = {"against": "lsst-dax-apdb"} if bench.theirs else {}
    ours, theirs = bench.ours, bench.theirs
    if not ours:
        return
    rival = [{**v, "cpu": v["client"] + v["server"]} for v in theirs]
    told = {"rival": median(rival, "cpu")} if rival else {}
    ratio = {"ratio": round(median(rival, "cpu") / median(ours, "load"), 1)} if rival else {}
    figure("cpu", median(ours, "load"), "s", bar="ratio >= 20", **told, **ratio, **against)
    for name in ("read", "read_all"):
        if not bench.reads or name not in bench.reads[0]:
            continue
        mine, first = median(bench.reads, name), bench.reads[0]
        told = {"columns": first[f"{name} columns"], "rows": first["rows"]}
        if rival:
            other = median(bench.reads, "rival")
            told |= {"rival": other, "ratio": round(other / mine, 1),
                     "rival_columns": first["rival columns"]}  # fmt: skip
        figure(name, mine, "s", **({"bar": "ratio >= 10"} if name == "read" else {}),
               **told, **against)  # fmt: skip
    told = {"rival": median(rival, "wall")} if rival else {}
    worst = round(max(v["load wall"] for v in ours), 3)
    figure("wall", median(ours, "load wall"), "s", bar="<= 1", worst=worst, **told, **against)
    told = {"rival": median(rival, "wal")} if rival else {}
    figure("wal", median(ours, "wal"), "bytes a visit", **told, **against)
    visits = len(ours) + bench.founding
    told = {"rival": round(bench.sizes[1] / visits)} if rival else {}
    figure("bytes", round(bench.sizes[0] / visits), "bytes a visit", **told, **against)
    figure("rows", 4 * bench.sources, "rows a visit")
    year = bench.year
    if year:
        late, early = year[-8:], year[2:10] or year
        figure("associate", median(late, "associate"), "s", visits=len(year))
        figure("recompute", median(late, "recompute"), "s", bar="<= 0.3", visits=len(year))
        both = [[v["load"] + v["associate"] for v in some] for some in (late, early)]
        grown = statistics.median(both[0]) / statistics.median(both[1])
        figure("growth", round(grown, 2), "ratio", bar="<= 2", visits=len(year),
               last=round(statistics.median(both[0]), 3))  # fmt: skip
