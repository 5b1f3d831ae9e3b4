"""Light curves and upper limits: each covering visit once, never where masked."""

import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_ledger import DD, MJD, Desk, ccd_visit_row, source_rows
from test_relink import forced_rows

from ingest.staging import slot, stage
from services import light_curves
from services.drawing import light_curve
from services.light_curves import LightCurve
from skyledger import ids
from skyledger.answers import run
from skyledger.virtual import VirtualDatabase

NX, NY, SCALE = 640, 512, 0.2
NIGHT = ids.night_of(MJD)
OBJECT = 1 << 54


class Store:
    """Writes rows into the store as a publication would, in a transaction that is undone."""

    def __init__(self, cursor):
        self.cursor = cursor
        cursor.execute(
            "SELECT set_config('skyledger.publishing', pg_current_xact_id()::text, true)"
        )
        cursor.execute("SELECT ledger.horizon()")
        self.first = cursor.fetchone()[0]
        # Rows that are closed were so before the horizon.
        cursor.execute(
            "INSERT INTO ledger.epoch (epochtai, kind, nrows) VALUES (%s, 'heartbeat', 0)",
            (self.first + timedelta(seconds=2),),
        )

    def put(self, relation, row, *, closed=False):
        row = {**row, "insertedtai": self.first, "createdtai": self.first}
        table = relation
        if closed:
            row["deletedtai"] = self.first + timedelta(seconds=1)
            table += "_history"
        names = ", ".join(row)
        self.cursor.execute(
            f"INSERT INTO prompt_store.{table} ({names}) VALUES ({', '.join(['%s'] * len(row))})",
            list(row.values()),
        )

    def detector(self, number, nx=NX, ny=NY):
        self.cursor.execute(
            "INSERT INTO ledger.detector (instrument, detector, name, nx, ny, pixelscale) "
            "VALUES ('simulated', %s, 'd', %s, %s, %s) ON CONFLICT DO NOTHING",
            (number, nx, ny, SCALE),
        )


