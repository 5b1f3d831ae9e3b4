-- Observations of Solar System objects: their geometry, with what was measured on the source, the
-- designation of the object, and magnitudes, NULL where a flux is not positive.
-- totMag: AB magnitude of totFlux, the flux on the visit image [mag]
-- totMagErr: Error of totMag [mag]
-- reducedMag: totMag brought to 1 AU from Sun and observer, at the phase angle of the observation [mag]
SELECT g.*, o.designation, v.band,
  s.ra, s.decl, s.dec, s.raErr, s.declErr, s.psFlux, s.psFluxErr, s.totFlux, s.totFluxErr, s.snr,
  science.flux_to_mag(s.totFlux) AS totMag,
  science.flux_to_mag_err(s.totFlux, s.totFluxErr) AS totMagErr,
  science.reduced_mag(science.flux_to_mag(s.totFlux), g.heliocentricDist, g.topocentricDist) AS reducedMag
FROM prompt.SSSource AS g
JOIN prompt.DIASource AS s ON s.diaSourceId = g.diaSourceId
JOIN prompt.SSObject AS o ON o.ssObjectId = g.ssObjectId
JOIN prompt.CcdVisit AS v ON v.ccdVisitId = s.ccdVisitId
