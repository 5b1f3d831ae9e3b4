"""Queries, jobs and uploads by astroquery's TapPlus, which reads JSON its own way.

Its ``load_tables`` wants attributes that VODataService forbids; pyvo and TOPCAT list tables.
"""

import gc

import pytest
from astropy.table import Table
from astropy.units import Unit
from astroquery.utils.tap.core import TapPlus
from small_survey import CENTRE, SOURCES

pytestmark = pytest.mark.filterwarnings("ignore:.*unclosed.*")  # it leaves its sockets to Python


@pytest.fixture
def tap(service):
    yield TapPlus(url=f"{service.address}/tap/prompt")
    gc.collect()  # while its warnings are not heard


@pytest.mark.requirement("GEN-01")
@pytest.mark.parametrize("form", ["votable", "votable_plain", "csv", "json"])
def test_it_asks_at_once_in_its_formats(tap, form):
    job = tap.launch_job("SELECT TOP 7 diaSourceId, psFlux FROM DIASource", output_format=form)
    table = job.get_results()
    assert len(table) == 7
    if form != "csv":
        assert table["psFlux"].unit == Unit("nJy")


@pytest.mark.requirement("GEN-01", "UGP-02")
def test_it_runs_jobs_and_brings_tables(tap):
    job = tap.launch_job_async("SELECT COUNT(*) AS n FROM DIAObject")
    assert job.get_phase() == "COMPLETED"
    assert job.get_results()["n"][0] == SOURCES
    mine = Table({"ra": [CENTRE[0]], "dec": [CENTRE[1]]})
    found = tap.launch_job(
        "SELECT COUNT(*) AS n FROM tap_upload.mine AS m JOIN DIAObject AS o "
        "ON 1 = CONTAINS(POINT(o.ra, o.dec), CIRCLE(m.ra, m.dec, 5))",
        upload_resource=mine, upload_table_name="mine",
    )  # fmt: skip
    assert found.get_results()["n"][0] == SOURCES
