"""Difference imaging and photometry beside that of others, on the same images in the same run.

Scenes (`support/scenes.py`) of 512 x 512 pixels: a visit and a template of rotated, dithered
visits. The peers are given the template as it is resampled to the visit here, the same masks, and
the noise of each pixel; their difference is searched as ours is (likelihood of the visit's PSF
above 5, normalised by its own spread on the usable pixels, which ours is not).

``peers.sfft.*``       Saccadic FFT differencing (Hu et al. 2022), NumPy backend, one thread
``peers.hotpants.*``   hotpants (Becker 2015), where the program is installed
``peers.ours.*``       this package: with warp and decorrelation
  ``.completeness``    share of the fakes of S/N 5 to 8 found within 2.5 pixels
  ``.purity``          share of the detections that are fakes
  ``.cpu``             CPU seconds of the subtraction of a visit, warm, in the median
``peers.photutils.*``  photutils on our differences, at the fakes of S/N > 10 found by both
  ``.completeness``, ``.purity``   as above, of DAOStarFinder on the same image at its 5 sigma
  ``.flux``            median of its PSF flux over ours
  ``.pull``            spread of (flux - truth) / error over ours
  ``.cpu``             CPU milliseconds of one of its fits; ``ours`` beside it
"""

import argparse
import contextlib
import io
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray
from scipy.signal import fftconvolve

sys.path.append(str(Path(__file__).parent))
from support import scenes
from support.figures import cpu, say

from processing.difference import Difference, subtract
from processing.exposure import Exposure
from processing.footprints import find_footprints
from processing.psf import fwhm
from processing.psf_core import fit_points, spline_psf

Image = NDArray[np.float64]
_REACH = 2.5  # pixels
_FAINT = (5.0, 8.0)


@dataclass
class Tally:
    """What one of them found over all scenes."""

    fakes: int = 0
    found: int = 0
    right: int = 0
    wrong: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, truth: Table, x: Image, y: Image, seconds: float) -> None:
        """Count the detections at (x, y) of one scene."""
        distance = np.hypot(np.subtract.outer(x, np.asarray(truth["x"])),
                            np.subtract.outer(y, np.asarray(truth["y"])))  # fmt: skip
        snr = np.abs(np.asarray(truth["snr"]))
        faint = (snr >= _FAINT[0]) & (snr < _FAINT[1])
        self.fakes += int(faint.sum())
        self.found += int((distance.min(axis=0, initial=np.inf) < _REACH)[faint].sum())
        true = distance.min(axis=1, initial=np.inf) < _REACH
        self.right += int(true.sum())
        self.wrong += int((~true).sum())
        self.seconds.append(seconds)

    def report(self, name: str, against: "Tally | None", **more: Any) -> None:
        """Print the figures; ``against`` is ours."""
        for figure in ("completeness", "purity", "cpu"):
            bar = "" if against is None else f"ours {against.value(figure):.3f}"
            say(f"peers.{name}.{figure}", self.value(figure), "CPU s" if figure == "cpu"
                else "fraction", bar, fakes=self.fakes, detections=self.right + self.wrong,
                **more)  # fmt: skip

    def value(self, figure: str) -> float:
        """One of the three figures."""
        if figure == "completeness":
            return self.found / max(1, self.fakes)
        if figure == "purity":
            return self.right / max(1, self.right + self.wrong)
        return float(np.median(self.seconds))


def search(image: Image, variance: Image, good: NDArray[np.bool_], psf: Image) -> tuple[Any, Any]:
    """Detect point sources above 5 in both signs on a difference that somebody else made."""
    weight = np.where(good, 1 / np.where(good, variance, 1), 0)
    turned = psf[::-1, ::-1]
    up = fftconvolve(np.where(good, image, 0) * weight, turned, mode="same")
    down = fftconvolve(weight, turned**2, mode="same")
    score = np.where(good, up / np.sqrt(np.maximum(down, 1e-12 * down.max())), 0)
    seen = score[good]
    score = (score - np.median(seen)) / (1.4826 * np.median(np.abs(seen - np.median(seen))))
    return peaks(score.astype(np.float32), good, psf)


def peaks(score: Any, good: NDArray[np.bool_], psf: Image) -> tuple[Any, Any]:
    """Positions of the detections on a score image."""
    tops = [p for found in find_footprints(score, good, psf, 5.0) for p in found.peaks]
    return np.array([p.x for p in tops], float), np.array([p.y for p in tops], float)


@dataclass(frozen=True)
class Pair:
    """The registered pair the peers get: arrays of one shape."""

    visit: Exposure
    template: Exposure
    good: NDArray[np.bool_]

    @property
    def sharper(self) -> bool:
        """Whether the template is the sharper of the two, and so is to be convolved."""
        return self.width(self.template) <= self.width(self.visit)

    def width(self, exposure: Exposure) -> float:
        """FWHM in the middle [pixel]."""
        return fwhm(self.psf(exposure))

    def psf(self, exposure: Exposure) -> Image:
        """PSF in the middle."""
        assert exposure.psf is not None
        ny, nx = self.visit.shape
        return np.asarray(exposure.psf.image(nx / 2, ny / 2), float)


