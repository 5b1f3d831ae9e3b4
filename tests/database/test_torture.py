"""The short torture: writers and servers are killed, and every answer is repeated.

`./run bench torture` is the long one.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "torture.py"


@pytest.mark.slow
@pytest.mark.requirement("GEN-19", "GEN-20", "GEN-21")
def test_every_answer_is_repeated_under_kills_and_sabotage_is_noticed():
    done = subprocess.run(
        # -P: a benchmark may bear the name of a module, copy for one.
        [sys.executable, "-P", BENCHMARK, "--seconds", "9", "--readings", "0", "--calm", "3",
         "--sabotages", "overwrite,no-clamp"],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    figures = {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert figures["torture.differences"]["value"] == 0
    assert figures["torture.readings"]["value"] > 10
    outcomes = figures["torture.readings"]["done"]
    assert outcomes.get("server killed", 0) + outcomes.get("server stopped at once", 0) > 0
    assert outcomes["writer killed"] > 0
    assert "DeadlockDetected" not in outcomes
    assert 0 <= figures["torture.sabotage.overwrite"]["value"] <= 60
    assert 0 <= figures["torture.sabotage.no-clamp"]["value"] <= 60
