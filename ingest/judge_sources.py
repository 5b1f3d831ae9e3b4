"""DIASources and forced fluxes of a simulated survey against its truth.

Signal-to-noise ratios are those of the truth: its flux over the error that a point source has by
the true sky, seeing and template, not the one that was measured.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.injection import EDGES, binned, half, nearest, spread
from ingest.judge_shapes import deblending, dipoles, trails
from ingest.verdict import Columns, FloatArray, Verdict, flat
from skyledger.dictionary import flag_bit

_NEAR = 1.0  # arcsec within which a source is the true one
_ALONE = 4.0  # arcsec around a true change without another, for pulls
_READ_NOISE = 8.0**2  # electron**2 of a pixel and snap
_STEADY = 0.3  # of the error: how much a flux may vary in the template season to be certain
_TRAIL = 0.6  # arcsec: longer ones are no point sources


def _expected_error(truth: dict[str, Columns]) -> Callable[[NDArray[Any], FloatArray], FloatArray]:
    """Make the function (visitId, flux [nJy]) -> error of a point source's flux [nJy].

    A PSF has the effective area of a Kolmogorov profile with pixels, 1.4 times that of a Gaussian
    of the same width. Photons of the source itself count 4/3, as they do for a Gaussian.
    """
    visits = truth["visits"]
    scale, sky = visits["electronsPerNjy"], visits["sky"]
    pixels = 1.4 * 2.266 * (visits["seeing"] / visits["pixelScale"]) ** 2
    noise = pixels * (sky + _READ_NOISE * visits["snaps"]) / scale**2
    template = {}
    for band in np.unique(visits["band"]):
        season = (visits["band"] == band) & (visits["season"] == 0)
        if season.any():
            number = len(np.unique(visits["visitId"][season]))
            template[band] = float(np.mean(noise[season]) / number)
    index = {int(v): k for k, v in enumerate(visits["visitId"])}

    def error(visit: NDArray[Any], flux: FloatArray) -> FloatArray:
        row = np.array([index[int(v)] for v in visit], dtype=int)
        added = np.array([template.get(b, 0.0) for b in visits["band"][row]])
        photons = 4 / 3 * np.abs(flux) / scale[row]
        return np.asarray(np.sqrt(noise[row] + added + photons))

    return error


def changes(truth: dict[str, Columns]) -> Columns:
    """Find the true changes of survey visits, with the S/N of each and its kind."""
    sources, visits = truth["sources"], truth["visits"]
    survey = np.isin(sources["visitId"], visits["visitId"][visits["season"] > 0])
    some = {name: values[survey] for name, values in sources.items()}
    # Photons of what lies below the change, too.
    below = np.maximum(np.abs(some["flux"]), np.abs(some["templateFlux"]))
    some["error"] = _expected_error(truth)(some["visitId"], below)
    some["snr"] = some["diffFlux"] / some["error"]
    # What varied in the template season has no sure flux on a template: some visits are left out.
    some["sure"] = some["templateSpread"] < _STEADY * some["error"]
    objects = truth["objects"]
    hosted = set(objects["objectId"][objects["hostId"] > 0].tolist())
    some["hosted"] = np.array([int(o) in hosted for o in some["objectId"]], bool)
    # A star that moves leaves a dipole: what is found there is real.
    motion = np.hypot(objects["pmRa"], objects["pmDecl"]) + objects["parallax"]
    moving = set(objects["objectId"][motion > 50].tolist())
    some["moves"] = np.array([int(o) in moving for o in some["objectId"]], bool)
    some["movedEast"], some["movedNorth"] = _moved(some, sources, visits)
    return some


def _moved(some: Columns, sources: Columns, visits: Columns) -> tuple[FloatArray, FloatArray]:
    """Offsets [arcsec] of moving stars from their mean place in the template season."""
    season = np.isin(sources["visitId"], visits["visitId"][visits["season"] == 0])
    east, north = np.zeros(len(some["ra"])), np.zeros(len(some["ra"]))
    for star in np.unique(some["objectId"][some["moves"]]):
        for band in np.unique(some["band"]):
            here = (some["objectId"] == star) & (some["band"] == band)
            before = season & (sources["objectId"] == star) & (sources["band"] == band)
            if here.any() and before.any():
                ra, decl = (float(np.mean(sources[name][before])) for name in ("ra", "decl"))
                east[here], north[here] = flat(some["ra"][here], some["decl"][here], ra, decl)
    return east, north


def _by_frame(columns: Columns, others: Columns) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Rows of two tables frame by frame: visit and detector."""
    frames = {(int(v), int(d)) for v, d in zip(others["visitId"], others["detector"], strict=True)}
    pairs = []
    for visit, detector in sorted(frames):
        pairs.append(
            (
                np.flatnonzero((columns["visitid"] == visit) & (columns["detector"] == detector)),
                np.flatnonzero((others["visitId"] == visit) & (others["detector"] == detector)),
            )
        )
    return pairs


