"""Pictures of how good the data are: of a visit's images, and of completeness. One function each.

The pictures of a visit are drawn from its kept images: what is not in the files, such as the
matching kernel and the score, is made again by the same subtraction.
"""

from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage

from processing import difference, fits
from processing.difference import Difference
from processing.exposure import Exposure, Mask
from processing.psf import PsfModel
from processing.quality import adaptive_moments, noise_peaks
from skyledger import answers, products
from skyledger.errors import QueryRefusedError
from skyledger.virtual import VirtualDatabase

_DOTS = 110  # an inch
_CELLS = 9  # a side of the maps of the PSF
_INK, _ACCENT, _PALE = "#1d2733", "#c80139", "#808c9c"
_NUMBERS = (
    ("seeing", "seeing", '"'),
    ("zeroPoint", "zero point", " mag"),
    ("photoCalibRelErr", "its error", ""),
    ("psfResidual", "PSF residual", ""),
    ("nPsfStars", "PSF stars", ""),
    ("astromSysRaErr", "WCS, RA", '"'),
    ("skyNoise", "sky noise", " nJy/px"),
    ("diffNoise", "point source noise", " nJy"),
    ("scoreSd", "score sd", ""),
    ("residualFraction", "light of stars left", ""),
    ("kernelSum", "kernel sum", ""),
    ("nStamps", "kernel stamps", ""),
    ("usableFraction", "usable pixels", ""),
    ("nDiaSources", "DIASources", ""),
    ("nSpurious", "of them spurious", ""),
    ("nNoisePeaks", "noise peaks expected", ""),
)


def psf_map(axes: Axes, exposure: Exposure) -> None:
    """Draw the width of the PSF over the detector in colour, its ellipticity as whiskers."""
    assert exposure.psf is not None  # noqa: S101 (every kept image has one)
    ny, nx = exposure.shape
    xs, ys = ((np.arange(_CELLS) + 0.5) * n / _CELLS for n in (nx, ny))
    width = np.zeros((_CELLS, _CELLS))
    for i, y in enumerate(ys):
        for j, x in enumerate(xs):
            stamp = exposure.psf.image(float(x), float(y))
            width[i, j] = PsfModel.constant(stamp).fwhm(0, 0)
            moments = adaptive_moments(stamp)
            size = moments[0, 0] + moments[1, 1]
            e1, e2 = (moments[0, 0] - moments[1, 1]) / size, 2 * moments[0, 1] / size
            angle, length = 0.5 * np.arctan2(e2, e1), np.hypot(e1, e2) * nx / _CELLS * 5
            dx, dy = np.cos(angle) * length / 2, np.sin(angle) * length / 2
            axes.plot([x - dx, x + dx], [y - dy, y + dy], color=_INK, lw=1.2)
    image = axes.imshow(width, origin="lower", extent=(0, nx, 0, ny), cmap="viridis")
    axes.figure.colorbar(image, ax=axes, label="PSF FWHM [px]", shrink=0.8)
    axes.set_title("PSF: width, ellipticity (x5)", fontsize=9)


