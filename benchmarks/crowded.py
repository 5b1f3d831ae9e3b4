"""A crowded field without WCS: 73 real epochs of one event, against the notes beside the frames.

    ./run bench crowded [--folder DIR] [--picture FILE]

Every frame is brought onto the reference frame, the sharp ones of the season are averaged, all
others subtracted. ``event``: standard deviation of the measured over the expected light curve, as a
share of its range, at the epochs of the notes, which are interpolated to within 0.05 days of a
frame (they are good to 5 %); one constant, the template's own brightness, is taken from the
reference epoch. ``steady``: median over the visits of the DIASources at S/N > 8 elsewhere, not
flagged for saturation or the edge; ``most``: the worst visit. ``refused``: visits whose
subtraction failed. ``noise``: median of the noise over the predicted one. ``masked``: share of the
pixels that the template covers and a mask takes. CPU seconds are of one core, with compiled code
kept from earlier runs.
"""

import argparse
import sys
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
from astropy.time import Time

sys.path.append(str(Path(__file__).parent))
from support.figures import say

from processing import coadd, dia, difference, forced, instrument, reader, single_visit
from processing.exposure import Mask
from skyledger.dictionary import flag_bit
from skyledger.errors import DataRejectedError

mpl.use("Agg")
import matplotlib.pyplot as plt

_EVENT = (288.0, 215.0)  # pixel on the reference frame
_HELIO = 400.0  # seconds, about: the notes' times are heliocentric
# HJD - 2456000 and adu at the scale of the reference frame, relative to it; from the notes.
_NOTES = np.array([
    (471.475, -50100), (480.615, -33100), (491.267, -52900), (499.342, -64800), (506.213, -56700),
    (507.254, -52200), (507.531, -44500), (508.204, 2500), (508.290, 1400), (508.323, -5000),
    (508.362, -14900), (508.393, -25400), (508.421, -35100), (508.448, -44100), (508.473, -49100),
    (508.505, -62400), (508.525, -67700), (509.231, -73800), (510.345, -76500),
])  # fmt: skip
_FLAGS = ("SATURATED", "SATURATED_NEARBY", "EDGE")


def measure(folder: Path) -> dict[str, list[float]]:
    """Reduce all frames; return what is needed of each visit."""
    used = instrument.load("saao")
    frames, problems = reader.scan(folder, used)
    if problems:
        raise DataRejectedError(problems[0][1])
    done = [single_visit.process(frame, used, None, None).exposure for frame in frames]
    template = coadd.build_template([e for e in done if e.visit.is_template])
    names = [frame.paths[0].name for frame in frames]
    assert used.reference is not None
    sky = done[names.index(used.reference.file)].wcs.all_pix2world([_EVENT], 0)
    found: dict[str, list[float]] = {
        key: [] for key in ("hjd", "flux", "error", "others", "noise", "masked", "refused")
    }
    wanted = sum(1 << flag_bit("DIASource", name) for name in _FLAGS)
    for exposure in done:
        if exposure.visit.is_template:
            continue
        try:
            made = difference.subtract(exposure, template)
        except DataRejectedError as error:
            print(error, file=sys.stderr)
            found["refused"].append(exposure.visit.mid_tai)
            continue
        sources = dia.detect_and_measure(made, exposure, None)
        x, y = made.exposure.wcs.all_world2pix(sky, 0)[0]
        strong = (sources["snr"] > 8) & (np.hypot(sources["x"] - x, sources["y"] - y) > 8)
        strong &= (np.asarray(sources["flags"]) & wanted) == 0
        covered = (made.template.mask & int(Mask.NO_DATA)) == 0
        table = forced.force(made.exposure, exposure, sky[:, 0], sky[:, 1])
        utc = Time(exposure.visit.mid_tai, format="mjd", scale="tai").utc.mjd
        found["hjd"].append(utc + _HELIO / 86400 + 2400000.5 - 2456000)
        found["flux"].append(float(table["psFlux"][0]) if len(table) else np.nan)
        found["error"].append(float(table["psFluxErr"][0]) if len(table) else np.nan)
        found["others"].append(int(strong.sum()))
        found["noise"].append(made.quality["scoreSd"])
        found["masked"].append(1 - float(made.exposure.usable()[covered].mean()))
    return found


def draw(found: dict[str, list[float]], zero: float, path: Path) -> None:
    """Draw the light curve, and the night of the fall, beside the notes."""
    figure, axes = plt.subplots(1, 2, figsize=(14, 5))
    for axis in axes:
        axis.errorbar(found["hjd"], np.array(found["flux"]) - zero, found["error"], fmt="k.")
        axis.plot(*_NOTES.T, "rx")
        axis.set_xlabel("HJD - 2456000")
    axes[0].set_ylabel("flux [adu of the reference frame]")
    axes[1].set_xlim(508.15, 508.6)
    figure.savefig(path, dpi=80)


def main() -> None:
    """Print the figures as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("../shared/data/images/saao_kb13475"))
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    if not options.folder.is_dir():
        sys.exit(f"{options.folder} is not there: the frames lie beside the checkout, or --folder")
    before = time.process_time()
    found = measure(options.folder)
    spent = time.process_time() - before
    time_of, flux = np.array(found["hjd"]), np.array(found["flux"])
    known = np.isfinite(flux)
    zero = float(np.interp(508.30, time_of[known], flux[known]))
    near = np.abs(_NOTES[:, 0, None] - time_of[known]).min(axis=1) < 0.05
    expected = _NOTES[near]
    measured = np.interp(expected[:, 0], time_of[known], flux[known]) - zero
    spread = float(np.std(measured - expected[:, 1])) / float(np.ptp(_NOTES[:, 1]))
    say("crowded.event", spread, "of the range", "0.05", epochs=int(near.sum()))
    say("crowded.steady", float(np.median(found["others"])), "DIASources a visit", visits=len(flux))
    say("crowded.most", max(found["others"]), "DIASources")
    say("crowded.refused", len(found["refused"]), "visits")
    say("crowded.noise", float(np.median(found["noise"])), "of the predicted")
    say("crowded.masked", float(np.median(found["masked"])), "of the pixels")
    say("crowded.cpu", spent, "CPU s", frames=73)
    if options.picture:
        draw(found, zero, options.picture)


if __name__ == "__main__":
    main()
