-- expect_ssobjects: makes the table into which the predicted places of known SSObjects are copied
-- before staging.associate looks for them in a visit (DIA-05, DPDD section 3.2.1 step 5). It is of
-- the session alone and goes with the transaction: predictions belong to one visit.
CREATE OR REPLACE FUNCTION staging.expect_ssobjects()
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  CREATE TEMP TABLE predicted_ssobject (
    ssobjectid bigint PRIMARY KEY,
    midpointtai double precision NOT NULL,  -- time of the place, MJD TAI [d]
    ra double precision NOT NULL CHECK (ra >= 0 AND ra <= 360),  -- [deg]
    decl double precision NOT NULL CHECK (decl >= -90 AND decl <= 90),
    raerr double precision NOT NULL CHECK (raerr >= 0 AND raerr < 'Infinity'),  -- [arcsec]
    declerr double precision NOT NULL CHECK (declerr >= 0 AND declerr < 'Infinity'),
    radeclcov double precision NOT NULL DEFAULT 0 CHECK (abs(radeclcov) <= raerr * declerr),  -- [arcsec**2]
    rarate double precision NOT NULL DEFAULT 0,  -- along East [arcsec/d]
    declrate double precision NOT NULL DEFAULT 0,
    -- Chance that the visit detects it, from its magnitude and the depth of the visit.
    pdetection double precision NOT NULL CHECK (pdetection >= 0 AND pdetection <= 1)
  ) ON COMMIT DROP;
END $$;

COMMENT ON FUNCTION staging.expect_ssobjects()
IS 'Makes the temporary table predicted_ssobject: places [deg, arcsec] of known SSObjects expected in '
   'the visit, which staging.associate takes as candidates.';
