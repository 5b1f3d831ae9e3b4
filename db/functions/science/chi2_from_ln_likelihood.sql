-- chi2_from_ln_likelihood: chi-square from the ln likelihood of normal errors (DPDD section 2.1,
-- eq. 1, GEN-07); 1.8378... is ln(2 pi).
CREATE OR REPLACE FUNCTION science.chi2_from_ln_likelihood(
    ln_l double precision,
    sum_ln_sigma double precision,
    n double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN -2 * (ln_l + sum_ln_sigma) - 1.8378770664093453 * n;

COMMENT ON FUNCTION science.chi2_from_ln_likelihood(
    double precision, double precision, double precision
)
IS 'Chi-square [dimensionless] of n data points with normal errors from their ln likelihood; '
   'sum_ln_sigma is the sum of ln sigma, sigma in the unit of the data.';
