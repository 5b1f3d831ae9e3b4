-- DIAObjects with their mean total fluxes as AB magnitudes, NULL where a flux is not positive.
-- uTotMag: AB magnitude of uTotFluxMean [mag]
-- gTotMag: AB magnitude of gTotFluxMean [mag]
-- rTotMag: AB magnitude of rTotFluxMean [mag]
-- iTotMag: AB magnitude of iTotFluxMean [mag]
-- zTotMag: AB magnitude of zTotFluxMean [mag]
-- yTotMag: AB magnitude of yTotFluxMean [mag]
SELECT o.*,
  science.flux_to_mag(o.uTotFluxMean) AS uTotMag,
  science.flux_to_mag(o.gTotFluxMean) AS gTotMag,
  science.flux_to_mag(o.rTotFluxMean) AS rTotMag,
  science.flux_to_mag(o.iTotFluxMean) AS iTotMag,
  science.flux_to_mag(o.zTotFluxMean) AS zTotMag,
  science.flux_to_mag(o.yTotFluxMean) AS yTotMag
FROM prompt.DIAObject AS o
