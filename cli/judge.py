"""``skyledger judge``: the results of a simulated survey against its truth."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.common import Database, archive
from ingest.judge import judge as compare
from ingest.verdict import Figure, Verdict
from services import quality_pictures
from services.quality_pictures import png
from skyledger import virtual

app = typer.Typer()


def _bar(figure: Figure) -> str:
    low, high = figure.low, figure.high
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    if low is not None:
        return f"at least {low:g}"
    return "" if high is None else f"at most {high:g}"


def show(verdict: Verdict, console: Console) -> None:
    """Print the figures as one table, and the steps that are missing."""
    table = Table("figure", "value", "meant", "", "of", "", show_edge=False)
    table.columns[0].no_wrap = True
    table.columns[1].justify = table.columns[4].justify = "right"
    for figure in verdict.figures:
        value = "-" if figure.value is None else f"{figure.value:.4g}"
        mark = {True: "ok", False: "[red]misses[/red]", None: ""}[figure.ok]
        table.add_row(figure.name, value, _bar(figure), mark, str(figure.n or ""), figure.note)
    console.print(table)
    for step in verdict.missing:
        console.print(f"missing: {step}", highlight=False)


def deliver(verdict: Verdict, output: Path, console: Console) -> None:
    """Print a verdict, and write it as judge.jsonl and judge.png."""
    show(verdict, console)
    output.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps(
            {
                "name": f.name, "value": f.value, "low": f.low, "high": f.high, "ok": f.ok,
                "n": f.n, "note": f.note,
            }
        )
        for f in verdict.figures
    ]  # fmt: skip
    lines += [json.dumps({"missing": step}) for step in verdict.missing]
    (output / "judge.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    picture = quality_pictures.verdict(verdict.completeness, verdict.purity, verdict.drawn)
    (output / "judge.png").write_bytes(png(picture))
    print(f"{output / 'judge.jsonl'}, {output / 'judge.png'}")


@app.command()
def judge(
    truth: Annotated[Path, typer.Argument(help="Folder of the truth of a simulated survey.")],
    db: Database = "prompt",
    output: Annotated[Path, typer.Option(help="Folder of judge.jsonl and judge.png.")] = Path(
        "judged"
    ),
) -> None:
    """Compare what is published of a simulated survey with its truth: one table, one page."""
    with archive() as opened:
        verdict = compare(opened, truth, virtual.parse(db))
    deliver(verdict, output, Console())
