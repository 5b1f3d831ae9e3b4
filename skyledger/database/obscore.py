"""ObsCore 1.1: the images of the archive in the words of the VO, as ``ivoa.obscore``.

One row for the processed image and one for the difference image of each ccdVisit, and one for each
template, as of any instant like every living relation. In SQL it is ``prompt.obscore``.
"""

from skyledger.catalogue import REGION, Column, Table
from skyledger.database.published import Item
from skyledger.database.stacked import Body, forms
from skyledger.systems import system_of

# Nominal edges of the bands [nm].
_BANDS = {
    "u": (320, 400),
    "g": (400, 552),
    "r": (552, 691),
    "i": (691, 818),
    "z": (818, 922),
    "y": (950, 1080),
}
_AXIS = "Char.SpatialAxis"
_POSITION = f"{_AXIS}.Coverage.Location.Coord.Position2D.Value2"


def _edge(which: int) -> str:
    cases = " ".join(f"WHEN '{b}' THEN {edges[which]}e-9" for b, edges in _BANDS.items())
    return f"(CASE i.band {cases} END)::double precision"


# Name, type, unit, UCD, utype, expression (None: NULL), description. ``i`` is an image.
_COLUMNS: tuple[tuple[str, str, str | None, str, str, str | None, str], ...] = (
    ("dataproduct_type", "text", None, "meta.code.class", "ObsDataset.dataProductType",
     "'image'::text", "Kind of data: image."),
    ("dataproduct_subtype", "text", None, "meta.code.class", "ObsDataset.dataProductSubtype",
     "i.subtype", "visit image, difference image or template."),
    ("calib_level", "integer", None, "meta.code;obs.calib", "ObsDataset.calibLevel",
     "i.level", "2 for a calibrated image, 3 for one that is made of others."),
    ("obs_collection", "text", None, "meta.id", "DataID.collection",
     "i.instrument", "Collection that the image belongs to: its instrument."),
    ("obs_id", "text", None, "meta.id", "DataID.observationID",
     "i.observation", "Visit, or template."),
    ("obs_publisher_did", "text", None, "meta.ref.ivoid", "Curation.publisherDID",
     "'ivo://skyledger/' || i.instrument || '?' || i.name", "Identifier of the image."),
    ("access_url", "text", None, "meta.ref.url", "Access.reference",
     None, "Where the image can be fetched; NULL while images are files of the archive only."),
    ("access_format", "text", None, "meta.code.mime", "Access.format",
     "'image/fits'::text", "Format of the image."),
    ("access_estsize", "bigint", "kbyte", "phys.size;meta.file", "Access.size",
     None, "Estimated size of the file."),
    ("target_name", "text", None, "meta.id;src", "Target.name",
     None, "Object that was observed; NULL, for a survey has none."),
    ("s_ra", "double precision", "deg", "pos.eq.ra", f"{_POSITION}.C1",
     "i.ra", "Right ascension (ICRS) of the centre."),
    ("s_dec", "double precision", "deg", "pos.eq.dec", f"{_POSITION}.C2",
     "i.decl", "Declination (ICRS) of the centre."),
    ("s_fov", "double precision", "deg", "phys.angSize;instr.fov",
     f"{_AXIS}.Coverage.Bounds.Extent.diameter",
     "science.separation(i.footprint[1], i.footprint[2], i.footprint[5], i.footprint[6]) / 3600",
     "Diagonal of the image."),
    ("s_region", "text", None, "pos.outline;obs.field",
     f"{_AXIS}.Coverage.Support.Area",
     "'Polygon ICRS ' || array_to_string(i.footprint, ' ')",
     "Outline of the image: its corners in degrees (ICRS), as STC-S."),
    ("s_resolution", "double precision", "arcsec", "pos.angResolution",
     f"{_AXIS}.Resolution.Refval.value",
     "i.seeing::double precision", "Full width at half maximum of the point-spread function."),
    ("s_xel1", "bigint", None, "meta.number", f"{_AXIS}.numBins1",
     None, "Number of columns."),
    ("s_xel2", "bigint", None, "meta.number", f"{_AXIS}.numBins2",
     None, "Number of rows."),
    ("t_min", "double precision", "d", "time.start;obs.exposure",
     "Char.TimeAxis.Coverage.Bounds.Limits.StartTime",
     "i.begintai", "Begin of the exposure, for a template of its first one (MJD TAI)."),
    ("t_max", "double precision", "d", "time.end;obs.exposure",
     "Char.TimeAxis.Coverage.Bounds.Limits.StopTime",
     "i.endtai", "End of the exposure, for a template of its last one (MJD TAI)."),
    ("t_exptime", "double precision", "s", "time.duration;obs.exposure",
     "Char.TimeAxis.Coverage.Support.Extent",
     "i.exposuretime::double precision", "Exposure time; NULL for a template."),
    ("t_resolution", "double precision", "s", "time.resolution",
     "Char.TimeAxis.Resolution.Refval.value",
     "i.exposuretime::double precision", "Resolution in time: the exposure itself."),
    ("t_xel", "bigint", None, "meta.number", "Char.TimeAxis.numBins",
     "1::bigint", "Elements along the time axis: 1."),
    ("em_min", "double precision", "m", "em.wl;stat.min",
     "Char.SpectralAxis.Coverage.Bounds.Limits.LoLimit",
     _edge(0), "Shortest wavelength of the band, nominally."),
    ("em_max", "double precision", "m", "em.wl;stat.max",
     "Char.SpectralAxis.Coverage.Bounds.Limits.HiLimit",
     _edge(1), "Longest wavelength of the band, nominally."),
    ("em_res_power", "double precision", None, "spect.resolution",
     "Char.SpectralAxis.Resolution.ResolPower.refVal",
     None, "Resolving power; NULL for an image."),
    ("em_xel", "bigint", None, "meta.number", "Char.SpectralAxis.numBins",
     "1::bigint", "Elements along the spectral axis: 1."),
    ("o_ucd", "text", None, "meta.ucd", "Char.ObservableAxis.ucd",
     "'phot.flux'::text", "UCD of what the pixels hold."),
    ("pol_states", "text", None, "meta.code;phys.polarization",
     "Char.PolarizationAxis.stateList", None, "States of polarisation; NULL."),
    ("pol_xel", "bigint", None, "meta.number", "Char.PolarizationAxis.numBins",
     "0::bigint", "Elements along the axis of polarisation: 0."),
    ("facility_name", "text", None, "meta.id;instr.tel",
     "Provenance.ObsConfig.Facility.name", "i.instrument", "Observatory, as far as it is known."),
    ("instrument_name", "text", None, "meta.id;instr",
     "Provenance.ObsConfig.Instrument.name", "i.instrument", "Instrument."),
)  # fmt: skip

