"""TIMESYS and COOSYS of answers, as readers of VOTables understand them."""

import io
import shutil
import subprocess

import astropy.units as u
import pytest
from astropy.coordinates import SkyCoord
from astropy.io.votable import parse
from astropy.time import Time
from small_survey import MJD, SOURCES

QUERY = (
    "SELECT o.ra, o.dec, s.midPointTai, s.insertedTai, POINT(o.ra, o.dec) AS p, s.psFlux "
    "FROM DIAObject AS o JOIN DIASource AS s USING (diaObjectId) ORDER BY s.diaSourceId"
)


@pytest.mark.requirement("GEN-29")
@pytest.mark.parametrize("serialisation", ["votable", "votable/td", "votable/b"])
def test_times_and_positions_refer_to_their_systems(service, serialisation):
    answer = service.ask(QUERY, FORMAT=serialisation)
    document = parse(io.BytesIO(answer.content), verify="exception")
    (resource,) = document.resources
    known = {s.ID: s for s in (*resource.time_systems, *resource.coordinate_systems)}
    (table,) = resource.tables
    refs = {f.name: known[f.ref] for f in table.fields if f.ref}
    assert set(refs) == {"ra", "dec", "midPointTai", "insertedTai", "p"}
    assert len(known) == 3
    assert refs["ra"].system == refs["p"].system == "ICRS"
    # The numbers mean moments by their origin and scale alone.
    system = refs["midPointTai"]
    zero = Time(system.timeorigin, format="jd", scale=system.timescale.lower())
    moments = zero + table.array["midPointTai"].data * u.d
    wanted = Time(MJD + 1, format="mjd", scale="tai")
    assert abs((moments[:SOURCES] - wanted).to_value(u.us)).max() < 50  # of doubles near 61000 d
    assert refs["insertedTai"].timescale == "TAI"
    assert refs["insertedTai"].timeorigin is None
    sky = SkyCoord(
        table.array["ra"], table.array["dec"], unit="deg", frame=refs["ra"].system.lower()
    )
    assert sky.is_transformable_to("galactic")


@pytest.mark.requirement("GEN-29")
def test_every_table_is_a_valid_votable(service, tmp_path):
    """What votlint and astropy find wrong in the head of any table of the archive."""
    names = [row[0] for row in service.rows("SELECT table_name FROM tap_schema.tables")]
    assert len(names) > 50
    for name in names:
        answer = service.ask(f"SELECT TOP 1 * FROM {name}", FORMAT="votable/td")
        assert answer.status_code == 200, answer.text
        document = parse(io.BytesIO(answer.content), verify="exception")
        (resource,) = document.resources
        refs = {f.ref for f in resource.tables[0].fields if f.ref}
        assert refs == {
            s.ID for s in (*resource.time_systems, *resource.coordinate_systems)
        }  # fmt: skip
    if shutil.which("stilts"):
        path = tmp_path / "answer.xml"
        path.write_bytes(service.ask(QUERY, FORMAT="votable/td").content)
        done = subprocess.run(
            ["stilts", "votlint", f"votable={path}"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout
