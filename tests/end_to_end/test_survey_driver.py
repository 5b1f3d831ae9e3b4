"""The driver of a simulated survey: nights, upsets and their judgement, and a second call."""

import io
import json
import os
from dataclasses import replace

import pytest
from rich.console import Console

from cli.survey import observe
from simulate.tiers import SMOKE, Cadence
from skyledger.errors import UsageError

TROUBLED = replace(
    SMOKE,
    bands=("r",),
    cadence=Cadence(
        template_visits=4,
        nights=(0, 1),
        blocks=((("r", "r", "r"),),),
        template_dither=8.0,
        dither=3.0,
        rotation_spread=5.0,
    ),
    upsets=(
        ("late", 1, 0),
        ("duplicate", 1, 1),
        ("withdrawn", 1, 2),
        ("missing_snap", 2, 0),
        ("wrong_wcs", 2, 1),
        ("killed_worker", 2, 2),
    ),
)


def test_nights_are_done_once_and_upsets_come_out_as_expected(fresh_database, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in fresh_database.environment.items():
            patch.setitem(os.environ, name, value)
        patch.setitem(os.environ, "SKYLEDGER_HOME", str(tmp_path / "home"))
        folder = tmp_path / "survey"
        with pytest.raises(UsageError, match="nights 0 to 2, not 9"):
            observe(folder, TROUBLED, 7, 9, 1, Console(quiet=True))
        observe(folder, TROUBLED, 7, 1, 1, Console(quiet=True))
        console = Console(record=True, width=200, file=io.StringIO())
        observe(folder, TROUBLED, 7, None, 1, console)
        said = console.export_text()
        again = Console(record=True, width=200, file=io.StringIO())
        observe(folder, TROUBLED, 7, None, 1, again)
    assert "night 2" in said
    assert "night 1" not in said
    assert "a worker process was killed" in said
    assert "night" not in again.export_text().split("figure")[0]
    lines = [
        json.loads(line)
        for line in (folder / "judged" / "judge.jsonl").read_text().split("\n")
        if line
    ]
    figures = {line["name"]: line["value"] for line in lines if "name" in line}
    upsets = {name: value for name, value in figures.items() if name.startswith("upset.")}
    assert upsets == dict.fromkeys((f"upset.{kind}" for kind, _, _ in TROUBLED.upsets), 1.0)
    assert figures["precovery.waiting"] == 0
    assert {"trail.found", "pulls.dipole.product.sd", "deblend.both"} <= figures.keys()
    missing = {line["missing"] for line in lines if "missing" in line}
    assert "catalogue detectors without pixels" in missing
