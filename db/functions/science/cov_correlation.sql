-- cov_correlation: correlation of two parameters from a packed covariance matrix. Stored is the
-- lower triangle row by row, so element (i, j) with i >= j stands at i (i - 1) / 2 + j, counted
-- from 1 (DPDD sections 2.2 and 3).
CREATE OR REPLACE FUNCTION science.cov_correlation(cov real[], i integer, j integer)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN i >= 1 AND j >= 1 AND cov[i * (i + 1) / 2] > 0 AND cov[j * (j + 1) / 2] > 0
    THEN cov[greatest(i, j) * (greatest(i, j) - 1) / 2 + least(i, j)]
        / (sqrt(cov[i * (i + 1) / 2]::double precision)
        * sqrt(cov[j * (j + 1) / 2]::double precision))
END;

COMMENT ON FUNCTION science.cov_correlation(real[], integer, integer)
IS 'Correlation [dimensionless] of parameters i and j, counted from 1, of a packed covariance '
   'matrix; NULL outside the matrix or when a variance is not positive.';

CREATE OR REPLACE FUNCTION science.cov_correlation(cov double precision[], i integer, j integer)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN i >= 1 AND j >= 1 AND cov[i * (i + 1) / 2] > 0 AND cov[j * (j + 1) / 2] > 0
    THEN cov[greatest(i, j) * (greatest(i, j) - 1) / 2 + least(i, j)]
        / (sqrt(cov[i * (i + 1) / 2]::double precision)
        * sqrt(cov[j * (j + 1) / 2]::double precision))
END;

COMMENT ON FUNCTION science.cov_correlation(double precision[], integer, integer)
IS 'Correlation [dimensionless] of parameters i and j, counted from 1, of a packed covariance '
   'matrix; NULL outside the matrix or when a variance is not positive.';
