"""Effects of sky, telescope and detector, each behind a switch."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Effects:
    """Which effects a simulated frame shows; those of the second group are off unless asked for."""

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
    gain_drift: bool = False  # the gains are not quite what the headers say
    satellite_trails: bool = False
    ghosts: bool = False  # pale rings of light reflected in the camera
    diffraction_spikes: bool = False
    brighter_fatter: bool = False  # charge pushes away what arrives later
    chromatic_psf: bool = False  # blue stars are wider
    chromatic_refraction: bool = False  # blue stars stand higher, and are drawn out
    distortion: bool = False  # not quite a tangential projection
    cirrus: bool = False  # Galactic, on the sky

    dead_amplifier: bool = False  # the last one gives its bias and nothing else


_UPSETS = ("dead_amplifier",)  # what befalls a camera, not what it is like


def everything() -> Effects:
    """All effects, upsets apart."""
    return Effects(**{f.name: f.name not in _UPSETS for f in fields(Effects)})
