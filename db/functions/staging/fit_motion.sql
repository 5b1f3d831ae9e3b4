-- fit_motion: position, proper motion and parallax of many objects from the sums of their normal
-- equations, by weighted linear least squares (maximum likelihood for normal errors). DPDD section
-- 2.2 and Table 3, L1DB-17; promotion of section 20: motion always, parallax from 8 points over
-- 180 d where the condition number of the normal matrix, scaled to a unit diagonal, is below 1e4.
--
-- A row of sums holds, over the sources of an object with weight matrix ((a, b), (b, c)), offsets
-- (x, y) [arcsec] towards East and North, times t [yr] and parallax factors (f, g):
--   1-3   a, b, c           4-6  t (a, b, c)       7-9  t^2 (a, b, c)
--   10-11 af + bg, bf + cg  12-13 t times these    14   f (af + bg) + g (bf + cg)
--   15-16 u = ax + by, v = bx + cy    17-18 t u, t v    19  f u + g v    20  x u + y v
--   21    sum of the logarithms of the determinants of the weight matrices
--   22    number of sources           23   time from the first to the last [d]
--
-- The position is given for the epoch at which its variance is smallest: there it does not depend
-- on the proper motion, so that the two can be used one without the other.
CREATE OR REPLACE FUNCTION staging.fit_motion(ids bigint[], sums double precision[])
RETURNS TABLE (diaobjectid bigint, epoch double precision, x double precision, y double precision, varx double precision, vary double precision, covxy double precision, pmx double precision, pmy double precision, parallax double precision, motioncov double precision[], lnl double precision, chi2 double precision)
LANGUAGE plpython3u IMMUTABLE AS $$
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: a backend is one thread
import numpy as np

if not ids:
    return []
s = np.array(sums, dtype=float).T
normal = np.empty((len(ids), 5, 5))
rows, columns = np.tril_indices(5)
which = {(0, 0): 0, (1, 0): 1, (1, 1): 2, (2, 0): 3, (2, 1): 4, (3, 0): 4, (3, 1): 5, (2, 2): 6,
         (3, 2): 7, (3, 3): 8, (4, 0): 9, (4, 1): 10, (4, 2): 11, (4, 3): 12, (4, 4): 13}
for i, j in zip(rows, columns):
    normal[:, i, j] = normal[:, j, i] = s[which[i, j]]
scale = 1 / np.sqrt(np.maximum(normal[:, range(5), range(5)], 1e-300))
scaled = normal * scale[:, :, None] * scale[:, None, :]

full = (s[21] >= 8) & (s[22] >= 180)
eigenvalues = np.linalg.eigvalsh(scaled)
full &= eigenvalues[:, 0] * 1e4 > eigenvalues[:, 4]
cov = np.zeros_like(normal)
cov[full] = np.linalg.inv(scaled[full])
cov[~full, :4, :4] = np.linalg.inv(scaled[~full, :4, :4])
cov *= scale[:, :, None] * scale[:, None, :]
moment = s[14:19].T
solution = np.einsum("nij,nj->ni", cov, moment)
chi2 = np.maximum(s[19] - (solution * moment).sum(1), 0)
lnl = -0.5 * chi2 - s[21] * np.log(2 * np.pi) + 0.5 * s[20]

epoch = -(cov[:, 0, 2] + cov[:, 1, 3]) / (cov[:, 2, 2] + cov[:, 3, 3])
move = np.zeros((len(ids), 5, 5)) + np.eye(5)
move[:, 0, 2] = move[:, 1, 3] = epoch
solution = np.einsum("nij,nj->ni", move, solution)
cov = move @ cov @ move.transpose(0, 2, 1)

found = []
for k, one in enumerate(ids):
    (x, y, pmx, pmy, parallax), c = solution[k].tolist(), cov[k].tolist()
    last = [c[4][2], c[4][3], c[4][4]] if full[k] else [None, None, None]
    found.append((
        one, epoch[k].item(), x, y, c[0][0], c[1][1], c[1][0], pmx, pmy,
        parallax if full[k] else None, [c[2][2], c[3][2], c[3][3], *last],
        lnl[k].item(), chi2[k].item(),
    ))
return found
$$;

COMMENT ON FUNCTION staging.fit_motion(bigint[], double precision[])
IS 'Fits position, proper motion and parallax of DIAObjects from their normal equations: offsets '
   '[arcsec] at the epoch [yr] least correlated with motion, motion [arcsec/yr], parallax [arcsec] '
   'or NULL, covariances, ln likelihood and chi-square.';