_IMAGES = """
  SELECT 'visit image'::text AS subtype, 2 AS level, v.visitId::text AS observation,
    'pvi/' || v.ccdVisitId AS name, v.instrument, v.band, v.ra, v.decl, v.footprint, v.seeing,
    v.beginTai, v.endTai, v.exposureTime
  FROM prompt.CcdVisit AS v WHERE v.pviPath IS NOT NULL
  UNION ALL
  SELECT 'difference image'::text AS subtype, 3 AS level, v.visitId::text AS observation,
    'difference/' || v.ccdVisitId AS name, v.instrument, v.band, v.ra, v.decl, v.footprint,
    v.seeing, v.beginTai, v.endTai, v.exposureTime
  FROM prompt.CcdVisit AS v WHERE v.differencePath IS NOT NULL
  UNION ALL
  SELECT 'template'::text AS subtype, 3 AS level, t.templateId::text AS observation,
    'template/' || t.templateId AS name, t.instrument, t.band, t.ra, t.decl, t.footprint,
    t.seeing, t.beginTai, t.endTai, NULL::real AS exposureTime
  FROM prompt.Template AS t
"""
_SAID = (
    "The images of the archive: for each ccdVisit the processed image and the difference image, "
    "and the templates (ObsCore 1.1)."
)


def items() -> list[Item]:
    """Build the published forms of ``obscore``."""
    shown = ",\n  ".join(
        f"{expression or f'NULL::{kind}'} AS {name}"
        for name, kind, _, _, _, expression, _ in _COLUMNS
    )
    comments = {
        name: f"{name}: {said}" + (f" [{unit}]" if unit else "")
        for name, _, unit, _, _, _, said in _COLUMNS
    }
    body = Body("obscore", f"SELECT {shown}\nFROM ({_IMAGES}) AS i", _SAID, comments)
    return forms(body)


def table() -> Table:
    """Return ``ivoa.ObsCore`` as queries see it."""
    columns = tuple(
        Column(
            name, kind, unit, ucd, f"obscore:{utype}", said, principal=expression is not None,
            std=True, xtype=REGION if name == "s_region" else None,
            system=system_of(kind, unit, ucd, REGION if name == "s_region" else None),
        )
        for name, kind, unit, ucd, utype, expression, said in _COLUMNS
    )  # fmt: skip
    return Table(
        "ivoa", "obscore", columns, "prompt_live.obscore", "prompt_at.obscore({instant})", _SAID,
        "ivo://ivoa.net/std/ObsCore#core-1.1", key=("obs_publisher_did",),
    )  # fmt: skip
