-- band_of: the band of the ccdVisits staged in a slot; NULL if they have several, or there are none.
CREATE OR REPLACE FUNCTION staging.band_of(in_slot smallint)
RETURNS text
LANGUAGE sql STABLE
AS $$
  SELECT CASE WHEN min(band) = max(band) THEN min(band) END
  FROM staging.ccdvisit WHERE slot = in_slot AND iswithdrawal IS NOT TRUE
$$;

COMMENT ON FUNCTION staging.band_of(smallint)
IS 'Band of the ccdVisits staged in a slot; NULL if it is not one.';
