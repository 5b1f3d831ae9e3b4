-- cov_element: element of a packed covariance matrix. Stored is the lower triangle row by row, so
-- element (i, j) with i >= j stands at i (i - 1) / 2 + j, counted from 1 (DPDD sections 2.2 and 3).
CREATE OR REPLACE FUNCTION science.cov_element(cov real[], i integer, j integer)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN i >= 1 AND j >= 1
    THEN cov[greatest(i, j) * (greatest(i, j) - 1) / 2 + least(i, j)]
END;

COMMENT ON FUNCTION science.cov_element(real[], integer, integer)
IS 'Element (i, j), counted from 1, of a packed covariance matrix [unit of parameter i times '
   'unit of parameter j]; NULL outside the matrix.';

CREATE OR REPLACE FUNCTION science.cov_element(cov double precision[], i integer, j integer)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN i >= 1 AND j >= 1
    THEN cov[greatest(i, j) * (greatest(i, j) - 1) / 2 + least(i, j)]
END;

COMMENT ON FUNCTION science.cov_element(double precision[], integer, integer)
IS 'Element (i, j), counted from 1, of a packed covariance matrix [unit of parameter i times '
   'unit of parameter j]; NULL outside the matrix.';
