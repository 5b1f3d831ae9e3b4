-- DIASources with what their visit says: band, filter, programme, conditions, calibration errors;
-- and their fluxes as AB magnitudes, NULL where a flux is not positive.
-- psMag: AB magnitude of psFlux on the difference image; NULL for a negative flux [mag]
-- psMagErr: Error of psMag [mag]
-- totMag: AB magnitude of totFlux, the flux on the visit image [mag]
-- totMagErr: Error of totMag [mag]
-- psChi2Dof: Chi-square of the point-source fit per degree of freedom []
SELECT s.*,
  v.band, v.filterName, v.programId, v.airmass, v.seeing, v.exposureTime,
  v.photoCalibRelErr, v.photoCalibAbsErr, v.diffNoise,
  science.flux_to_mag(s.psFlux) AS psMag,
  science.flux_to_mag_err(s.psFlux, s.psFluxErr) AS psMagErr,
  science.flux_to_mag(s.totFlux) AS totMag,
  science.flux_to_mag_err(s.totFlux, s.totFluxErr) AS totMagErr,
  science.ps_chi2_dof(s.psChi2, s.psNdata) AS psChi2Dof
FROM prompt.DIASource AS s
JOIN prompt.CcdVisit AS v ON v.ccdVisitId = s.ccdVisitId