def sfft(pair: Pair, folder: Path) -> Image:
    """Difference by sfft."""
    from sfft.CustomizedPacket import Customized_Packet  # noqa: PLC0415 (where installed)

    paths = {name: folder / f"{name}.fits" for name in ("ref", "sci", "mref", "msci", "diff")}
    for name, exposure in (("ref", pair.template), ("sci", pair.visit)):
        image = np.where(np.isfinite(exposure.image), exposure.image, 0)
        fits.writeto(paths[name], image.astype(np.float64), overwrite=True)
        fits.writeto(paths["m" + name], np.where(pair.good, image, 0.0), overwrite=True)
    half = int(np.ceil(2 * max(pair.width(pair.visit), pair.width(pair.template))))
    with contextlib.redirect_stdout(io.StringIO()):
        Customized_Packet.CP(
            *(str(paths[name]) for name in ("ref", "sci", "mref", "msci")),
            ForceConv="REF" if pair.sharper else "SCI", GKerHW=half, FITS_DIFF=str(paths["diff"]),
            KerPolyOrder=2, BGPolyOrder=0, ConstPhotRatio=True, BACKEND_4SUBTRACT="Numpy",
            NUM_CPU_THREADS_4SUBTRACT=1, VERBOSE_LEVEL=0,
        )  # fmt: skip
    return np.asarray(fits.getdata(paths["diff"]), float)


def hotpants(pair: Pair, folder: Path) -> Image:
    """Difference by hotpants: Alard-Lupton with its own choice of stamps."""
    for name, exposure in (("t", pair.template), ("i", pair.visit)):
        # Saturation is told by a value beyond the upper limit.
        image = np.where(pair.good, exposure.image, 1e9)
        fits.writeto(folder / f"{name}.fits", image.astype(np.float32), overwrite=True)
    noise = [float(np.sqrt(np.median(e.variance[pair.good]))) for e in (pair.template, pair.visit)]
    subprocess.run(
        ["hotpants", "-tmplim", folder / "t.fits", "-inim", folder / "i.fits",
         "-outim", folder / "d.fits", "-c", "t" if pair.sharper else "i", "-n", "i",
         "-tu", "1e8", "-iu", "1e8", "-tl", str(-20 * noise[0]), "-il", str(-20 * noise[1]),
         "-tg", str(pair.template.electrons_per_unit), "-ig", str(pair.visit.electrons_per_unit),
         "-ko", "2", "-bgo", "0", "-nrx", "1", "-nry", "1", "-nsx", "8", "-nsy", "8", "-v", "0"],
        check=True, capture_output=True,
    )  # fmt: skip
    return np.asarray(fits.getdata(folder / "d.fits"), float)


def spent(work: Callable[[], Any]) -> tuple[Any, float]:
    """Do the work; CPU seconds of this process and of the programs it started."""

    def used() -> float:
        return sum(sum(resource.getrusage(who)[:2]) for who in
                   (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))  # fmt: skip

    before = used()
    result = work()
    return result, used() - before


