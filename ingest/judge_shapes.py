"""Trails, dipoles and blends of a simulated survey against its truth.

Covariances are packed rows of a lower triangle; the numbers asked for are those of flux, length,
angle and flux times length (DPDD section 3, DIASource).
"""

import numpy as np
from numpy.typing import NDArray

from ingest.injection import nearest, spread
from ingest.verdict import Columns, FloatArray, Verdict, flat

_BRIGHT = 8.0  # S/N from which shapes are judged
_LONG = 0.8  # arcsec, more than 1 FWHM: flux and length of a trail can be told apart
_RATIO = 4.0  # of the fluxes of a pair that is to be told apart
_PAIR = (0.8, 2.4)  # arcsec, about 1 to 3 FWHM


def _column(sources: Columns, name: str, rows: NDArray[np.int64]) -> FloatArray:
    return np.asarray(sources[name][rows].astype(float))


def _turned(angle: FloatArray, true: FloatArray, period: float) -> FloatArray:
    """Difference of two angles [deg], between plus and minus half a period."""
    return np.asarray((angle - true + period / 2) % period - period / 2)


def _add(verdict: Verdict, name: str, values: FloatArray) -> None:
    said = spread(values)
    verdict.add(f"pulls.{name}.sd", said["sd"], 0.9, 1.1, int(said["n"] or 0))


def trails(verdict: Verdict, sources: Columns, change: Columns) -> None:
    """Trailed fits of what moved by more than 1 FWHM during its visit."""
    long = (change["trailLength"] > _LONG) & (change["snr"] > _BRIGHT)
    there = np.flatnonzero(long)
    found = _near(sources, change, there, 1.0 + change["trailLength"][there] / 2)
    verdict.add(
        "trail.found", np.mean(found >= 0) if len(there) else None, None, None, len(there),
        "longer than 1 FWHM, S/N 8",
    )  # fmt: skip
    there, found = there[found >= 0], found[found >= 0]
    flux = _column(sources, "trailflux", found)
    length = _column(sources, "traillength", found)
    off = _turned(_column(sources, "trailangle", found), change["trailAngle"][there], 180)
    _add(
        verdict, "trail.flux",
        (flux - change["diffFlux"][there]) / np.sqrt(_column(sources, "trailfluxvar", found)),
    )  # fmt: skip
    _add(
        verdict, "trail.length",
        (length - change["trailLength"][there])
        / np.sqrt(_column(sources, "traillengthvar", found)),
    )  # fmt: skip
    _add(verdict, "trail.angle", off / np.sqrt(_column(sources, "trailanglevar", found)))
    worst = np.nanmax(np.abs(off)) if np.isfinite(off).any() else None
    verdict.add("trail.degrees", worst, None, 10, len(off), "farthest from the true angle")


def dipoles(verdict: Verdict, sources: Columns, change: Columns) -> None:
    """Dipole fits of stars that have moved since the template.

    Most have moved by less than 1 FWHM, where the pixels know flux times length and the angle.
    """
    size = np.hypot(change["movedEast"], change["movedNorth"])
    flux = change["flux"]
    # The dipole of a star is what its movement times its light is: of S/N about flux * size / FWHM.
    there = np.flatnonzero(
        change["moves"] & (size > 0.03) & (flux * size / 0.7 > 20 * change["error"])
        & (np.abs(change["diffFlux"]) < 0.1 * flux)
    )  # fmt: skip
    found = _near(sources, change, there, np.full(len(there), 1.0))
    verdict.add(
        "dipole.found", np.mean(found >= 0) if len(there) else None, None, None, len(there),
        "stars that moved, flux x distance above 20 sigma x FWHM",
    )  # fmt: skip
    there, found = there[found >= 0], found[found >= 0]
    mean, length = _column(sources, "dipmeanflux", found), _column(sources, "diplength", found)
    variance = (
        length**2 * _column(sources, "dipfluxvar", found)
        + mean**2 * _column(sources, "diplengthvar", found)
        + 2 * mean * length * _column(sources, "dipfluxlengthcov", found)
    )
    # Flux x length is also wrong by what the positions on the two images are.
    true = flux[there] * size[there]
    _add(verdict, "dipole.product", (mean * length - true) / np.sqrt(variance))
    bearing = np.degrees(np.arctan2(change["movedEast"][there], change["movedNorth"][there]))
    off = np.abs(_turned(_column(sources, "dipangle", found), bearing, 360))
    middle = np.nanmedian(off) if np.isfinite(off).any() else None
    verdict.add("dipole.degrees", middle, None, 10, len(off), "median off the true angle")


