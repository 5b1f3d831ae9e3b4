"""What lies in a data set: every raw frame, or the reason why it cannot be used.

Headers only are read here; pixels follow when a frame is processed. The layout is that of
``docs/reference/dataset.md``.
"""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from astropy.io import fits

from processing.astrometry import has_wcs, tan_from_header
from processing.exposure import VisitInfo
from processing.instrument import Instrument, Keywords
from processing.raw import RawImage, amplifiers_of, number, opened, raw_image, value
from processing.refraction import zenith_bearing
from skyledger import ids
from skyledger.errors import ConfigurationError, DataRejectedError, UsageError

Problem = tuple[Path, str]


@dataclass(frozen=True)
class Frame:
    """One detector of one visit on disk.

    ``begin_tai`` and ``end_tai`` [MJD TAI] hold for the centre of the detector: start of the
    first snap, end of the last.
    """

    paths: tuple[Path, ...]
    visit: VisitInfo
    begin_tai: float
    end_tai: float


def scan(directory: Path, instrument: Instrument) -> tuple[list[Frame], list[Problem]]:
    """List the frames of a data set, in the order of their time, and the files that are not.

    Parameters
    ----------
    directory : Path
        The data set; frames of the archive's own layout are in its ``raw`` folder.

    Returns
    -------
    frames, problems
        A problem is the file and one sentence: thing, value, limit, next step.

    Raises
    ------
    DataRejectedError
        If there is no such folder, or nothing in it that could be a frame.
    """
    if not directory.is_dir():
        raise DataRejectedError(f"{directory} is not a folder; name the folder of the data set")
    if instrument.reader is not None:
        module = importlib.import_module(f"processing.instruments.{instrument.reader}")
        frames, problems = module.scan(directory, instrument)
    else:
        frames, problems = _scan_raw(directory, instrument)
    frames = [replace(f, visit=_under_sky(f.visit, instrument)) for f in frames]
    return _once(frames, problems)


def _under_sky(visit: VisitInfo, instrument: Instrument) -> VisitInfo:
    """Visit with the direction of the zenith, which follows from its time and the site."""
    bearing = zenith_bearing(
        visit.boresight_ra, visit.boresight_decl, visit.mid_tai,
        instrument.site.longitude, instrument.site.latitude,
    )  # fmt: skip
    return replace(visit, zenith_bearing=bearing)


def _scan_raw(directory: Path, instrument: Instrument) -> tuple[list[Frame], list[Problem]]:
    folder = directory / "raw"
    paths = sorted(folder.glob("*.fit*")) if folder.is_dir() else []
    if not paths:
        raise DataRejectedError(
            f"{directory} holds no frames: {folder} has no *.fits; "
            f"a data set of {instrument.name} keeps its frames there"
        )
    frames, problems = [], []
    for path in paths:
        try:
            frames.append(_frame(path, instrument))
        except DataRejectedError as error:
            problems.append((path, str(error)))
    return frames, problems


def _once(frames: list[Frame], problems: list[Problem]) -> tuple[list[Frame], list[Problem]]:
    """Keep the first frame of each detector and visit; sort by time."""
    first: dict[int, Frame] = {}
    for frame in frames:
        kept = first.setdefault(frame.visit.ccd_visit_id, frame)
        if kept is not frame:
            path = frame.paths[0]
            reason = (
                f"{path.name}: visit {frame.visit.visit_id} detector {frame.visit.detector} "
                f"is there twice, the first time as {kept.paths[0].name}; remove one of them"
            )
            problems.append((path, reason))
    ordered = sorted(first.values(), key=lambda f: (f.visit.mid_tai, f.visit.ccd_visit_id))
    return ordered, problems


def _frame(path: Path, instrument: Instrument) -> Frame:
    words = instrument.keywords
    if words is None:
        raise ConfigurationError(f"instrument {instrument.name} names no header keywords")
    with opened(path) as hdus:
        headers = [hdu.header for hdu in hdus]
        if len(hdus) not in (2, 3):
            count = len(hdus) - 1
            raise DataRejectedError(
                f"{path.name} has {count or 'no'} images after its primary header; a frame has one "
                "or two snaps. Fetch the file again"
            )
        header = headers[0]
        for index, hdu in enumerate(hdus[1:], start=1):
            if hdu.header.get("NAXIS") != 2:
                raise DataRejectedError(
                    f"{path.name}[{index}] has {hdu.header.get('NAXIS')} axes, a snap has 2; "
                    "is this a raw frame?"
                )
    visit = _visit(path, header, instrument, words, headers[1:])
    travel = number(path, header, words.shutter_travel) / 86400
    return Frame(
        paths=(path,),
        visit=visit,
        begin_tai=number(path, header, words.begin_tai) + travel / 2,
        end_tai=number(path, header, words.end_tai) - travel / 2,
    )


