"""What an instrument is: a TOML file read into typed values (design section 9)."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from astropy.time import Time
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from skyledger.errors import ConfigurationError

FOLDER = Path(__file__).resolve().parent / "instruments"

Band = Literal["u", "g", "r", "i", "z", "y"]
_Strict = ConfigDict(extra="forbid", frozen=True, strict=True)


class Site(BaseModel):
    """Where the telescope stands."""

    model_config = _Strict

    longitude: Annotated[float, Field(ge=-180, le=360)]  # deg, East positive
    latitude: Annotated[float, Field(ge=-90, le=90)]  # deg
    height: float  # m above the ellipsoid
    obscode: str | None = None  # of the Minor Planet Center


class Filter(BaseModel):
    """One of the observatory's filters."""

    model_config = _Strict

    band: Band
    ab_offset: float = 0.0  # mag: AB magnitude minus the instrument's own
    colour: Annotated[str, Field(pattern=r"^[ugrizy]-[ugrizy]$")] | None = None
    colour_term: float = 0.0  # mag in this filter minus the catalogue's, per mag of the colour
    colour_zero: float = 0.0  # mag: colour for which both agree

    @model_validator(mode="after")
    def _of_a_colour(self) -> "Filter":
        if self.colour_term != 0 and self.colour is None:
            raise ValueError('`colour_term` needs `colour`, for example "g-r"')
        return self


class Keywords(BaseModel):
    """Header keywords that describe a visit; times are MJD (TAI)."""

    model_config = _Strict

    visit_id: str
    detector: str
    filter: str
    program: str
    mid_tai: str
    begin_tai: str
    end_tai: str
    exposure_time: str
    n_snaps: str
    airmass: str
    ra: str
    decl: str
    rotation: str
    shutter_travel: str  # seconds over this detector
    shutter_direction: str  # "+Y" or "-Y"


class ReducedFrames(BaseModel):
    """Header keywords of frames whose signature is removed, for the reader ``reduced``."""

    model_config = _Strict

    filter: str
    program: str
    begin_utc: str  # MJD, UTC
    exposure_time: str  # seconds
    airmass: str
    ra: str  # degrees
    decl: str
    gain: str  # electrons per adu
    read_noise: str  # electrons
    fwhm: str  # pixels
    saturation: float  # adu: no keyword, but a number
    template_fwhm: float  # pixels: wider frames of the template season are visits like others


class AmplifierKeywords(BaseModel):
    """Header keywords of a snap's amplifiers; the last four are followed by a number from 1."""

    model_config = _Strict

    count: str
    full_well: str  # electrons
    saturation: str  # adu, of the converter
    gain: str  # electrons per adu
    read_noise: str  # electrons
    data_section: str  # "[x1:x2,y1:y2]", first pixel 1, ends included
    overscan: str


class Defect(BaseModel):
    """A rectangle of bad pixels, in trimmed pixels from 0, ends included."""

    model_config = _Strict

    detector: int
    x: tuple[int, int]
    y: tuple[int, int]


class TemplateSeason(BaseModel):
    """Which visits make templates, those of a time or with a header value, and how they group.

    DPDD section 11; LSE-61: a span of at most a year, about three bins of airmass.
    """

    model_config = _Strict

    since: str | None = None  # ISO 8601, TAI
    until: str | None = None
    keyword: str | None = None
    value: int | str | None = None
    span_days: Annotated[float, Field(gt=0, le=366)] = 365.25  # of the visits of one template
    airmass: tuple[Annotated[float, Field(gt=1)], ...] = (1.2, 1.5)  # where bins of airmass meet
    program: str | None = None  # whose templates serve programmes that have none of their own
    bin_visits: Annotated[int, Field(ge=1)] = 8  # a bin of fewer joins its neighbour

    @model_validator(mode="after")
    def _one_rule(self) -> "TemplateSeason":
        if (self.until is None) == (self.keyword is None):
            raise ValueError("give either `until` or `keyword` with `value`")
        if (self.keyword is None) != (self.value is None):
            raise ValueError("`keyword` and `value` belong together")
        if self.since is not None and self.until is None:
            raise ValueError("`since` needs `until`")
        for date in (self.since, self.until):
            if date is not None:
                Time(date, scale="tai")
        if list(self.airmass) != sorted(set(self.airmass)):
            raise ValueError("`airmass` must rise from each limit to the next")
        return self

    def bin_of(self, airmass: float) -> int:
        """Bin of an airmass, counted from 0 at the zenith."""
        return sum(airmass >= limit for limit in self.airmass)

    def lasts_at(self, mid_tai: float) -> bool:
        """Tell whether ``mid_tai`` [MJD TAI] lies between the dates; any time without dates."""
        first, last = (
            None if date is None else float(Time(date, scale="tai").mjd)
            for date in (self.since, self.until)
        )
        return (first is None or mid_tai >= first) and (last is None or mid_tai < last)


class Reference(BaseModel):
    """What defines positions and fluxes: a catalogue, or for reduced frames one of them."""

    model_config = _Strict

    file: str  # within the data set
    absolute_error: Annotated[float, Field(ge=0)]  # of its flux scale, a fraction


class Instrument(BaseModel):
    """One instrument.

    ``reader`` names a module of :mod:`processing.instruments` for files that are unlike the
    archive's own layout; it then stands for ``keywords``, ``amplifiers`` and ``reference``, or
    asks for what it needs itself.
    """

    model_config = _Strict

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    description: str
    site: Site
    filters: dict[str, Filter]
    template: TemplateSeason
    reader: str | None = None
    keywords: Keywords | None = None
    amplifiers: AmplifierKeywords | None = None
    reference: Reference | None = None
    reduced: ReducedFrames | None = None
    defects: tuple[Defect, ...] = ()
    pixel_scale: Annotated[float, Field(gt=0)] | None = None  # arcsec; for frames without WCS
    calibration_days: Annotated[float, Field(gt=0)] = 400.0  # a series holds no longer

    @model_validator(mode="after")
    def _readable(self) -> "Instrument":
        if self.reader is None:
            missing = [
                name
                for name in ("keywords", "amplifiers", "reference")
                if getattr(self, name) is None
            ]
            if missing:
                raise ValueError(f"without a reader of its own it needs {', '.join(missing)}")
        elif not (FOLDER / f"{self.reader}.py").is_file():
            raise ValueError(f"its reader {self.reader}.py is not in processing/instruments")
        return self


def known() -> list[str]:
    """Names of the instruments that are shipped."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Instrument:
    """Read an instrument by name.

    Raises
    ------
    ConfigurationError
        If there is no such instrument, or its file has unknown keys, missing keys or values of
        the wrong type.
    """
    path = FOLDER / f"{name}.toml"
    if name not in known():
        raise ConfigurationError(
            f"no instrument {name!r}; there are {', '.join(known())}. "
            f"An instrument is a file processing/instruments/NAME.toml"
        )
    return parse(path.read_text(encoding="utf-8"), path.name)


def parse(text: str, source: str) -> Instrument:
    """Read an instrument from TOML text; ``source`` is named in the error."""
    try:
        raw = tomllib.loads(text)
        # TOML has no tuples; strict validation wants them.
        for defect in raw.get("defects", []):
            defect |= {axis: tuple(defect[axis]) for axis in ("x", "y") if axis in defect}
        if "defects" in raw:
            raw["defects"] = tuple(raw["defects"])
        if "airmass" in raw.get("template", {}):
            raw["template"]["airmass"] = tuple(raw["template"]["airmass"])
        return Instrument.model_validate(raw)
    except (ValidationError, tomllib.TOMLDecodeError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{source} is not a valid instrument: {error}") from error
