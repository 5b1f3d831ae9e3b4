"""The truth of a simulated survey, as Parquet files that the pipeline never reads.

Columns and units: docs/reference/truth.md; units also stand in each column's metadata.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simulate import camera
from simulate.cadence import Visit
from simulate.camera import Detector
from simulate.frames import written_whole
from simulate.lightcurves import DampedWalk
from simulate.randomness import generator
from simulate.scene import Scene
from simulate.sky import EPOCH, Catalogue
from skyledger import ids
from skyledger.dictionary import BANDS

FloatArray = NDArray[np.float64]

Column = tuple[str, str, Any]  # name, unit, values


def write_table(path: Path, columns: list[Column]) -> None:
    """Write columns of equal length; the unit goes into the column's metadata."""
    arrays, fields = [], []
    for name, unit, values in columns:
        array = pa.array(values)
        metadata = {"unit": unit} if unit else None
        arrays.append(array)
        fields.append(pa.field(name, array.type, metadata=metadata))
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    with written_whole(path) as temporary:
        pq.write_table(table, temporary)


def _six(name: str, unit: str, values: FloatArray) -> list[Column]:
    return [(f"{b}{name}", unit, values[:, i]) for i, b in enumerate(BANDS)]


# What `skyledger reference load` is told of the reference stars.
_MAPPING = """\
# Columns of reference.parquet: skyledger reference load reference.parquet --columns reference.toml
ra = "ra"
decl = "decl"
raErr = {column = "raErr", unit = "mas"}
declErr = {column = "declErr", unit = "mas"}
epoch = "epoch"
pmRa = "pmRa"
pmDecl = "pmDecl"
pmRaErr = "pmRaErr"
pmDeclErr = "pmDeclErr"
parallax = "parallax"
parallaxErr = "parallaxErr"
extendedness = 0
""" + "".join(f'{b}Flux = "{b}Flux"\n{b}FluxErr = "{b}FluxErr"\n' for b in BANDS)


def write_reference(path: Path, sky: Catalogue, seed: int) -> None:
    """Write the reference stars, r < 21, with errors like those of Gaia.

    Beside them, with the ending ``.toml``, stands what each column is.
    """
    rng = generator(seed, "reference")
    point = sky.kind != "galaxy"
    r = camera.AB_ZERO - 2.5 * np.log10(np.maximum(sky.flux[:, 2], 1e-3))
    rows = np.flatnonzero(point & (r < 21.0))
    n, faint = rows.size, 10 ** (0.2 * np.maximum(r[rows] - 15, 0))  # error growth
    position, motion, parallax = 0.05 * faint, 0.06 * faint, 0.06 * faint  # mas, mas/yr, mas
    relative = np.hypot(0.004, 0.001 * faint)
    flux = sky.flux[rows] * (1 + relative[:, None] * rng.standard_normal((n, 6)))
    ra_step = position * rng.standard_normal(n) / np.cos(np.radians(sky.decl[rows]))
    write_table(
        path,
        [
            ("refId", "", np.arange(1, n + 1)),
            ("ra", "deg", sky.ra[rows] + ra_step / 3.6e6),
            ("decl", "deg", sky.decl[rows] + position * rng.standard_normal(n) / 3.6e6),
            ("raErr", "mas", position),
            ("declErr", "mas", position),
            ("pmRa", "mas/yr", sky.pm_ra[rows] + motion * rng.standard_normal(n)),
            ("pmDecl", "mas/yr", sky.pm_decl[rows] + motion * rng.standard_normal(n)),
            ("pmRaErr", "mas/yr", motion),
            ("pmDeclErr", "mas/yr", motion),
            ("parallax", "mas", sky.parallax[rows] + parallax * rng.standard_normal(n)),
            ("parallaxErr", "mas", parallax),
            ("epoch", "d", np.full(n, EPOCH)),
            *_six("Flux", "nJy", flux),
            *_six("FluxErr", "nJy", flux * relative[:, None]),
        ],
    )
    path.with_suffix(".toml").write_text(_MAPPING, encoding="utf-8")


def write_objects(path: Path, sky: Catalogue) -> None:
    """Write everything in the sky but the asteroids."""
    write_table(
        path,
        [
            ("objectId", "", sky.object_id),
            ("kind", "", sky.kind.tolist()),
            ("ra", "deg", sky.ra),
            ("decl", "deg", sky.decl),
            ("pmRa", "mas/yr", sky.pm_ra),
            ("pmDecl", "mas/yr", sky.pm_decl),
            ("parallax", "mas", sky.parallax),
            ("epoch", "d", np.full(sky.object_id.size, EPOCH)),
            *_six("Flux", "nJy", sky.flux),
            *_six("BulgeFlux", "nJy", sky.bulge),
            ("diskRadius", "arcsec", sky.disk_radius),
            ("diskAxisRatio", "", sky.disk_ratio),
            ("bulgeRadius", "arcsec", sky.bulge_radius),
            ("bulgeAxisRatio", "", sky.bulge_ratio),
            ("positionAngle", "deg", sky.angle),
            ("hostId", "", sky.host),
        ],
    )


