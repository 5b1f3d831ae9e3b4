"""Pictures of an object: its light curve and its cutouts, as it was known at an instant."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from astropy.wcs import WCS
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from processing import fits, warp
from skyledger import answers, products
from skyledger.errors import QueryRefusedError
from skyledger.virtual import VirtualDatabase

# Colour and shape together: told apart in every kind of colour vision, and in grey.
BANDS = {
    "u": ("#9b51f6", "o"),
    "g": ("#2fa29b", "^"),
    "r": ("#c80139", "s"),
    "i": ("#be8913", "D"),
    "z": ("#a02b84", "*"),
    "y": ("#392001", "P"),
}
_CUTOUT_ARCSEC = 12.0

_SIGMA = 5.0  # of an upper limit: the detection threshold

_POINTS = """
SELECT band, midPointTai, flux, fluxErr, kind, noise, ccdVisitId
FROM science.light_curve(ARRAY[{}::bigint], instant => '{}')
WHERE kind = 'limit' OR flux IS NOT NULL
ORDER BY midPointTai, ccdVisitId
"""


@dataclass(frozen=True)
class LightCurve:
    """Difference fluxes of a DIAObject, one point a visit.

    Of the detection, else the forced flux, else the noise: nothing was measured there, and a
    brighter object would have been found.
    """

    object_id: int
    ra: float
    decl: float
    band: NDArray[Any]
    mjd: NDArray[np.float64]
    flux: NDArray[np.float64]  # nJy, NaN for limits
    error: NDArray[np.float64]  # nJy, NaN for limits
    kind: NDArray[Any]  # source, forced or limit
    noise: NDArray[np.float64]  # nJy, one sigma, of limits
    ccd_visit_id: NDArray[np.int64]
    answer: answers.Answer


def light_curve(connection: Any, object_id: int, database: VirtualDatabase) -> LightCurve:
    """Read the light curve of a DIAObject as of an instant.

    Raises
    ------
    QueryRefusedError
        If there is no such object at that instant.
    """
    where = f"SELECT ra, decl FROM DIAObject WHERE diaObjectId = {int(object_id)}"
    found = answers.run(connection, where, database)
    if not found.rows:
        raise QueryRefusedError(
            f"{database} knows no DIAObject {object_id}; it may not have been found yet, or its "
            f"sources were linked elsewhere"
        )
    at = VirtualDatabase(database.name, found.instant)
    answer = answers.run(connection, _POINTS.format(int(object_id), found.instant), at)
    columns = list(zip(*answer.rows, strict=True)) if answer.rows else [()] * 7
    return LightCurve(
        object_id,
        found.rows[0][0],
        found.rows[0][1],
        np.array(columns[0], dtype=object),
        np.array(columns[1], dtype=float),
        np.array(columns[2], dtype=float),
        np.array(columns[3], dtype=float),
        np.array(columns[4], dtype=object),
        np.array(columns[5], dtype=float),
        np.array(columns[6], dtype=np.int64),
        answer,
    )


def draw_light_curve(axes: Axes, curve: LightCurve) -> None:
    """Draw difference flux against time: detections filled, forced fluxes hollow, limits below."""
    axes.axhline(0, color="#808c9c", lw=1, zorder=0)
    for band, (colour, shape) in BANDS.items():
        for kind, said in (("forced", "forced"), ("source", "detected")):
            part = (curve.band == band) & (curve.kind == kind)
            if not part.any():
                continue
            axes.errorbar(
                curve.mjd[part],
                curve.flux[part],
                curve.error[part],
                fmt=shape,
                color=colour,
                mfc=colour if kind == "source" else "white",
                mec=colour,
                ms=6,
                elinewidth=1,
                alpha=0.9,
                label=f"{band} {said}",
            )
        part = (curve.band == band) & (curve.kind == "limit")
        if part.any():
            axes.plot(
                curve.mjd[part],
                _SIGMA * curve.noise[part],
                linestyle="none",
                marker="v",
                color=colour,
                mfc="none",
                ms=6,
                alpha=0.6,
                label=f"{band} limit, {_SIGMA:g} sigma",
            )
    axes.set_xlabel("MJD (TAI)")
    axes.set_ylabel("psFlux, visit minus template [nJy]")
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.legend(fontsize=8, ncols=2, frameon=False)


def _grid(ra: float, decl: float, arcsec: float, scale: float) -> tuple[WCS, tuple[int, int]]:
    """North-up pixel grid around a position."""
    n = max(31, round(arcsec / scale) | 1)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra, decl]
    wcs.wcs.crpix = [(n + 1) / 2, (n + 1) / 2]
    wcs.wcs.cd = [[-scale / 3600, 0], [0, scale / 3600]]
    wcs.wcs.set()
    return wcs, (n, n)


def cutouts(
    connection: Any, curve: LightCurve, ccd_visit_id: int
) -> dict[str, NDArray[np.float32]]:
    """Visit, template and difference around an object, North up, East left, in nJy.

    Raises
    ------
    QueryRefusedError
        If the images of that ccdVisit are not kept here.
    """
    found = answers.run(
        connection,
        "SELECT c.pviPath, t.path, c.differencePath, c.pixelScale FROM CcdVisit AS c "
        f"JOIN Template AS t USING (templateId) WHERE c.ccdVisitId = {int(ccd_visit_id)}",
        VirtualDatabase("prompt", curve.answer.instant),
    )
    if not found.rows:
        raise QueryRefusedError(f"ccdVisit {ccd_visit_id} has no difference image")
    *paths, scale = found.rows[0]
    wcs, shape = _grid(curve.ra, curve.decl, _CUTOUT_ARCSEC, scale)
    images = {}
    for name, path in zip(("visit", "template", "difference"), paths, strict=True):
        file = products.root() / path
        if not file.is_file():
            raise QueryRefusedError(f"{file} is gone; process the visit again to make it")
        images[name] = warp.warp(fits.read(file), wcs, shape).image
    return images


def draw_object(connection: Any, curve: LightCurve) -> Figure:
    """Draw a DIAObject: light curve above, the cutouts of its brightest detection below."""
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    figure.suptitle(
        f"DIAObject {curve.object_id}   RA {curve.ra:.5f}  Dec {curve.decl:+.5f}\n"
        f"as known at {curve.answer.instant.isoformat()} (TAI)",
        fontsize=11,
    )
    grid = figure.add_gridspec(2, 3, height_ratios=[1.35, 1])
    draw_light_curve(figure.add_subplot(grid[0, :]), curve)
    seen = np.flatnonzero(curve.kind == "source")
    if not seen.size:
        return figure
    best = seen[np.argmax(np.abs(curve.flux[seen]) / curve.error[seen])]
    images = cutouts(connection, curve, int(curve.ccd_visit_id[best]))
    # One black and one white point for the three, so that they can be compared by eye.
    low, high = np.nanpercentile(np.stack(list(images.values())), [5, 99.5])
    for place, (name, image) in enumerate(images.items()):
        axes = figure.add_subplot(grid[1, place])
        axes.imshow(
            np.arcsinh((image - low) / max(high - low, 1e-9) * 3),
            vmin=0,
            vmax=np.arcsinh(3),
            origin="lower",
            cmap="gray_r",
            interpolation="nearest",
        )
        axes.set_title(f"{name}, {curve.band[best]}", fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def png(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    out = BytesIO()
    figure.savefig(out, format="png", dpi=110)
    return out.getvalue()
