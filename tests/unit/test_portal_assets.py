"""What the portal sends beside its pages: nothing unknown, nothing changed by hand."""

import hashlib
import re
from pathlib import Path

from services.drawing import svg

STATIC = Path(__file__).parents[2] / "services/portal/static"
OWN = {"portal.css", "portal.js", "mark.svg", "vendored.tsv"}


def vendored():
    lines = (STATIC / "vendored.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


def test_everything_from_others_is_what_it_was_and_has_its_licence():
    listed = vendored()
    for name, digest, _, licence, text in listed:
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest, name
        assert licence in {"MIT", "OFL-1.1", "0BSD"}
        assert (STATIC / text).stat().st_size > 500
    found = {p.relative_to(STATIC).as_posix() for p in STATIC.rglob("*") if p.is_file()}
    licences = {row[4] for row in listed}
    assert found == {row[0] for row in listed} | licences | OWN


def test_nothing_is_fetched_from_another_host():
    for name in ("portal.css", "portal.js"):
        assert not re.search(r"https?://", (STATIC / name).read_text(encoding="utf-8")), name


def test_drawings_look_alike_on_pages_and_in_files():
    style = (STATIC / "portal.css").read_text(encoding="utf-8").replace("\n", "")
    assert svg.RULES in style
    for band, (light, dark) in svg.BANDS.items():
        assert style.count(f"--band-{band}:{light}") == 1
        assert style.count(f"--band-{band}:{dark}") == 2  # as the system says, or as chosen
