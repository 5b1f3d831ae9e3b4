"""Systems in which times and positions are given, as VOTable's TIMESYS and COOSYS name them."""

from dataclasses import dataclass

# Zero of Modified Julian Dates, as a Julian Date.
MJD_ORIGIN = "2400000.5"


@dataclass(frozen=True)
class System:
    """A system of times or positions.

    Attributes
    ----------
    name
        Of the system among those here; an XML name.
    element
        ``TIMESYS`` or ``COOSYS``.
    attributes
        Of the element (VOTable 1.4, sections 3.2 and 3.4).
    """

    name: str
    element: str
    attributes: tuple[tuple[str, str], ...]


# Times of observation: on the clock of the telescope.
OBSERVED = System(
    "observed_mjd_tai",
    "TIMESYS",
    (("timeorigin", MJD_ORIGIN), ("timescale", "TAI"), ("refposition", "TOPOCENTER")),
)
# Epochs of orbital elements.
ORBITAL = System(
    "orbit_mjd_tdb",
    "TIMESYS",
    (("timeorigin", MJD_ORIGIN), ("timescale", "TDB"), ("refposition", "BARYCENTER")),
)
# Instants of the ledger, ISO 8601, which needs no origin: on the clock of the computer.
LEDGER = System("ledger_tai", "TIMESYS", (("timescale", "TAI"), ("refposition", "UNKNOWN")))
# The same as Modified Julian Dates, in Rubin's names.
LEDGER_MJD = System(
    "ledger_mjd_tai",
    "TIMESYS",
    (("timeorigin", MJD_ORIGIN), ("timescale", "TAI"), ("refposition", "UNKNOWN")),
)
# Positions. Their epoch differs from row to row and stands in a column beside them.
ICRS = System("icrs", "COOSYS", (("system", "ICRS"),))
GALACTIC = System("galactic", "COOSYS", (("system", "galactic"),))

SYSTEMS = {s.name: s for s in (OBSERVED, ORBITAL, LEDGER, LEDGER_MJD, ICRS, GALACTIC)}
_MOMENTS = ("time.epoch", "time.start", "time.end")
_EQUATORIAL = ("pos.eq", "pos.pm", "pos.parallax")


def system_of(kind: str, unit: str | None, ucd: str | None, xtype: str | None = None) -> str | None:
    """Name the system of a column of this archive; None for what is neither time nor position.

    Parameters
    ----------
    kind
        Type of the dictionary.
    unit, ucd, xtype
        Of the column. Moments in days are Modified Julian Dates, timestamps are instants of the
        ledger.
    """
    words = (ucd or "").split(";")
    if kind == "timestamp":
        return LEDGER.name
    if unit == "d" and words[0] in _MOMENTS:
        return (ORBITAL if "src.orbital" in words else OBSERVED).name
    if any(word.startswith("pos.galactic") for word in words):
        return GALACTIC.name
    if xtype is not None or any(word.startswith(_EQUATORIAL) for word in words):
        return ICRS.name
    return None
