-- DIAForcedSources with what their visit says: band, filter, programme, conditions; and their
-- total flux as an AB magnitude, NULL where it is not positive.
-- totMag: AB magnitude of totFlux, the flux on the visit image [mag]
-- totMagErr: Error of totMag [mag]
SELECT f.*,
  v.band, v.filterName, v.programId, v.airmass, v.seeing, v.exposureTime,
  v.photoCalibRelErr, v.photoCalibAbsErr, v.diffNoise,
  science.flux_to_mag(f.totFlux) AS totMag,
  science.flux_to_mag_err(f.totFlux, f.totFluxErr) AS totMagErr
FROM prompt.DIAForcedSource AS f
JOIN prompt.CcdVisit AS v ON v.ccdVisitId = f.ccdVisitId
