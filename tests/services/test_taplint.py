"""The judge of TAP services: ``stilts taplint``."""

import re
import shutil
import subprocess

import pytest


@pytest.mark.requirement("GEN-01", "GEN-29")
@pytest.mark.slow
def test_taplint_finds_no_error(service):
    """No error, few warnings; ObsCore and examples are really looked at."""
    if shutil.which("stilts") is None:
        pytest.skip("STILTS is not installed (Debian package stilts)")
    done = subprocess.run(
        ["stilts", "taplint", f"tapurl={service.tap}", "maxtable=6", "debug=false"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    totals = re.search(r"Errors: (\d+); Warnings: (\d+); .*Failures: (\d+)", done.stdout)
    assert totals, done.stdout[-2000:] + done.stderr[-2000:]
    errors = [line for line in lines if line.startswith("E-")]
    assert errors == []
    assert int(totals[1]) == 0
    assert int(totals[2]) < 10
    # There is no table of planned observations, which is another standard's.
    assert [line for line in lines if line.startswith("F-")] == [
        "F-LOC-NOTP-1 No table with name ivoa.obsplan"
    ]
    assert not any("no ObsCore tests" in line for line in lines)
    assert re.search(r"S-EXA-XNUM-1 Found [5-9] examples", done.stdout)