def pointing(ra, decl, angle, parity, offset):
    """TAN WCS of a detector whose boresight lies up to a degree away."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra % 360, decl]
    wcs.wcs.crpix = [NX / 2 + 0.5 + offset[0], NY / 2 + 0.5 + offset[1]]
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    wcs.wcs.cd = SCALE / 3600 * np.array([[parity * c, -s], [parity * s, c]])
    wcs.wcs.set()
    return wcs


def ccd_visit(number, detector, mjd, wcs, mask, noise):
    visit = ids.visit_id(ids.night_of(mjd), number)
    x = np.array([-0.5, NX - 0.5, NX - 0.5, -0.5, (NX - 1) / 2])
    y = np.array([-0.5, -0.5, NY - 0.5, NY - 0.5, (NY - 1) / 2])
    ra, decl = wcs.all_pix2world(x, y, 0)
    grid = mask.reshape(8, 8, 8, 8).any(axis=(1, 3))
    return {
        "ccdvisitid": ids.ccd_visit_id(visit, detector),
        "visitid": visit,
        "detector": detector,
        "instrument": "simulated",
        "band": "ugrizy"[number % 6],
        "filtername": "f",
        "programid": "wide",
        "ra": float(ra[4]) % 360,
        "decl": float(decl[4]),
        "begintai": mjd - 1e-4,
        "midpointtai": mjd,
        "endtai": mjd + 1e-4,
        "exposuretime": 30.0,
        "nsnaps": 2,
        "footprint": [float(v) for k in range(4) for v in (ra[k] % 360, decl[k])],
        "usablemask": [
            int(v) for v in np.packbits(mask, axis=1, bitorder="little").view("<i8").ravel()
        ],
        "diffnoise": None if noise is None else 50.0,
        "diffnoisegrid": None
        if noise is None
        else [noise + 10 * k if grid.ravel()[k] else None for k in range(64)],
    }


def place(wcs, ra, decl):
    """Cell of the 64 x 64 grid that holds a position, None outside, and how far its edge is."""
    x, y = wcs.all_world2pix(ra, decl, 0)
    u, v = (float(x) + 0.5) / NX, (float(y) + 0.5) / NY
    margin = min(abs(w * 64 - round(w * 64)) for w in (u, v))
    if not (0 <= u < 1 and 0 <= v < 1):
        return None, margin
    return (int(v * 64), int(u * 64)), margin


measurement = st.sampled_from(["none", "none", "source", "forced", "both"])
visits = st.lists(
    st.tuples(
        st.floats(-60, 60),  # where the object falls, in cells from the middle
        st.floats(-60, 60),
        st.floats(0, 360),  # rotation
        st.sampled_from([-1, 1]),  # mirrored or not
        st.tuples(st.floats(-9e3, 9e3), st.floats(-9e3, 9e3)),  # boresight, pixels
        st.integers(0, 2**31),  # seed of the mask
        st.sampled_from([0.0, 0.3, 1.0]),  # share of masked cells
        st.booleans(),  # differenced
        measurement,
        st.booleans(),  # the measurement was closed later
        st.booleans(),  # a second detector of the visit overlaps
    ),
    max_size=8,
)


@pytest.mark.requirement("DIA-15", "GEN-13")
@given(
    ra=st.sampled_from([0.0, 359.9999, 123.4, 10.0]),
    decl=st.sampled_from([0.0, 89.99, -90.0, -89.9, 45.0]),
    observed=visits,
    window=st.tuples(st.integers(-1, 8), st.integers(-1, 9)),
)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_each_covering_visit_is_a_source_a_forced_source_or_a_limit(
    connection, ra, decl, observed, window
):
    """Random pointings, masks and measurements against astropy's WCS; the sky wraps, has poles."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger.ensure_partitions(%s, %s)", (MJD, MJD + 10))
        store = Store(cursor)
        for detector in (0, 1):
            store.detector(detector)
        store.put("diaobject", an_object(ra, decl))
        now, then = {}, {}
        since, until = MJD + window[0] + 0.5, MJD + window[1] + 0.5
        for k, (
            dx,
            dy,
            angle,
            parity,
            offset,
            seed,
            masked,
            differenced,
            kind,
            ended,
            twice,
        ) in enumerate(observed):
            mjd = MJD + k
            usable = np.random.default_rng(seed).random((64, 64)) >= masked
            # The object's pixel is chosen, then the WCS is shifted so that it falls there.
            wcs = pointing(ra, decl, angle, parity, offset)
            x, y = NX / 2 - 0.5 + dx * NX / 128, NY / 2 - 0.5 + dy * NY / 128
            there = wcs.all_world2pix(ra, decl, 0)
            wcs.wcs.crpix += [x - there[0], y - there[1]]
            wcs.wcs.set()
            cell, margin = place(wcs, ra, decl)
            if margin < 0.08:  # half a pixel of the far edge: either side may be right
                continue
            visit = ids.visit_id(ids.night_of(mjd), k)
            noise = 20.0 + k if differenced else None
            for detector in (0, 1) if twice else (0,):
                store.put("ccdvisit", ccd_visit(k, detector, mjd, wcs, usable, noise))
            covers = cell is not None and usable[cell] and differenced
            limit = (
                ("limit", noise and noise + 10 * (8 * (cell[0] // 8) + cell[1] // 8))
                if (covers)
                else None
            )
            found = {
                "source": ("source", 1e3 + k),
                "both": ("source", 1e3 + k),
                "forced": ("forced", 2e3 + k),
            }.get(kind)
            inside = since <= mjd < until
            if kind in {"source", "both"}:
                store.put("diasource", a_source(k, mjd, ra, decl), closed=ended)
            if kind in {"forced", "both"}:
                store.put("diaforcedsource", a_forced(k, mjd, ra, decl), closed=ended)
            if inside and (found or limit):
                then[visit] = found or limit
            if inside and (limit if ended else found or limit):
                now[visit] = limit if ended else found or limit
        for instant, wanted in ((None, now), (store.first, then)):
            cursor.execute(
                "SELECT visitid, kind, flux, noise, band FROM "
                "science.light_curve(%s, %s, %s, instant => %s)",
                ([OBJECT, OBJECT + 5], since, until, instant),
            )
            rows = cursor.fetchall()
            assert len({r[0] for r in rows}) == len(rows)
            assert {r[0]: (r[1], r[3] if r[1] == "limit" else r[2]) for r in rows} == wanted
            assert all(r[4] == "ugrizy"[(r[0] & 2047) % 6] for r in rows)
            assert all((r[2] is None) == (r[1] == "limit") for r in rows)
            cursor.execute(
                "SELECT visitid FROM science.upper_limits(%s, %s, %s, %s)",
                (OBJECT, since, until, instant),
            )
            assert sorted(r[0] for r in cursor) == sorted(
                v for v, (kind, _) in wanted.items() if kind == "limit"
            )
    connection.rollback()


def an_object(ra, decl, number=0):
    return {
        "diaobjectid": OBJECT + number,
        "ra": ra,
        "decl": decl,
        "hpx29": 1,
        "radectai": MJD,
        "ndiasources": 0,
        "flags": 0,
    }


def _row(columns, number=0, **more):
    plain = {name.lower(): values[number] for name, values in columns.items()}
    plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in plain.items()}
    return {**plain, **more}


def a_source(k, mjd, ra, decl):
    return _row(source_rows(k, [ra], [decl], [1e3 + k], mjd), diaobjectid=OBJECT)


def a_forced(k, mjd, ra, decl):
    return _row(forced_rows(k, [OBJECT], [2e3 + k], mjd), ra=ra, decl=decl)


def test_fluxes_of_the_difference_or_of_the_visit(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger.ensure_partitions(%s, %s)", (MJD, MJD + 2))
        store = Store(cursor)
        store.detector(0)
        store.put("diaobject", an_object(10.0, 0.0))
        for k in (0, 1):
            wcs = pointing(10.0, 0.0, 0, -1, (0, 0))
            store.put("ccdvisit", ccd_visit(k, 0, MJD + k, wcs, np.ones((64, 64), bool), 20.0))
        store.put("diasource", a_source(0, MJD, 10.0, 0.0))
        store.put("diaforcedsource", a_forced(1, MJD + 1, 10.0, 0.0))
        for direct, wanted in ((False, [1000.0, 2001.0]), (True, [2000.0, 3001.0])):
            cursor.execute(
                "SELECT flux, fluxerr FROM science.light_curve(%s, direct => %s) ORDER BY visitid",
                ([OBJECT], direct),
            )
            assert cursor.fetchall() == [(flux, 10.0) for flux in wanted]


def test_without_a_mask_the_noise_grid_tells_where_nothing_was_seen(connection):
    mask = np.ones((64, 64), bool)
    mask[:, 32:] = False  # the half at large x
    with connection.cursor() as cursor:
        store = Store(cursor)
        store.detector(0)
        wcs = pointing(10.0, 0.0, 0, 1, (0, 0))
        row = ccd_visit(0, 0, MJD, wcs, mask, 20.0)
        for given, grid, wanted in (
            (None, row["diffnoisegrid"], (1, 0)),
            (None, None, (1, 1)),
            ([0] * 64, row["diffnoisegrid"], (0, 0)),
        ):
            cursor.execute("SAVEPOINT here")
            store.put("ccdvisit", row | {"usablemask": given, "diffnoisegrid": grid})
            counts = []
            for x in (NX * 0.25, NX * 0.75):
                ra, decl = wcs.all_pix2world(x, NY / 2, 0)
                cursor.execute(
                    "SELECT count(*) FROM science.covering_visits(%s, %s)", (float(ra), float(decl))
                )
                counts.append(cursor.fetchone()[0])
            assert tuple(counts) == wanted
            cursor.execute("ROLLBACK TO here")


def test_an_instant_beyond_the_horizon_is_refused(connection):
    with connection.cursor() as cursor, pytest.raises(Exception, match="later than the horizon"):
        cursor.execute(
            "SELECT * FROM science.light_curve(%s, instant => science.tai_now() + '1 hour')",
            ([OBJECT],),
        )


def plan(cursor, query):
    cursor.execute("EXPLAIN (VERBOSE) " + query)
    return "\n".join(line for (line,) in cursor.fetchall())


def test_functions_are_inlined_and_use_the_indexes(connection):
    """No function is called, nothing is read from end to end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger.ensure_partitions(%s, %s)", (MJD, MJD))
        cursor.execute("SELECT ledger.horizon() - interval '1 day'")
        before = cursor.fetchone()[0]
        cursor.execute("SET LOCAL enable_seqscan = off")
        for call in (
            "science.light_curve(ARRAY[1::bigint, 2])",
            f"science.light_curve(ARRAY[1::bigint, 2], 61000, 61100, true, '{before}')",
            "science.upper_limits(1)",
            "science.covering_visits(10, 0)",
            f"science.covering_visits(10, 0, NULL, 61000, '{before}')",
        ):
            text = plan(cursor, f"SELECT * FROM {call}")
            assert "Function Scan" not in text, call
            assert "ccdvisit_sky_idx" in text or "61000" in call, call
            scans = [line for line in text.splitlines() if "Seq Scan" in line]
            assert all("ledger.detector" in line for line in scans), scans


@pytest.mark.requirement("DIA-15")
def test_a_published_visit_gives_limits_for_objects_it_did_not_measure(fresh_database):
    connection = fresh_database.connect()
    desk = Desk(connection)
    with connection.cursor() as cursor:
        Store(cursor).detector(0)
    connection.commit()
    desk.publish(1, source_rows(1, [10.0], [0.0], [500.0]))
    found = desk.one("SELECT diaobjectid FROM prompt_live.diaobject")
    before = desk.one("SELECT ledger.horizon()")
    row = ccd_visit_row(2, MJD + 1)
    d = 0.01
    row["footprint"] = np.array([[10 - d, -d, 10 + d, -d, 10 + d, d, 10 - d, d]])
    row["diffNoise"] = np.array([12.5])
    with slot(connection) as number, connection.cursor() as cursor:
        cursor.execute(
            "SELECT batch FROM ledger.open_batch('visit', %s, '{0}', 'test', %s::smallint)",
            (int(row["visitId"][0]), number),
        )
        batch = cursor.fetchone()[0]
        stage(connection, DD["CcdVisit"], row, number)
        cursor.execute("SELECT staging.validate(%s::smallint, %s)", (number, batch))
        cursor.execute("SELECT ledger.publish(%s)", (batch,))
        connection.commit()
    query = "SELECT noise, midpointtai FROM science.upper_limits(%s, instant => %s)"
    assert desk.all(query, found, None) == [(12.5, MJD + 1)]
    assert desk.all(query, found, before) == []
    # The instant of a query holds for functions, too.
    for instant, wanted in ((None, 1), (before, 0)):
        answer = run(
            connection,
            f"SELECT count(*) FROM upper_limits({found})",
            VirtualDatabase("prompt", instant),
        )
        assert answer.rows == [(wanted,)]
        curve = light_curves.read(connection, found, VirtualDatabase("prompt", instant))
        assert curve.kind.tolist() == ["source", "limit"][: 1 + wanted]
        assert curve.flux[0] == 500.0
    connection.close()


def marks(drawing):
    """Marks of a drawn light curve: letter of the kind, band or limit, x, y [px]."""
    found = re.findall(r'<use href="#m-(\w+)" class="(\w)" x="([-\d.]+)" y="([-\d.]+)"/>', drawing)
    return [(kind, mark, float(x), float(y)) for mark, kind, x, y in found]


def test_a_drawn_light_curve_shows_sources_forced_fluxes_and_limits():
    n = 6
    curve = LightCurve(
        OBJECT,
        total=False,
        ra=10.0,
        decl=0.0,
        band=np.array(["r"] * n, dtype=object),
        mjd=MJD + np.arange(n),
        flux=np.array([10.0, 20.0, 30.0, np.nan, np.nan, 5.0]),
        error=np.array([1.0, 1.0, 1.0, np.nan, np.nan, 1.0]),
        kind=np.array(["source", "source", "forced", "limit", "limit", "forced"], dtype=object),
        noise=np.array([np.nan, np.nan, np.nan, 4.0, 6.0, np.nan]),
        ccd_visit_id=np.arange(n) + 1,
        answer=None,
    )
    drawn = light_curve.draw(curve)
    found = marks(drawn)
    assert sorted((kind, mark) for kind, mark, _, _ in found) == [
        ("f", "r"), ("f", "r"), ("l", "limit"), ("l", "limit"), ("s", "r"), ("s", "r"),
    ]  # fmt: skip
    # Limits stand at five sigma: 20 and 30 nJy, where a source and a forced flux of 20 and 30 are.
    limits = sorted(m[2:] for m in found if m[0] == "l")
    source = max((m[2:] for m in found if m[0] == "s"), key=lambda at: at[0])
    forced = min((m[2:] for m in found if m[0] == "f"), key=lambda at: at[0])
    assert [y for _, y in limits] == [source[1], forced[1]]
    # One day is as far from the next everywhere.
    assert np.allclose(np.diff(sorted(m[2] for m in found)), limits[1][0] - limits[0][0], atol=0.02)
    assert light_curve.draw(curve) == drawn
    # Magnitudes point downwards; what has none becomes a limit.
    faint = replace(curve, flux=np.where(np.arange(n) == 0, -10.0, curve.flux))
    drawn = light_curve.draw(faint, light_curve.View(magnitudes=True))
    found = marks(drawn)
    assert sum(m[0] == "l" for m in found) == 3
    assert "1 fluxes that are not positive are shown as limits" in drawn
    brightest = [m for m in found if m[0] == "f"]
    assert min(brightest, key=lambda m: m[3])[2] < max(brightest, key=lambda m: m[3])[2]