class Photutils:
    """photutils on our differences."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.ratio: list[float] = []
        self.pulls: list[float] = []
        self.ours: list[float] = []
        self.seconds: list[float] = []
        self.our_seconds: list[float] = []

    def judge(self, scene: scenes.Scene, made: Difference, good: NDArray[np.bool_]) -> None:
        """Search and measure one difference with both."""
        from photutils.detection import DAOStarFinder  # noqa: PLC0415
        from photutils.psf import ImagePSF, PSFPhotometry  # noqa: PLC0415

        exposure = made.exposure
        image = np.where(good, exposure.image, 0).astype(float)
        error = np.sqrt(np.where(good, exposure.variance, 1)).astype(float)
        ny, nx = image.shape
        assert exposure.psf is not None
        stamp = np.asarray(exposure.psf.image(nx / 2, ny / 2), float)
        sd = float(np.median(error[good]))

        def find() -> tuple[Any, Any]:
            places = []
            for sign in (1, -1):
                # It turns a threshold in the noise of a pixel into that of its smoothed image.
                finder = DAOStarFinder(
                    threshold=5 * sd, fwhm=fwhm(stamp),
                    sharpness_range=(-10, 10), roundness_range=(-10, 10),
                )  # fmt: skip
                table = finder(sign * image, mask=~good)
                if table is not None:
                    places += [(row["x_centroid"], row["y_centroid"]) for row in table]
            return np.array(places).reshape(-1, 2).T

        (x, y), seconds = cpu(find)
        self.tally.add(scene.truth, x, y, seconds)
        bright = np.abs(scene.truth["snr"]) > 10
        px, py = (np.asarray(scene.truth[name][bright], float) for name in ("x", "y"))
        inside = good[
            np.rint(py).astype(int).clip(0, ny - 1), np.rint(px).astype(int).clip(0, nx - 1)
        ]
        inside &= (np.minimum(px, py) > 15) & (px < nx - 15) & (py < ny - 15)
        px, py, truth = px[inside], py[inside], np.asarray(scene.truth["flux"][bright][inside])
        psf = spline_psf(exposure.psf, exposure.shape)
        ours, mine = cpu(lambda: fit_points(exposure.image, exposure.variance, good, psf, px, py,
                                            exposure.electrons_per_unit))  # fmt: skip
        fitter = PSFPhotometry(ImagePSF(stamp), (15, 15))
        start = Table({"x": px, "y": py, "flux": truth})
        theirs, needed = cpu(lambda: fitter(image, error=error, mask=~good, init_params=start))
        ok = ours.converged & np.isfinite(theirs["flux_err"])
        self.ratio += list((theirs["flux_fit"] / ours.flux)[ok])
        self.pulls += list(((theirs["flux_fit"] - truth) / theirs["flux_err"])[ok])
        self.ours += list(((ours.flux - truth) / np.sqrt(ours.covariance[:, 0]))[ok])
        self.seconds.append(1e3 * needed / max(1, len(px)))
        self.our_seconds.append(1e3 * mine / max(1, len(px)))

    def report(self, ours: Tally, **more: Any) -> None:
        """Print the figures."""
        for name in ("completeness", "purity"):
            say(f"peers.photutils.{name}", self.tally.value(name), "fraction",
                f"ours {ours.value(name):.3f}", **more)  # fmt: skip
        say("peers.photutils.flux", np.median(self.ratio), "ratio", "1", of=len(self.ratio), **more)
        say("peers.photutils.pull", _spread(self.pulls), "sd", f"ours {_spread(self.ours):.3f}",
            **more)  # fmt: skip
        say("peers.photutils.cpu", np.median(self.seconds), "CPU ms a fit",
            f"ours {np.median(self.our_seconds):.4f}", **more)  # fmt: skip


def _spread(values: list[float]) -> float:
    data = np.array(values)
    return float(1.4826 * np.median(np.abs(data - np.median(data))))


def _installed() -> dict[str, Callable[[Pair, Path], Image]]:
    """Peers that are here; a sentence for each that is not."""
    found: dict[str, Callable[[Pair, Path], Image]] = {}
    try:
        import sfft as _  # noqa: F401, PLC0415

        found["sfft"] = sfft
    except ImportError:
        print("sfft is not installed: pip install 'skyledger[peers]'", file=sys.stderr)
    if shutil.which("hotpants"):
        found["hotpants"] = hotpants
    else:
        print("hotpants is not installed: put its program on the PATH", file=sys.stderr)
    return found


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--size", type=int, default=512)
    options.add_argument("--scenes", type=int, default=4)
    chosen = options.parse_args()
    peers = _installed()
    tallies = {name: Tally() for name in ("ours", *peers)}
    judge = Photutils()
    masked = []
    for k in range(-1, chosen.scenes):  # the first compiles and does not count
        scene = scenes.make(
            1000 * chosen.seed + max(k, 0), chosen.size, visits_in_template=8,
            n_fakes=round(60 * (chosen.size / 512) ** 2), snr=(4.0, 40.0),
        )  # fmt: skip
        template = scene.template()
        made, seconds = cpu(lambda s=scene, t=template: subtract(s.visit, t))
        good = made.exposure.usable() & np.isfinite(made.exposure.variance)
        good &= np.isfinite(made.template.image) & np.isfinite(made.template.variance)
        pair = Pair(scene.visit, made.template, good)
        differences = {}
        with tempfile.TemporaryDirectory(prefix="skyledger-peers-") as name:
            for peer, difference in peers.items():
                differences[peer] = spent(lambda d=difference, p=pair, n=name: d(p, Path(n)))
        if k < 0:
            Photutils().judge(scene, made, good)
            continue
        masked.append(1 - good.mean())
        tallies["ours"].add(scene.truth, *peaks(made.score, good, pair.psf(made.exposure)), seconds)
        variance = np.where(good, scene.visit.variance + made.template.variance, 1)
        for peer, (image, needed) in differences.items():
            matched = pair.psf(pair.visit if pair.sharper else pair.template)
            tallies[peer].add(scene.truth, *search(image, variance, good, matched), needed)
        judge.judge(scene, made, good)
    more = {
        "scenes": chosen.scenes,
        "size": chosen.size,
        "masked": round(float(np.mean(masked)), 4),
    }
    for name, tally in tallies.items():
        tally.report(name, None if name == "ours" else tallies["ours"], **more)
    judge.report(tallies["ours"], **more)


if __name__ == "__main__":
    main()