def sources(verdict: Verdict, sources: Columns, change: Columns) -> None:
    """Completeness, purity, pulls and what is found where nothing is."""
    hidden = (1 << flag_bit("DIASource", "PARENT")) | (1 << flag_bit("DIASource", "SUBTHRESHOLD"))
    flags = sources["flags"].astype(np.int64)
    sources = {name: values[(flags & hidden) == 0] for name, values in sources.items()}
    n_true, n_found = len(change["snr"]), len(sources["ra"])
    match = np.full(n_true, -1)
    real = np.zeros(n_found, bool)
    alone = np.zeros(n_true, bool)
    strong = np.abs(change["snr"]) > 1
    for found, there in _by_frame(sources, change):
        if not len(there):
            continue
        ra0, decl0 = float(change["ra"][there[0]]), float(change["decl"][there[0]])
        x, y = flat(change["ra"][there], change["decl"][there], ra0, decl0)
        a, b = flat(
            sources["ra"][found].astype(float), sources["decl"][found].astype(float), ra0, decl0
        )
        bright = strong[there]
        near = nearest(x[bright], y[bright], a, b, _NEAR)
        match[there[bright]] = np.where(near >= 0, found[near] if len(found) else -1, -1)
        # Real is what lies near any change, and near a star that moves.
        for k, one in enumerate(found):
            far = np.hypot(x - a[k], y - b[k])
            reach = np.maximum(1.5, change["trailLength"][there] / 2 + 1)
            real[one] = bool(((bright | change["moves"][there]) & (far < reach)).any())
        for here in np.flatnonzero(bright):
            others = bright.copy()
            others[here] = False
            far = np.hypot(x - x[here], y - y[here])
            alone[there[here]] = not (far[others] < _ALONE).any()
    point = alone & (change["trailLength"] < _TRAIL) & ~change["moves"] & change["sure"]
    sought = point & (np.abs(change["snr"]) >= EDGES[0])
    snr, found_it = np.abs(change["snr"][sought]), match[sought] >= 0
    verdict.completeness = binned(snr, found_it)
    verdict.purity = binned(np.abs(sources["snr"].astype(float)), real)
    bars: tuple[tuple[str, float, float, float, float | None], ...] = (
        ("snr5", 4.5, 5.5, 0.53, 0.61),
        ("snr6", 5.5, 6.5, 0.84, None),
        ("snr8", 7.0, 9.0, 0.99, None),
        ("bright", 10.0, np.inf, 0.99, None),
    )
    for name, low, high, least, most in bars:
        inside = (snr >= low) & (snr < high)
        share = found_it[inside].mean() if inside.any() else None
        n = int(inside.sum())
        verdict.add(f"completeness.{name}", share, least, most, n, "masked ones included")
    verdict.add("completeness.half", half(snr, found_it), 4.7, 5.0, len(snr), "S/N at 50 %")
    hosts = change["hosted"][sought] & (snr >= 6)
    blank = ~change["hosted"][sought] & (snr >= 6)
    if hosts.any() and blank.any():
        loss = found_it[blank].mean() - found_it[hosts].mean()
        verdict.add("completeness.hosts", loss, None, 0.03, int(hosts.sum()), "loss above S/N 6")
    strong_found = np.abs(sources["snr"].astype(float)) >= 6
    if strong_found.any():
        verdict.add("purity.snr6", real[strong_found].mean(), 0.95, None, int(strong_found.sum()))
    spurious = sources["spuriousness"].astype(float) < 0.5
    kept = strong_found & spurious
    if kept.any():
        verdict.add(
            "purity.kept", real[kept].mean(), 0.95, None, int(kept.sum()),
            "S/N 6, spuriousness below 0.5",
        )  # fmt: skip
    _pulls(verdict, sources, change, np.flatnonzero(point & (match >= 0)), match)
    frames = len({(int(v), int(d)) for v, d in zip(
        change["visitId"], change["detector"], strict=True)})  # fmt: skip
    false = int((strong_found & ~real).sum())
    verdict.add("noise.unmatched", false / max(frames, 1), None, None, frames, "a detector, S/N 6")
    trails(verdict, sources, change)
    dipoles(verdict, sources, change)
    deblending(verdict, sources, change)
    _links(verdict, sources, change, match)


