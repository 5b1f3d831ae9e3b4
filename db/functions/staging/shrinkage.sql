-- shrinkage: by which factor a sum of positive terms shrinks by a change, at least 1; the digits it
-- loses. 1e9 where nothing but rounding errors would be left.
CREATE OR REPLACE FUNCTION staging.shrinkage(before double precision, change double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN change < 0 THEN
  CASE WHEN before + change > 0 THEN before / (before + change) ELSE 1e9 END
  -- It grows, or nothing (NULL) comes to it.
  ELSE 1 END;

COMMENT ON FUNCTION staging.shrinkage(double precision, double precision)
IS 'Factor by which a sum of positive terms shrinks by a change; 1 if it grows.';