_LIGHT_CURVE_UNITS = {
    "period": "d",
    "epoch": "d",
    "amplitude": "mag",
    "depth": "mag",
    "second_depth": "mag",
    "width": "",
    "start": "d",
    "end": "d",
    "burst": "nJy",
    "rise": "d",
    "decline": "d",
    "peak": "d",
    "crossing": "d",
    "impact": "",
}


def write_light_curves(path: Path, sky: Catalogue) -> None:
    """Write the parameters of variables and transients; null where a kind has no such one."""
    names = list(_LIGHT_CURVE_UNITS)
    rows: dict[str, list[float | None]] = {name: [] for name in names}
    amplitudes: list[list[float] | None] = []
    for curve in sky.curves.values():
        known = {} if isinstance(curve, DampedWalk) else vars(curve)
        for name in names:
            value = known.get(name)
            rows[name].append(float(value) if isinstance(value, float) else None)
        peak = known.get("peak")
        amplitudes.append(peak.tolist() if isinstance(peak, np.ndarray) else None)
    index = list(sky.curves)
    write_table(
        path,
        [
            ("objectId", "", sky.object_id[index]),
            ("kind", "", sky.kind[index].tolist()),
            *[
                (name, _LIGHT_CURVE_UNITS[name], pa.array(rows[name], pa.float64()))
                for name in names
            ],
            ("peakFlux", "nJy", pa.array(amplitudes, pa.list_(pa.float64()))),
        ],
    )


def write_asteroids(path: Path, sky: Catalogue) -> None:
    """Write the orbits, heliocentric, ecliptic of J2000."""
    orbits = list(sky.asteroids.values())

    def column(name: str, degrees: bool = False) -> FloatArray:
        values = np.array([getattr(o, name) for o in orbits], dtype=np.float64)
        return np.degrees(values) if degrees else values

    write_table(
        path,
        [
            ("objectId", "", np.array(list(sky.asteroids), dtype=np.int64)),
            ("a", "au", column("a")),
            ("e", "", column("e")),
            ("inclination", "deg", column("inclination", degrees=True)),
            ("node", "deg", column("node", degrees=True)),
            ("perihelion", "deg", column("perihelion", degrees=True)),
            ("meanAnomaly", "deg", column("mean_anomaly", degrees=True)),
            ("epoch", "d", column("epoch")),
            ("H", "mag", column("absolute_magnitude")),
            ("G", "", column("slope")),
        ],
    )


def write_visits(
    path: Path,
    visits: list[Visit],
    detectors: tuple[Detector, ...],
    response: Callable[[Visit, Detector], float],
) -> None:
    """Write what every ccdVisit really was: pointing, zero point, seeing, sky, PSF.

    ``response``: mean response of a detector's good pixels in a visit's band.
    """
    pairs = [(v, d) for v in visits for d in detectors]

    def column(name: str) -> list[Any]:
        return [getattr(v, name) for v, _ in pairs]

    middle = [v.mid(d, np.array([(d.size - 1) / 2]))[0] for v, d in pairs]
    write_table(
        path,
        [
            ("visitId", "", column("visit_id")),
            ("ccdVisitId", "", [ids.ccd_visit_id(v.visit_id, d.number) for v, d in pairs]),
            ("detector", "", [d.number for _, d in pairs]),
            ("band", "", column("band")),
            ("season", "", column("season")),
            ("night", "", column("night")),
            ("arrives", "", column("arrives")),
            ("program", "", column("program")),
            ("snaps", "", column("snaps")),
            ("upset", "", column("upset")),
            ("midPointTai", "d", middle),
            ("shutterTravel", "s", [v.travel(d) for v, d in pairs]),
            ("shutterDirection", "", column("shutter")),
            ("ra", "deg", column("ra")),
            ("decl", "deg", column("decl")),
            ("rotation", "deg", column("rotation")),
            ("crpix1", "pix", [(d.size - 1) / 2 - d.centre_x + 1 for _, d in pairs]),
            ("crpix2", "pix", [(d.size - 1) / 2 - d.centre_y + 1 for _, d in pairs]),
            ("pixelScale", "arcsec", [camera.PIXEL_SCALE] * len(pairs)),
            ("airmass", "", column("airmass")),
            ("zeroPoint", "mag", column("zero_point")),
            ("electronsPerNjy", "electron/nJy", _per_visit(pairs)),
            ("response", "", [response(v, d) for v, d in pairs]),
            ("sky", "electron/pix", [v.sky * v.snaps * camera.SNAP_TIME for v, _ in pairs]),
            ("skySlope", "", [v.sky_slope.tolist() for v, _ in pairs]),
            ("seeing", "arcsec", column("seeing")),
            ("psfSize", "", [v.psf.size.tolist() for v, _ in pairs]),
            ("psfG1", "", [v.psf.g1.tolist() for v, _ in pairs]),
            ("psfG2", "", [v.psf.g2.tolist() for v, _ in pairs]),
        ],
    )


