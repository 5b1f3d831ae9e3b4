"""Effects of sky, telescope and detector, each behind a switch."""

from dataclasses import dataclass, fields

from skyledger.errors import ConfigurationError


@dataclass(frozen=True)
class Effects:
    """Which effects a simulated frame shows.

    Those of the second group are off unless asked for. The switches of the third group exist so
    that configurations can name them; turning one on raises a ConfigurationError as long as the
    effect is not part of the simulator.
    """

    bias: bool = True  # level and fixed pattern
    overscan: bool = True  # the level drifts from read to read; the overscan columns show it
    dark: bool = True  # dark current and hot pixels
    flat: bool = True  # pixel response, vignetting, dust
    saturation: bool = True  # full well, bleeding along columns, converter limit
    bad_columns: bool = True  # dead columns and dead pixels
    cosmic_rays: bool = True
    background_gradient: bool = True
    moon: bool = True  # brighter sky, brighter towards the Moon
    psf_variation: bool = True  # second order over the field, elliptical
    shutter_motion: bool = True
    dithers: bool = True
    rotation: bool = True
    pointing_error: bool = True  # header WCS off by a few arcsec

    nonlinearity: bool = False  # response falls towards the full well
    crosstalk: bool = False  # each amplifier hears the other
    fringing: bool = False  # interference of the sky's lines, in z and y
    dead_amplifier: bool = False  # the last one gives its bias and nothing else

    gain_drift: bool = False
    satellite_trails: bool = False
    ghosts: bool = False
    diffraction_spikes: bool = False
    brighter_fatter: bool = False
    chromatic_psf: bool = False
    chromatic_refraction: bool = False
    distortion: bool = False
    cirrus: bool = False

    def __post_init__(self) -> None:
        wanted = [name for name in NOT_SIMULATED if getattr(self, name)]
        if wanted:
            raise ConfigurationError(
                f"effects {', '.join(wanted)} are switched on, but this version of the simulator "
                "does not have them; switch them off"
            )


NOT_SIMULATED = tuple(f.name for f in fields(Effects))[-9:]  # from gain_drift on
_UPSETS = ("dead_amplifier",)  # what befalls a camera, not what it is like


def everything() -> Effects:
    """All effects that this version of the simulator has, upsets apart."""
    off = {*NOT_SIMULATED, *_UPSETS}
    return Effects(**{f.name: f.name not in off for f in fields(Effects)})
