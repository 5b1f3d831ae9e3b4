-- cov_err: standard error of a parameter from a packed covariance matrix. Stored is the lower
-- triangle row by row, so element (i, j) with i >= j stands at i (i - 1) / 2 + j, counted from 1
-- (DPDD sections 2.2 and 3).
CREATE OR REPLACE FUNCTION science.cov_err(cov real[], i integer)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN i >= 1 AND cov[i * (i + 1) / 2] >= 0
    THEN sqrt(cov[i * (i + 1) / 2]::double precision)
END;

COMMENT ON FUNCTION science.cov_err(real[], integer)
IS 'Standard error [unit of parameter i] of parameter i, counted from 1, of a packed '
   'covariance matrix; NULL outside the matrix or when the variance is negative.';

CREATE OR REPLACE FUNCTION science.cov_err(cov double precision[], i integer)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN i >= 1 AND cov[i * (i + 1) / 2] >= 0
    THEN sqrt(cov[i * (i + 1) / 2]::double precision)
END;

COMMENT ON FUNCTION science.cov_err(double precision[], integer)
IS 'Standard error [unit of parameter i] of parameter i, counted from 1, of a packed '
   'covariance matrix; NULL outside the matrix or when the variance is negative.';