def _visit(
    path: Path,
    header: fits.Header,
    instrument: Instrument,
    words: Keywords,
    snaps: Sequence[fits.Header],
) -> VisitInfo:
    filter_name = str(value(path, header, words.filter))
    if filter_name not in instrument.filters:
        raise DataRejectedError(
            f"{path.name}: filter {filter_name!r} is unknown; {instrument.name} has "
            f"{', '.join(instrument.filters)}. Add it to the instrument's file"
        )
    direction = str(value(path, header, words.shutter_direction))
    if direction not in ("+Y", "-Y"):
        raise DataRejectedError(
            f"{path.name}: {words.shutter_direction} is {direction!r}, not +Y or -Y; "
            "correct the header"
        )
    amplifiers, _ = amplifiers_of(path, snaps[0], instrument)
    ny = max(amplifier.data[0].stop for amplifier in amplifiers)
    travel = number(path, header, words.shutter_travel) / 86400
    visit_id, detector = (
        int(number(path, header, word)) for word in (words.visit_id, words.detector)
    )
    try:
        ccd_visit_id = ids.ccd_visit_id(visit_id, detector)
    except UsageError as error:
        raise DataRejectedError(
            f"{path.name}: {error}; correct {words.visit_id} or {words.detector}"
        ) from None
    exposure_time = number(path, header, words.exposure_time)
    if exposure_time <= 0:
        raise DataRejectedError(
            f"{path.name}: {words.exposure_time} is {exposure_time} s; it must be above 0"
        )
    mid_tai = number(path, header, words.mid_tai)
    season = instrument.template
    if season.keyword is None:
        is_template = season.lasts_at(mid_tai)
    else:
        is_template = value(path, header, season.keyword) == season.value
    for snap in snaps:
        if has_wcs(snap) or instrument.pixel_scale is None:
            tan_from_header(path, snap)
    _consistent(path, header, words, snaps)
    begin, end = (number(path, header, word) for word in (words.begin_tai, words.end_tai))
    # At any one place the shutter opens a travel time later than at the first, and closes so.
    open_time = max((end - begin - travel) * 86400, exposure_time)
    return VisitInfo(
        instrument=instrument.name,
        visit_id=visit_id,
        ccd_visit_id=ccd_visit_id,
        detector=detector,
        band=instrument.filters[filter_name].band,
        filter_name=filter_name,
        program_id=str(value(path, header, words.program)),
        mid_tai=mid_tai,
        mid_tai_dx=0.0,
        mid_tai_dy=(1 if direction == "+Y" else -1) * travel / ny,
        exposure_time=exposure_time,
        n_snaps=len(snaps),
        airmass=number(path, header, words.airmass),
        boresight_ra=number(path, header, words.ra),
        boresight_decl=number(path, header, words.decl),
        rotation=number(path, header, words.rotation),
        is_template=is_template,
        dark_share=max(0.0, 1 - exposure_time / open_time) if len(snaps) > 1 else 0.0,
    )


def _consistent(
    path: Path, header: fits.Header, words: Keywords, snaps: Sequence[fits.Header]
) -> None:
    """Refuse headers that contradict each other."""
    count = int(number(path, header, words.n_snaps))
    if count != len(snaps):
        raise DataRejectedError(
            f"{path.name}: {words.n_snaps} is {count}, but the file has {len(snaps)} snaps; "
            "correct the header or fetch the file again"
        )
    total = sum(number(path, snap, "EXPTIME") for snap in snaps)
    stated = number(path, header, words.exposure_time)
    if abs(total - stated) > 0.01 * stated:
        raise DataRejectedError(
            f"{path.name}: {words.exposure_time} is {stated} s, its snaps have {total} s together; "
            "correct the header"
        )
    begin, middle, end = (
        number(path, header, word) for word in (words.begin_tai, words.mid_tai, words.end_tai)
    )
    if not begin < middle < end:
        raise DataRejectedError(
            f"{path.name}: {words.begin_tai} {begin}, {words.mid_tai} {middle}, {words.end_tai} "
            f"{end} are not in this order; correct the header"
        )
    if (end - begin) * 86400 < 0.99 * stated:
        raise DataRejectedError(
            f"{path.name}: {stated} s of exposure do not fit into the {(end - begin) * 86400:.2f} "
            f"s from {words.begin_tai} to {words.end_tai}; correct the header"
        )
    detector = number(path, header, words.detector)
    for snap in snaps:
        if snap.get(words.detector, detector) != detector:
            raise DataRejectedError(
                f"{path.name}: {words.detector} is {detector} in the primary header and "
                f"{snap[words.detector]} in a snap's; correct the header"
            )
    ra, decl = number(path, header, words.ra), number(path, header, words.decl)
    if not (-360 <= ra <= 360 and -90 <= decl <= 90):
        raise DataRejectedError(
            f"{path.name}: {words.ra}, {words.decl} are {ra}, {decl}, no position in degrees; "
            "correct the header"
        )


def read_snaps(frame: Frame, instrument: Instrument) -> list[RawImage]:
    """Read the snaps of a frame of the archive's own layout, in the order of their time.

    Raises
    ------
    DataRejectedError
        If the file is cut off, an array is smaller than its sections, or all pixels are NaN.
    """
    path = frame.paths[0]
    with opened(path) as hdus:
        return [raw_image(path, hdu, instrument) for hdu in hdus[1:]]