def _pulls(
    verdict: Verdict, sources: Columns, change: Columns, rows: NDArray[Any], match: NDArray[Any]
) -> None:
    """Add pulls of flux and position of isolated point sources above S/N 8."""
    rows = rows[np.abs(change["snr"][rows]) > 8]
    found = match[rows]

    def of(name: str) -> FloatArray:
        return np.asarray(sources[name][found].astype(float))

    east, north = flat(of("ra"), of("decl"), change["ra"][rows], change["decl"][rows])
    pulls = {
        "flux": (of("psflux") - change["diffFlux"][rows]) / of("psfluxerr"),
        "x": east / of("raerr"),
        "y": north / of("declerr"),
    }
    for name, values in pulls.items():
        said = spread(values)
        verdict.add(f"pulls.{name}.sd", said["sd"], 0.95, 1.10, int(said["n"] or 0))
        verdict.add(f"pulls.{name}.median", said["median"], -0.1, 0.1, int(said["n"] or 0))
        verdict.drawn[f"pull {name}"] = values[np.isfinite(values)]
    faint = np.abs(change["snr"][rows]) <= 100
    ratio = (of("pschi2") / np.maximum(of("psndata") - 3, 1))[faint]
    ratio = ratio[np.isfinite(ratio)]
    verdict.add("pulls.chi2", np.median(ratio) if len(ratio) else None, 0.97, 1.03, len(ratio))


def _links(verdict: Verdict, sources: Columns, change: Columns, match: NDArray[Any]) -> None:
    """Tell whether the sources of one true object are one DIAObject."""
    rows = np.flatnonzero((match >= 0) & (change["trailLength"] == 0))
    members: dict[int, list[float]] = {}
    for row in rows:
        owner = sources["diaobjectid"][match[row]]
        members.setdefault(int(change["objectId"][row]), []).append(float(owner))
    several = [owners for owners in members.values() if len(owners) > 1]
    if several:
        whole = np.mean([len(set(owners)) == 1 for owners in several])
        verdict.add("objects.whole", whole, 0.95, None, len(several), "true objects in one piece")


def forced_fluxes(verdict: Verdict, forced: Columns, change: Columns) -> None:
    """Compare forced fluxes with the truth of their visit, where one change or none is near."""
    precovery = 1 << flag_bit("DIAForcedSource", "PRECOVERY")
    pulls: dict[str, list[float]] = {"sd": [], "precovery": []}
    strong = np.abs(change["snr"]) > 0.3
    for found, there in _by_frame(forced, change):
        for k in found:
            x, y = flat(
                change["ra"][there], change["decl"][there], forced["ra"][k], forced["decl"][k]
            )
            far = np.hypot(x, y)
            near = strong[there] & (far < 0.5)
            crowd = (strong[there] & ~near & (far < 6)) | (change["moves"][there] & (far < 6))
            # Static light leaves what the subtraction leaves: told by `score`, not here.
            light = (far < 3) & (change["flux"][there] > 2000) & ~near
            unsure = near & ~change["sure"][there]
            if crowd.any() or light.any() or unsure.any() or near.sum() > 1:
                continue
            true = float(change["diffFlux"][there][near].sum())
            error = np.hypot(forced["psfluxerr"][k], 0.01 * true)
            late = int(forced["flags"][k]) & precovery
            pulls["precovery" if late else "sd"].append((forced["psflux"][k] - true) / error)
    for name, values in pulls.items():
        said = spread(np.array(values, dtype=float))
        verdict.add(
            f"forced.{name}", said["sd"], 0.95, 1.05, int(said["n"] or 0), "at objects, sd of pulls"
        )
    verdict.drawn["pull forced"] = np.array([*pulls["sd"], *pulls["precovery"]], dtype=float)
