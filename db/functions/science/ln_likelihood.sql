-- ln_likelihood: ln likelihood of normal errors from chi-square (DPDD section 2.1, eq. 1, GEN-07);
-- 0.9189... is ln(2 pi) / 2.
CREATE OR REPLACE FUNCTION science.ln_likelihood(
    chi2 double precision,
    sum_ln_sigma double precision,
    n double precision
)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN -sum_ln_sigma - 0.9189385332046727 * n - chi2 / 2;

COMMENT ON FUNCTION science.ln_likelihood(double precision, double precision, double precision)
IS 'ln likelihood [dimensionless] of n data points with normal errors: -sum(ln(sigma sqrt(2 '
   'pi))) - chi2 / 2; sum_ln_sigma is the sum of ln sigma, sigma in the unit of the data.';