def residual_map(axes: Axes, subtracted: Difference) -> None:
    """Draw the difference image in units of its noise, averaged over blocks of pixels."""
    exposure = subtracted.exposure
    usable = exposure.usable() & np.isfinite(exposure.variance)
    pull = np.where(usable, exposure.image / np.sqrt(np.where(usable, exposure.variance, 1)), 0)
    block = max(1, min(exposure.shape) // 128)
    ny, nx = (n // block * block for n in exposure.shape)

    def folded(values: NDArray[Any]) -> NDArray[np.float64]:
        parts = values[:ny, :nx].reshape(ny // block, block, nx // block, block)
        return np.asarray(parts.sum(axis=(1, 3)), dtype=np.float64)

    count = folded(usable)
    shown = np.where(count > 0, folded(pull) / np.sqrt(np.maximum(count, 1)), np.nan)
    image = axes.imshow(
        shown, origin="lower", extent=(0, nx, 0, ny), cmap="RdBu_r", vmin=-5, vmax=5
    )
    axes.figure.colorbar(image, ax=axes, label="sigma", shrink=0.8)
    axes.set_title(f"difference, {block} x {block} px", fontsize=9)


def kernel(axes: Axes, subtracted: Difference) -> None:
    """Draw the matching kernel at the middle and the corners of the detector."""
    ny, nx = subtracted.exposure.shape
    places = [(0.1, 0.9), (0.9, 0.9), (0.5, 0.5), (0.1, 0.1), (0.9, 0.1)]
    size, half = 64, 12
    middle = slice(size // 2 - half, size // 2 + half + 1)
    images = []
    for f, g in places:
        waves = subtracted.kernel.transform(f * nx, g * ny, size)
        images.append(np.fft.fftshift(np.fft.irfft2(waves, (size, size)))[middle, middle])
    side = 2 * half + 1
    board = np.full((3 * side + 2, 3 * side + 2), np.nan)
    for image, (f, g) in zip(images, places, strict=True):
        row, column = (int(np.rint(v * 2)) * (side + 1) for v in (g, f))
        board[row : row + side, column : column + side] = image
    limit = float(np.nanmax(np.abs(board)))
    axes.imshow(board, origin="lower", cmap="RdBu_r", vmin=-limit, vmax=limit)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(f"matching kernel, sum {subtracted.kernel.sum:.3f}", fontsize=9)


def score_histogram(axes: Axes, subtracted: Difference) -> None:
    """Draw how the score is distributed beside the normal distribution it should follow."""
    usable = subtracted.exposure.usable()
    score = subtracted.score[usable]
    edges = np.linspace(-8, 8, 65)
    axes.hist(np.clip(score, -8, 8), edges.tolist(), density=True, color=_PALE, label="score")
    axes.plot(edges, np.exp(-(edges**2) / 2) / np.sqrt(2 * np.pi), color=_ACCENT, label="normal")
    axes.set_yscale("log")
    axes.set_ylim(0.1 / max(score.size, 1), 1)
    axes.set_xlabel("point source S/N")
    axes.legend(fontsize=7, frameon=False)
    axes.set_title("score of all usable pixels", fontsize=9)


def star_residuals(axes: Axes, subtracted: Difference, pvi: Exposure) -> None:
    """Draw what the subtraction leaves at each star, as a share of its light, against its flux."""
    exposure = subtracted.exposure
    template = subtracted.template.image
    usable = exposure.usable() & subtracted.template.usable()
    sigma = float(np.sqrt(np.median(pvi.variance[usable])))
    level = ndimage.gaussian_filter(np.where(usable, template, 0), 1.5)
    peaks = (level == ndimage.maximum_filter(level, 15)) & usable & (level > 10 * sigma)
    clean = ~ndimage.binary_dilation(~usable, iterations=6)
    rows, columns = np.nonzero(peaks & clean)
    disk = np.hypot(*np.mgrid[-6:7, -6:7]) <= 6
    flux, left = [], []
    for row, column in zip(rows, columns, strict=True):
        box = slice(row - 6, row + 7), slice(column - 6, column + 7)
        if template[box].shape == disk.shape:
            flux.append(float(template[box][disk].sum()))
            left.append(float(exposure.image[box][disk].sum()))
    if flux:
        axes.plot(flux, 100 * np.array(left) / np.array(flux), ".", color=_INK, ms=3)
        axes.set_xscale("log")
    axes.axhline(0, color=_PALE, lw=1)
    axes.set_ylim(-10, 10)
    axes.set_xlabel("flux of the star on the template [nJy]")
    axes.set_ylabel("left [%]")
    axes.set_title("stars after the subtraction", fontsize=9)


def mask_map(axes: Axes, exposure: Exposure) -> None:
    """Draw which pixels carry no usable flux, and why."""
    planes = (Mask.EDGE, Mask.BAD, Mask.CR, Mask.SAT, Mask.STREAK, Mask.NO_DATA)
    colours = ("#d8dde3", "#1d2733", "#2fa29b", "#c80139", "#be8913", "#9b51f6")
    shown = np.ones((*exposure.shape, 3))
    for plane, colour in zip(planes, colours, strict=True):
        inside = (exposure.mask & int(plane)) != 0
        shown[inside] = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        axes.plot([], [], "s", color=colour, label=plane.name)
    axes.imshow(shown, origin="lower", interpolation="nearest")
    axes.legend(fontsize=6, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.06))
    axes.set_title(f"mask, {100 * exposure.usable().mean():.1f} % usable", fontsize=9)


def sky_map(axes: Axes, pvi: Exposure) -> None:
    """Draw what is left of the sky on the visit image: medians of 16 x 16 fields."""
    blank = np.where(pvi.usable() & ((pvi.mask & int(Mask.DETECTED)) == 0), pvi.image, np.nan)
    rows, columns = (np.array_split(np.arange(n), 16) for n in pvi.shape)
    levels = np.full((16, 16), np.nan)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            field = blank[row[0] : row[-1] + 1, column[0] : column[-1] + 1]
            if np.isfinite(field).sum() > 50:
                levels[i, j] = np.nanmedian(field)
    sigma = float(np.sqrt(np.nanmedian(np.where(pvi.usable(), pvi.variance, np.nan))))
    ny, nx = pvi.shape
    image = axes.imshow(
        levels / sigma, origin="lower", extent=(0, nx, 0, ny), cmap="RdBu_r", vmin=-0.3, vmax=0.3
    )
    axes.figure.colorbar(image, ax=axes, label="sigma of a pixel", shrink=0.8)
    axes.set_title("sky left on the visit image", fontsize=9)


def depth_map(axes: Axes, row: dict[str, Any], shape: tuple[int, int]) -> None:
    """Draw the magnitude of a point source of S/N 5 on the difference, over an 8 x 8 grid."""
    noise = np.array([np.nan if v is None else v for v in row["diffnoisegrid"]], float)
    depth = 31.4 - 2.5 * np.log10(5 * noise.reshape(8, 8))
    ny, nx = shape
    image = axes.imshow(depth, origin="lower", extent=(0, nx, 0, ny), cmap="viridis")
    axes.figure.colorbar(image, ax=axes, label="mag at S/N 5", shrink=0.8)
    axes.set_title(f"depth, median {np.nanmedian(depth):.2f} mag", fontsize=9)


def false_positives(axes: Axes, subtracted: Difference) -> None:
    """Draw how many peaks of each sign the score has above a threshold, and noise alone would."""
    usable = subtracted.exposure.usable()
    edges = np.linspace(3.5, 8, 37)
    for sign, colour, label in ((1, _ACCENT, "positive"), (-1, _INK, "negative")):
        score = np.where(usable, sign * subtracted.score, 0)
        peaks = score[(score == ndimage.maximum_filter(score, 3)) & (score > edges[0])]
        axes.step(edges, [(peaks > e).sum() for e in edges], color=colour, label=label)
    expected = [noise_peaks(subtracted.exposure, float(e)) / 2 for e in edges]
    axes.plot(edges, expected, ":", color=_PALE, label="of noise")
    axes.set_yscale("log")
    axes.set_ylim(0.3, None)
    axes.set_xlabel("threshold, S/N")
    axes.legend(fontsize=7, frameon=False)
    axes.set_title("peaks of the score above a threshold", fontsize=9)


def zero_points(axes: Axes, visits: list[tuple[Any, ...]], ccd_visit_id: int) -> None:
    """Draw zero point against airmass: of this visit among the others of its band.

    ``visits``: ccdVisitId, airmass, zeroPoint, photoCalibRelErr.
    """
    known = [v for v in visits if None not in v]
    airmass, zero, error = np.array([v[1:] for v in known], float).reshape(-1, 3).T
    own = np.array([v[0] == ccd_visit_id for v in known], bool)
    for chosen, colour in ((~own, _PALE), (own, _ACCENT)):
        axes.errorbar(
            airmass[chosen], zero[chosen], 1.0857 * error[chosen], fmt="o", ms=4, color=colour
        )
    axes.set_xlabel("airmass")
    axes.set_ylabel("zero point [mag]")
    axes.set_title("zero points of the band, this visit red", fontsize=9)


def numbers(axes: Axes, row: dict[str, Any]) -> None:
    """Write the numbers of a CcdVisit; what is missing shows as a dash."""
    axes.axis("off")
    for k, (name, words, unit) in enumerate(_NUMBERS):
        value = row.get(name.lower())
        said = "-" if value is None else f"{value:.4g}{unit}"
        y = 1 - (k + 0.5) / len(_NUMBERS)
        axes.text(0.0, y, words, fontsize=8, transform=axes.transAxes, va="center")
        axes.text(1.0, y, said, fontsize=8, transform=axes.transAxes, va="center", ha="right")


def ccd_visit(connection: Any, ccd_visit_id: int, database: VirtualDatabase) -> dict[str, Any]:
    """Row of a CcdVisit as of an instant, by its lower-case column names, and its template's path.

    Raises
    ------
    QueryRefusedError
        If there is no such ccdVisit at that instant, or it was not differenced.
    """
    found = answers.run(
        connection,
        "SELECT c.*, t.path AS templatePath FROM CcdVisit AS c JOIN Template AS t "
        f"ON t.templateId = c.templateId WHERE c.ccdVisitId = {int(ccd_visit_id)}",
        database,
    )
    if not found.rows:
        raise QueryRefusedError(
            f"{database} has no ccdVisit {ccd_visit_id} with a difference image; visits of a "
            f"template season have none"
        )
    return {c.name.lower(): v for c, v in zip(found.columns, found.rows[0], strict=True)}


def draw_visit(connection: Any, ccd_visit_id: int, database: VirtualDatabase) -> Figure:
    """Draw one page about a ccdVisit.

    PSF, residuals, mask, depth, kernel, score, stars, false positives, zero point, numbers.

    Raises
    ------
    QueryRefusedError
        If it is not known, or its images are no longer kept.
    """
    row = ccd_visit(connection, ccd_visit_id, database)
    paths = [products.root() / row[name] for name in ("pvipath", "templatepath")]
    for path in paths:
        if not path.is_file():
            raise QueryRefusedError(
                f"{path} is no longer kept, and without it there is no picture; the numbers are in "
                f"CcdVisit"
            )
    pvi, template = (fits.read(path) for path in paths)
    subtracted = difference.subtract(pvi, template)
    others = answers.run(
        connection,
        "SELECT c.ccdVisitId, c.airmass, c.zeroPoint, c.photoCalibRelErr FROM CcdVisit AS c "
        f"WHERE c.band = '{row['band']}' AND c.detector = {row['detector']} "
        f"AND c.instrument = '{row['instrument']}'",
        database,
    )
    figure = Figure(figsize=(15, 10), layout="constrained")
    figure.suptitle(
        f"{row['instrument']} visit {row['visitid']} detector {row['detector']}, {row['band']}, "
        f"MJD {row['midpointtai']:.4f}, airmass {row['airmass']:.2f}",
        fontsize=11,
    )
    grid = figure.add_gridspec(3, 4)
    psf_map(figure.add_subplot(grid[0, 0]), pvi)
    residual_map(figure.add_subplot(grid[0, 1]), subtracted)
    mask_map(figure.add_subplot(grid[0, 2]), subtracted.exposure)
    depth_map(figure.add_subplot(grid[0, 3]), row, pvi.shape)
    numbers(figure.add_subplot(grid[1:, 3]), row)
    kernel(figure.add_subplot(grid[1, 0]), subtracted)
    score_histogram(figure.add_subplot(grid[1, 1]), subtracted)
    star_residuals(figure.add_subplot(grid[1, 2]), subtracted, pvi)
    false_positives(figure.add_subplot(grid[2, 0]), subtracted)
    zero_points(figure.add_subplot(grid[2, 1]), list(others.rows), ccd_visit_id)
    sky_map(figure.add_subplot(grid[2, 2]), pvi)
    return figure


def _steps(axes: Axes, rows: list[dict[str, Any]], label: str, colour: str, style: str) -> None:
    """Draw shares of S/N bins with the binomial error of each."""
    some = [row for row in rows if row["n"]]
    middle = np.array([np.sqrt(row["low"] * row["high"]) for row in some])
    share = np.array([row["share"] for row in some])
    error = np.sqrt(np.maximum(share * (1 - share), 0.02) / np.array([row["n"] for row in some]))
    axes.errorbar(middle, share, error, fmt=style, color=colour, label=label, ms=4, lw=1)


def completeness(summary: dict[str, Any]) -> Figure:
    """Draw completeness and purity against S/N, of :func:`ingest.injection.summary`."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for kind, colour, style in (
        ("all", _PALE, "o:"),
        ("blank", "#2fa29b", "s-"),
        ("host", "#c80139", "^-"),
        ("star", "#be8913", "D-"),
    ):
        _steps(left, summary["completeness"][kind], kind, colour, style)
    left.axvline(5, color=_PALE, lw=0.8)
    left.set_ylabel("share")
    left.set_title("completeness by place", fontsize=10)
    left.set_xlabel("Fisher S/N of the artificial source")
    _steps(right, summary["purity"], "of all found", _PALE, "o:")
    _steps(right, summary["purityOfNew"], "of what is new", "#c80139", "s-")
    right.set_title("artificial sources among those found", fontsize=10)
    right.set_xlabel("S/N as found")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_ylim(-0.03, 1.03)
        axes.set_xticks([3, 5, 10, 20, 50], ["3", "5", "10", "20", "50"])
        axes.minorticks_off()
        axes.legend(fontsize=8, frameon=False)
    figure.suptitle(
        f"{summary['instrument']}: {summary['fakes']} artificial sources in "
        f"{summary['frames']} frames, {100 * summary['maskedShare']:.1f} % of the pixels masked",
        fontsize=10,
    )
    return figure


def _histogram(axes: Axes, name: str, values: NDArray[np.float64]) -> None:
    if not values.size:
        axes.axis("off")
    elif name.startswith("pull"):
        edges = np.linspace(-5, 5, 41)
        axes.hist(np.clip(values, -5, 5), edges.tolist(), density=True, color=_PALE)
        axes.plot(edges, np.exp(-(edges**2) / 2) / np.sqrt(2 * np.pi), color=_ACCENT)
    else:
        axes.hist(values, 20, color=_PALE)
    axes.set_title(f"{name}, {values.size}", fontsize=9)


def verdict(
    found: list[dict[str, Any]], real: list[dict[str, Any]], drawn: dict[str, NDArray[np.float64]]
) -> Figure:
    """Draw one page of :func:`ingest.judge.judge`: completeness, purity and distributions.

    ``found`` and ``real`` are shares in S/N bins, ``drawn`` arrays by name; pulls are drawn beside
    the normal distribution they should follow.
    """
    figure = Figure(figsize=(12, 6), layout="constrained")
    board = figure.subplots(2, 4)
    axes = board[0, 0]
    _steps(axes, found, "completeness", "#c80139", "s-")
    _steps(axes, real, "purity", "#2fa29b", "o:")
    axes.set_xscale("log")
    axes.set_ylim(-0.03, 1.03)
    axes.set_xticks([3, 5, 10, 20, 50], ["3", "5", "10", "20", "50"])
    axes.minorticks_off()
    axes.set_xlabel("S/N")
    axes.legend(fontsize=8, frameon=False)
    places = list(board.ravel()[1:])
    for place, (name, values) in zip(places, drawn.items(), strict=False):
        _histogram(place, name, values)
    for place in places[len(drawn) :]:
        place.axis("off")
    return figure


def png(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    out = BytesIO()
    figure.savefig(out, format="png", dpi=_DOTS)
    return out.getvalue()