def write_satellites(path: Path, visits: list[Visit], detectors: tuple[Detector, ...]) -> None:
    """Write one row a satellite's trail on a detector."""
    found = [
        (v, d, s, ends)
        for v in visits
        for d in detectors
        for s in v.satellites
        if (ends := s.ends(d)) is not None
    ]
    write_table(
        path,
        [
            ("visitId", "", pa.array([v.visit_id for v, _, _, _ in found], pa.int64())),
            ("detector", "", pa.array([d.number for _, d, _, _ in found], pa.int64())),
            ("snap", "", pa.array([s.snap for _, _, s, _ in found], pa.int64())),
            *[
                (name, "pix", pa.array([ends[k] for _, _, _, ends in found], pa.float64()))
                for k, name in enumerate(("x1", "y1", "x2", "y2"))
            ],
            ("width", "pix", pa.array([s.width for _, _, s, _ in found], pa.float64())),
            ("light", "electron/pix", pa.array([s.light for _, _, s, _ in found], pa.float64())),
        ],
    )


def _per_visit(pairs: list[tuple[Visit, Detector]]) -> list[float]:
    return [v.rate_per_njy * v.snaps * camera.SNAP_TIME for v, _ in pairs]


def write_sources(
    path: Path,
    entries: Iterable[tuple[Visit, Detector, Scene]],
    template: Callable[[Visit], FloatArray],
) -> None:
    """Write one row an object on a detector in a visit.

    ``template``: gives the mean flux of all catalogue objects over the template visits that there
    are before a visit, and its standard deviation from visit to visit, shape (2, n) [nJy].
    """
    names = (
        "visitId", "detector", "band", "snapFlux0", "snapFlux1", "templateFlux", "templateSpread"
    )  # fmt: skip
    parts: dict[str, list[Any]] = {name: [] for name in names}
    scenes: dict[str, list[Any]] = {
        name: [] for name in ("object_id", "kind", "x", "y", "ra", "decl", "mjd", "flux")
    }
    lengths, angles = [], []
    for visit, detector, scene in entries:
        inside = (np.abs(scene.x - (detector.size - 1) / 2) <= detector.size / 2) & (
            np.abs(scene.y - (detector.size - 1) / 2) <= detector.size / 2
        )
        for name, values in scenes.items():
            values.append(getattr(scene, name)[inside])
        count = int(inside.sum())
        parts["visitId"].append(np.full(count, visit.visit_id))
        parts["detector"].append(np.full(count, detector.number))
        parts["band"].append(np.full(count, visit.band))
        parts["snapFlux0"].append(scene.snap_flux[0][inside])
        parts["snapFlux1"].append(scene.snap_flux[-1][inside])
        row = scene.row[inside]
        mean, spread = template(visit)[:, np.maximum(row, 0)]
        parts["templateFlux"].append(np.where(row >= 0, mean, 0.0))
        parts["templateSpread"].append(np.where(row >= 0, spread, 0.0))
        # from the first light of the first snap to the last of the last one
        span = (visit.snap_end(detector, visit.snaps - 1) - visit.snap_begin(detector, 0)) * 86400
        span -= visit.travel(detector)
        speed_x, speed_y = scene.speed_x[inside], scene.speed_y[inside]
        speed = np.hypot(speed_x, speed_y)
        turn = np.radians(visit.rotation)
        east = -np.cos(turn) * speed_x + np.sin(turn) * speed_y
        north = np.sin(turn) * speed_x + np.cos(turn) * speed_y
        lengths.append(speed * span * camera.PIXEL_SCALE)
        angles.append(np.where(speed > 0, np.degrees(np.arctan2(east, north)) % 360, 0.0))
    flat = {k: np.concatenate(v) for k, v in (parts | scenes).items()}
    write_table(
        path,
        [
            ("objectId", "", flat["object_id"]),
            ("kind", "", flat["kind"].tolist()),
            ("visitId", "", flat["visitId"]),
            ("detector", "", flat["detector"]),
            ("band", "", flat["band"].tolist()),
            ("midPointTai", "d", flat["mjd"]),
            ("ra", "deg", flat["ra"]),
            ("decl", "deg", flat["decl"]),
            ("x", "pix", flat["x"]),
            ("y", "pix", flat["y"]),
            ("flux", "nJy", flat["flux"]),
            ("snapFlux0", "nJy", flat["snapFlux0"]),
            ("snapFlux1", "nJy", flat["snapFlux1"]),
            ("templateFlux", "nJy", flat["templateFlux"]),
            ("templateSpread", "nJy", flat["templateSpread"]),
            ("diffFlux", "nJy", flat["flux"] - flat["templateFlux"]),
            ("trailLength", "arcsec", np.concatenate(lengths)),
            ("trailAngle", "deg", np.concatenate(angles)),
        ],
    )


def rows(path: Path) -> int:
    """Return the number of rows of a table."""
    return int(pq.read_metadata(path).num_rows)


def write_pixels(path: Path, columns: dict[str, NDArray[Any]]) -> None:
    """Write a list of pixels: index y * size + x, and what is true of each."""
    units = {"charge": "electron"}
    write_table(path, [(k, units.get(k, ""), v) for k, v in columns.items()])