def deblending(verdict: Verdict, sources: Columns, change: Columns) -> None:
    """Pairs of changes 1 to 3 FWHM apart: both found, and with the right fluxes."""
    strong = np.abs(change["snr"]) > _BRIGHT
    strong &= ~change["moves"] & (change["trailLength"] < _PAIR[0] / 2) & change["sure"]
    pairs = []
    frames = np.stack([change["visitId"], change["detector"]])
    for visit, detector in np.unique(frames[:, strong], axis=1).T:
        rows = np.flatnonzero(strong & (frames[0] == visit) & (frames[1] == detector))
        for place, one in enumerate(rows):
            east, north = flat(
                change["ra"][rows[place + 1 :]], change["decl"][rows[place + 1 :]],
                change["ra"][one], change["decl"][one],
            )  # fmt: skip
            far = np.hypot(east, north)
            near = np.flatnonzero((far > _PAIR[0]) & (far < _PAIR[1]))
            pairs += [(one, rows[place + 1 + k]) for k in near]
    both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    ratio = np.abs(change["diffFlux"][both[:, 0]] / change["diffFlux"][both[:, 1]])
    both = both[(ratio < _RATIO) & (ratio > 1 / _RATIO)]
    found = _near(sources, change, both.ravel(), np.full(both.size, 0.6)).reshape(-1, 2)
    seen = (found >= 0).all(axis=1) & (found[:, 0] != found[:, 1])
    share = seen.mean() if len(seen) else None
    verdict.add("deblend.both", share, 0.9, None, len(seen), "pairs 1 to 3 FWHM apart")
    there, source = both[seen].ravel(), found[seen].ravel()
    measured = _column(sources, "psflux", source)
    error = _column(sources, "psfluxerr", source)
    bias = np.median(measured / change["diffFlux"][there]) - 1 if len(there) else None
    verdict.add("deblend.bias", bias, -0.02, 0.02, len(there))
    said = spread((measured - change["diffFlux"][there]) / error)
    verdict.add("deblend.flux.sd", said["sd"], None, 1.3, int(said["n"] or 0))


def _near(
    sources: Columns, change: Columns, rows: NDArray[np.int64], reach: FloatArray
) -> NDArray[np.int64]:
    """Source nearest to each change of its frame within ``reach`` [arcsec], or -1; each once."""
    found = np.full(len(rows), -1, dtype=np.int64)
    frames = np.stack([change["visitId"][rows], change["detector"][rows]])
    for visit, detector in np.unique(frames, axis=1).T:
        here = np.flatnonzero((frames[0] == visit) & (frames[1] == detector))
        there = np.flatnonzero((sources["visitid"] == visit) & (sources["detector"] == detector))
        if not len(there):
            continue
        ra0, decl0 = float(change["ra"][rows[here[0]]]), float(change["decl"][rows[here[0]]])
        x, y = flat(change["ra"][rows[here]], change["decl"][rows[here]], ra0, decl0)
        a, b = flat(
            sources["ra"][there].astype(float), sources["decl"][there].astype(float), ra0, decl0
        )
        best = nearest(x, y, a, b, float(reach[here].max()))
        far = np.hypot(x - a[best], y - b[best])
        found[here] = np.where((best >= 0) & (far < reach[here]), there[best], -1)
    return found
