-- likeliest: what each staged DIASource of a visit most probably is: a known DIAObject, a predicted
-- SSObject, or (no row) something new. Reads only. DPDD section 3.2.1 step 4 and footnote 23;
-- DIA-05, DIA-11, DIA-12.
--
-- The most likely explanation of the visit as a whole is taken. Where source i is object j the
-- likelihood of its place is N_ij, the object had a chance of p_j to be seen and q_j = 1 - p_j not to
-- be; a new object lies anywhere with density d. So the pair costs -2 ln(p_j N_ij / (q_j d)), leaving
-- both alone costs nothing, and staging.assign finds the cheapest assignment.
--   N   Gaussian about the place predicted for the source's time. Its covariance: of the source, of
--       its ccdVisit (10 mas where unknown), of the prediction.
--   p   From its record: seen n times in m visits, (n + 1/2) / (m + 1).
--   d   From the visit: sources with nothing near them over the area they were found in, drawn
--       towards 1e-4 a square arcsec (the first visit of a crowded field) by 1e4 square arcsec.
--
-- Pairs that compete with no other and agree with the published position, motion and parallax are
-- taken as they are: almost all. The others are judged by the sources of the object: position,
-- motion and parallax are fitted with a prior on both, a Gaussian an axis, of several widths. The
-- prediction is the mixture of the fits, weighted by how well each explains the sources so far. So
-- an arc too short for a published motion predicts as much as it can, and no more. An object with
-- many sources and a parallax is judged by its published fit under the same priors.
--
-- Candidates: published positions within max_radius [arcsec] of a source, cut to where the object
-- can be: 5 arcsec/yr and a parallax of 0.8 arcsec where motion or parallax are not fitted. The sky index
-- gives all objects of the field in one scan; where they are many more than the sources, those
-- around each source.
-- The settings keep every plan on the indexes, whatever the planner believes of staging tables.
-- needs: staging.assign, science.earth_position
CREATE OR REPLACE FUNCTION staging.likeliest(
  in_slot smallint, max_radius double precision DEFAULT 20)
RETURNS TABLE (diasourceid bigint, diaobjectid bigint, ssobjectid bigint, cost double precision, m2 double precision)
LANGUAGE plpython3u STABLE SET enable_seqscan = off SET enable_nestloop = on AS $$
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: a backend is one thread
import numpy as np

ARCSEC = 206264.80624709636
YEAR = 365.25
FASTEST, NEAREST = 5.0, 0.8  # arcsec/yr, arcsec
# Prior on the motion an axis [arcsec/yr]; on the parallax a tenth of it [arcsec]: 50 km/s across.
SHARE, WIDTH = np.array([0.60, 0.30, 0.09, 0.01]), np.array([0.003, 0.03, 0.3, 3.0])
# A source whose centroid failed is taken to be good to 1 arcsec.
ERRORS = {"vra": "coalesce(raerr, 1)::float8 ^ 2", "vdecl": "coalesce(declerr, 1)::float8 ^ 2",
          "cov": "coalesce(radeclcov, 0)::float8"}
MANY = 32  # sources of an object whose published fit stands for them


def read(columns, rest, *arguments):
    """Columns {name: SQL} of a query as arrays, through the binary form of SQL arrays."""
    made = ", ".join(f"array_send(array_agg({sql})) AS {name}" for name, sql in columns.items())
    plan = plpy.prepare(f"SELECT {made} {rest}", ["bigint[]"] * len(arguments))
    row = plpy.execute(plan, list(arguments))[0]
    found = {}
    for name in columns:
        kind = ">i8" if name.endswith("id") or name == "minute" else ">f8"
        data = np.frombuffer(row[name] or bytes(20), np.dtype([("n", ">i4"), ("v", kind)]), offset=20)
        found[name] = data["v"].astype(kind[1:])
    return found


def take(table, rows):
    return {name: values[rows] for name, values in table.items()}


def offsets(ra, decl, ra0, decl0):
    """Of a place from another [arcsec]: the orthographic projection towards East and North."""
    a, d, d0 = np.radians(ra - ra0), np.radians(decl), np.radians(decl0)
    return ARCSEC * np.cos(d) * np.sin(a), ARCSEC * (
        np.sin(d - d0) + 2 * np.cos(d) * np.sin(d0) * np.sin(a / 2) ** 2)


def factors(frame, ra, decl):
    """Parallax factors: offsets [AU] by which the Earth displaces a star."""
    a, d = np.radians(ra), np.radians(decl)
    return (frame["ex"] * np.sin(a) - frame["ey"] * np.cos(a),
            (frame["ex"] * np.cos(a) + frame["ey"] * np.sin(a)) * np.sin(d) - frame["ez"] * np.cos(d))


def frames(ids):
    """Time, systematic covariance and place of the Earth of ccdVisits, staged or stored."""
    found = read(
        {"ccdvisitid": "v.ccdvisitid", "visitid": "v.visitid", "mjd": "v.midpointtai",
         "vra": "coalesce(v.astromsysraerr, 0.01)::float8 ^ 2",
         "vdecl": "coalesce(v.astromsysdeclerr, 0.01)::float8 ^ 2",
         "cov": "coalesce(v.astromsyscov, 0)::float8"},
        f"""FROM unnest($1) AS u (id) CROSS JOIN LATERAL (
          SELECT ccdvisitid, visitid, midpointtai, astromsysraerr, astromsysdeclerr, astromsyscov
          FROM staging.ccdvisit WHERE slot = {in_slot} AND ccdvisitid = u.id
          UNION ALL
          SELECT ccdvisitid, visitid, midpointtai, astromsysraerr, astromsysdeclerr, astromsyscov
          FROM prompt_store.ccdvisit WHERE ccdvisitid = u.id
          LIMIT 1) AS v""", ids.tolist())
    found = take(found, np.argsort(found["ccdvisitid"]))
    # Once a minute: the Earth moves 1e-5 AU in that time.
    minutes, where = np.unique(np.round(found["mjd"] * 1440), return_inverse=True)
    earth = read({"minute": "m", "ex": "e[1]", "ey": "e[2]", "ez": "e[3]"},
                 """FROM (SELECT m, science.earth_position(m::float8 / 1440) AS e
                   FROM unnest($1) AS m OFFSET 0) AS p""", minutes.astype(int).tolist())
    return {**found, **take(take(earth, np.argsort(earth["minute"])), where)}


def of_frame(frame, ids):
    return take(frame, np.searchsorted(frame["ccdvisitid"], ids))


def neighbours(source, ra, decl):
    """Pairs (i, j) of sources and places in max_radius and little more: zones of declination."""
    high = max_radius / 3600

    def half(d):  # of the window in right ascension [deg]; near a pole the whole circle
        worst = np.abs(d) + 2 * high
        return np.where(worst < 89.9, 1.01 * high / np.cos(np.radians(np.minimum(worst, 89.9))), 180)

    wide = half(decl)
    low, top = np.flatnonzero(ra < wide), np.flatnonzero(ra >= 360 - wide)  # seen across 0 h, too
    where = np.concatenate([np.arange(len(ra)), low, top])
    key = np.floor((decl[where] + 90) / high) * 1000 + np.concatenate([ra, ra[low] + 360, ra[top] - 360])
    order = np.argsort(key)
    where, key = where[order], key[order]
    wide = np.tile(half(source["decl"]), 3)
    at = np.floor((source["decl"] + 90) / high) + np.array([[-1], [0], [1]])
    at = (at * 1000 + source["ra"]).ravel()
    first = np.searchsorted(key, at - wide)
    many = np.searchsorted(key, at + wide) - first
    i = np.repeat(np.tile(np.arange(len(source["ra"])), 3), many)
    j = where[np.arange(many.sum()) + np.repeat(first - np.cumsum(many) + many, many)]
    return i, j


def field_objects(source):
    """DIAObjects that a source may be one of."""
    none = "coalesce({}, 'NaN')::float8 / {}"
    columns = {
        "diaobjectid": "diaobjectid", "ra": "ra", "decl": "decl", "epoch": "radectai",
        "vra": "raerr::float8 ^ 2", "vdecl": "declerr::float8 ^ 2", "cov": "coalesce(radeclcov, 0)::float8",
        "n": "ndiasources::float8", "first": "coalesce(firstdiasourcetai, radectai)",
        "last": "coalesce(lastdiasourcetai, radectai)",
        **{name: none.format(name, 1000) for name in ("pmra", "pmdecl", "parallax")},
        **{f"m{k}": none.format(f"pmparallaxcov[{k}]", 1e6) for k in range(1, 7)},
    }
    kept = ("diaobjectid, ra, decl, radectai, raerr, declerr, radeclcov, ndiasources, firstdiasourcetai,"
            " lastdiasourcetai, pmra, pmdecl, parallax, pmparallaxcov")
    place = "spoint(radians(o.ra), radians(o.decl)) <@ scircle(spoint(radians({}), radians({})), {})"
    a, d = np.radians(source["ra"]), np.radians(source["decl"])
    unit = np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
    x, y, z = unit.mean(1)
    centre = np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))
    cosine = (unit.T @ np.array([x, y, z])).min() / max(np.sqrt(x * x + y * y + z * z), 1e-9)
    reach = np.arccos(np.clip(cosine, -1, 1)) + (max_radius + 1) / ARCSEC
    limit = 8 * len(a) + 2000
    if reach < np.pi / 2:  # the greatest circle pg_sphere has
        found = read(columns, f"""FROM (
          SELECT {kept} FROM prompt_store.diaobject AS o
          WHERE {place.format(*centre, reach)} LIMIT {limit}) AS o""")
        if len(found["ra"]) < limit:
            return found
    return read(columns, f"""FROM (
      SELECT DISTINCT ON (diaobjectid) {kept}
      FROM (SELECT ra AS a, decl AS d FROM staging.diasource WHERE slot = {in_slot}) AS s
      CROSS JOIN LATERAL (SELECT * FROM prompt_store.diaobject AS o
        WHERE {place.format("s.a", "s.d", max_radius / ARCSEC)} OFFSET 0) AS o) AS o""")


def stored(column, by, ids, replaced):
    """Values of an id column of the stored DIASources with ids in another one; not of those replaced."""
    found = read({"id": column, "own_id": "diasourceid"},
                 f"FROM prompt_store.diasource WHERE {by} = ANY ($1) AND {column} IS NOT NULL", ids.tolist())
    return found["id"][~np.isin(found["own_id"], replaced)]


def predictions():
    """SSObjects expected in the visit (staging.expect_ssobjects)."""
    there = plpy.execute("SELECT to_regclass('pg_temp.predicted_ssobject') IS NOT NULL AS yes")
    columns = {
        "ssobjectid": "ssobjectid", "ra": "ra", "decl": "decl", "epoch": "midpointtai",
        "vra": "raerr ^ 2", "vdecl": "declerr ^ 2", "cov": "radeclcov", "p": "pdetection",
        "pmra": "rarate", "pmdecl": "declrate",
    }
    source = "pg_temp.predicted_ssobject" if there[0]["yes"] else "(SELECT) AS p WHERE false"
    return read(columns if there[0]["yes"] else dict.fromkeys(columns, "0"), f"FROM {source}")


def determinant(xx, yy, xy):
    return xx * yy - xy * xy


def distance2(x, y, xx, yy, xy):
    """Squared Mahalanobis distance."""
    return (yy * x * x - 2 * xy * x * y + xx * y * y) / determinant(xx, yy, xy)


def information(obj, changed, replaced, mjd):
    """Normal equations (n, 5, 5), (n, 5) of position, motion, parallax; their epoch; visits seen.

    Of objects with many sources and a parallax: the published fit. Of the others: their sources
    of the twelve months up to the newest, as staging.characterize takes them.
    """
    n = len(obj["ra"])
    normal, moment, epoch = np.zeros((n, 5, 5)), np.zeros((n, 5)), obj["epoch"].copy()
    known = (obj["n"] >= MANY) & np.isfinite(obj["m6"]) & ~np.isin(obj["diaobjectid"], changed)
    fit = take(obj, known)
    position = np.moveaxis(np.array([[fit["vra"] + 1e-8, fit["cov"]], [fit["cov"], fit["vdecl"] + 1e-8]]), 2, 0)
    motion = np.moveaxis(np.array([[fit[f"m{k}"] for k in row] for row in ((1, 2, 4), (2, 3, 5), (4, 5, 6))]), 2, 0)
    size = np.sqrt(np.einsum("nii->ni", motion))
    both = np.zeros((len(size), 5, 5))
    both[:, :2, :2] = np.linalg.inv(position)
    both[:, 2:, 2:] = np.linalg.inv(motion / size[:, :, None] / size[:, None]) / size[:, :, None] / size[:, None]
    value = np.stack([0 * fit["ra"], 0 * fit["ra"], fit["pmra"], fit["pmdecl"], fit["parallax"]], 1)
    normal[known], moment[known] = both, np.einsum("nij,nj->ni", both, value)
    epoch[~known] = mjd

    oldest = obj["last"] - YEAR
    rows = np.flatnonzero(~known)
    member = read(
        {"diasourceid": "diasourceid", "diaobjectid": "diaobjectid", "ccdvisitid": "ccdvisitid",
         "mjd": "midpointtai", "ra": "ra", "decl": "decl", **ERRORS},
        f"""FROM prompt_store.diasource WHERE diaobjectid = ANY ($1)
          AND midpointtai > {oldest[rows].min() if rows.size else 0}""",
        obj["diaobjectid"][rows].tolist())
    rows = rows[np.argsort(obj["diaobjectid"][rows])]
    of = rows[np.searchsorted(obj["diaobjectid"][rows], member["diaobjectid"])] if rows.size else rows
    used = np.flatnonzero((member["mjd"] > oldest[of]) & ~np.isin(member["diasourceid"], replaced))
    used = used[np.argsort(of[used], kind="stable")]
    member, of = take(member, used), of[used]
    frame = of_frame(frames(np.unique(member["ccdvisitid"])), member["ccdvisitid"])
    xx, yy, xy = (member[k] + frame[k] + add for k, add in (("vra", 1e-8), ("vdecl", 1e-8), ("cov", 0)))
    det = determinant(xx, yy, xy)
    weight = np.moveaxis(np.array([[yy, -xy], [-xy, xx]]) / det, 2, 0)
    design = design_of((member["mjd"] - epoch[of]) / YEAR, factors(frame, obj["ra"][of], obj["decl"][of]))
    moved = np.stack(offsets(member["ra"], member["decl"], obj["ra"][of], obj["decl"][of]), 1)
    weighted = np.swapaxes(design, 1, 2) @ weight
    if of.size:
        one, first = np.unique(of, return_index=True)
        normal[one] = np.add.reduceat(weighted @ design, first)
        moment[one] = np.add.reduceat((weighted @ moved[..., None])[..., 0], first)

    # A visit is one that some object here was seen in.
    visits = np.unique(np.round(member["mjd"] * 1440)) / 1440
    since = len(visits) - np.searchsorted(visits, np.maximum(obj["first"], oldest) - 1 / 1440)
    seen = np.where(known, obj["n"], np.bincount(of, minlength=n))
    return normal, moment, epoch, (seen + 0.5) / (np.maximum(since, seen) + 1)


def design_of(t, parallax_factors):
    design = np.zeros((len(t), 2, 5))
    design[:, 0, 0] = design[:, 1, 1] = 1
    design[:, 0, 2] = design[:, 1, 3] = t
    design[:, 0, 4], design[:, 1, 4] = parallax_factors
    return design


def fits(normal, moment):
    """Covariance, solution and ln weight of the fit under each prior: (n, k, 5, 5), (n, k, 5), (n, k)."""
    prior = np.zeros((len(WIDTH), 5))
    prior[:, 2:] = np.stack([WIDTH, WIDTH, WIDTH / 10], 1) ** -2
    full = normal[:, None] + prior[:, :, None] * np.eye(5)
    scale = np.sqrt(np.einsum("nkii->nki", full))
    scaled = full / scale[..., :, None] / scale[..., None, :]
    cov = np.linalg.inv(scaled) / scale[..., :, None] / scale[..., None, :]
    solution = np.einsum("nkij,nj->nki", cov, moment)
    ln = (np.log(SHARE) + 0.5 * np.log(prior[:, 2:]).sum(1) - np.log(scale).sum(2)
          - 0.5 * np.linalg.slogdet(scaled)[1] + 0.5 * np.einsum("nki,ni->nk", solution, moment))
    ln -= ln.max(1, keepdims=True)
    return cov, solution, ln - np.log(np.exp(ln).sum(1, keepdims=True))


def judged(source, frame, obj, changed, replaced, i, j, mjd):
    """Cost without the density of new objects, and squared Mahalanobis distance of pairs."""
    normal, moment, epoch, p = information(obj, changed, replaced, mjd)
    cov, solution, ln_weight = (part[j] for part in fits(normal, moment))
    frame = of_frame(frame, source["ccdvisitid"][i])
    x, y = offsets(source["ra"][i], source["decl"][i], obj["ra"][j], obj["decl"][j])
    design = design_of((source["mjd"][i] - epoch[j]) / YEAR, factors(frame, obj["ra"][j], obj["decl"][j]))
    design = design[:, None]
    at = (design @ solution[..., None])[..., 0]
    spread = design @ cov @ np.swapaxes(design, 2, 3)
    spread[:, :, 0, 0] += (source["vra"][i] + frame["vra"] + 1e-8)[:, None]
    spread[:, :, 1, 1] += (source["vdecl"][i] + frame["vdecl"] + 1e-8)[:, None]
    spread[:, :, [0, 1], [1, 0]] += (source["cov"][i] + frame["cov"])[:, None, None]
    xx, yy, xy = spread[:, :, 0, 0], spread[:, :, 1, 1], spread[:, :, 0, 1]
    ln = (ln_weight - 0.5 * distance2(x[:, None] - at[..., 0], y[:, None] - at[..., 1], xx, yy, xy)
          - 0.5 * np.log(determinant(xx, yy, xy)) - np.log(2 * np.pi))
    best = ln.max(1)
    cost = -2 * (best + np.log(np.exp(ln - best[:, None]).sum(1)) + np.log(p / (1 - p))[j])
    # The distance: with mean and covariance of the whole mixture.
    weight = np.exp(ln_weight)
    mean = (weight[..., None] * at).sum(1)
    off = at - mean[:, None]
    xx, yy, xy = ((weight * (part + off[..., a] * off[..., b])).sum(1)
                  for part, a, b in ((xx, 0, 0), (yy, 1, 1), (xy, 0, 1)))
    return cost, distance2(x - mean[:, 0], y - mean[:, 1], xx, yy, xy)


def area(source):
    """Area [square arcsec] of the rectangles in which the sources of each ccdVisit lie."""
    order = np.argsort(source["ccdvisitid"], kind="stable")
    ids, first, many = np.unique(source["ccdvisitid"][order], return_index=True, return_counts=True)
    one = take(source, order)
    x, y = offsets(one["ra"], one["decl"], *(np.repeat(one[k][first], many) for k in ("ra", "decl")))
    sides = [np.maximum.reduceat(v, first) - np.minimum.reduceat(v, first) for v in (x, y)]
    return (sides[0] * sides[1]).sum()


flag = {row["name"]: row["bits"] for row in plpy.execute(
    "SELECT name, 1::bigint << bit AS bits FROM ledger.flagdefinition WHERE relation = 'DIASource'")}
# Below the threshold only what a rule has chosen takes part.
shown = (f"flags & {flag['PARENT']} = 0 "
         f"AND flags & {flag['SUBTHRESHOLD'] | flag['CHOSEN']} <> {flag['SUBTHRESHOLD']}")
source = read(
    {"diasourceid": "diasourceid", "ccdvisitid": "ccdvisitid", "mjd": "midpointtai", "ra": "ra", "decl": "decl",
     **ERRORS},
    f"""FROM staging.diasource WHERE slot = {in_slot} AND ssobjectid IS NULL AND diaobjectid IS NULL
      AND iswithdrawal IS NOT TRUE AND {shown}""")
if not source["ra"].size:
    return []
mjd = source["mjd"].mean()
frame = frames(np.unique(source["ccdvisitid"]))
obj = field_objects(source)
sso = predictions()
replaced = read({"id": "diasourceid"}, f"FROM staging.diasource WHERE slot = {in_slot} AND replacestai IS NOT NULL")["id"]
# Detectors of the visit that were published before have their objects already.
before = read({"id": "ccdvisitid"}, "FROM prompt_store.ccdvisit WHERE visitid = ANY ($1)",
              np.unique(frame["visitid"]).tolist())["id"]
if before.size:
    obj = take(obj, ~np.isin(obj["diaobjectid"], stored("diaobjectid", "ccdvisitid", before, replaced)))
    sso = take(sso, ~np.isin(sso["ssobjectid"], stored("ssobjectid", "ccdvisitid", before, replaced)))

# Pairs with DIAObjects, by published place, motion and parallax.
i, j = neighbours(source, obj["ra"], obj["decl"])
f = of_frame(frame, source["ccdvisitid"][i])
x, y = offsets(source["ra"][i], source["decl"][i], obj["ra"][j], obj["decl"][j])
t = (source["mjd"][i] - obj["epoch"][j]) / YEAR
fx, fy = factors(f, obj["ra"][j], obj["decl"][j])
o = {name: np.nan_to_num(values[j]) if values.dtype.kind == "f" else values[j] for name, values in obj.items()}
still = np.where(np.isfinite(obj["pmra"][j]), 0, (WIDTH[1] * t) ** 2)
xx = source["vra"][i] + f["vra"] + o["vra"] + 1e-8 + still + o["m1"] * t * t + o["m6"] * fx * fx + 2 * o["m4"] * t * fx
yy = source["vdecl"][i] + f["vdecl"] + o["vdecl"] + 1e-8 + still + o["m3"] * t * t + o["m6"] * fy * fy + 2 * o["m5"] * t * fy
xy = (source["cov"][i] + f["cov"] + o["cov"] + o["m2"] * t * t + o["m6"] * fx * fy
      + o["m4"] * t * fy + o["m5"] * t * fx)
dx, dy = x - o["pmra"] * t - o["parallax"] * fx, y - o["pmdecl"] * t - o["parallax"] * fy
far = 6 * np.sqrt(xx + yy)
loose = FASTEST * np.abs(t) + NEAREST * np.minimum(2, 6.3 * np.abs(t))
near = np.where(np.isfinite(obj["parallax"][j]), np.hypot(dx, dy) < far, np.hypot(x, y) < far + loose)
near &= np.hypot(x, y) < max_radius
m2 = distance2(dx, dy, xx, yy, xy)
cost = m2 + np.log(determinant(xx, yy, xy)) + 2 * np.log(2 * np.pi)

# Pairs with SSObjects; the number of theirs is counted on from the DIAObjects'.
si, sj = neighbours(source, sso["ra"], sso["decl"])
g = of_frame(frame, source["ccdvisitid"][si])
t = source["mjd"][si] - sso["epoch"][sj]
sx, sy = offsets(source["ra"][si], source["decl"][si], sso["ra"][sj], sso["decl"][sj])
sx, sy = sx - sso["pmra"][sj] * t, sy - sso["pmdecl"][sj] * t
xx, yy, xy = (source[k][si] + g[k] + sso[k][sj] + add for k, add in (("vra", 1e-8), ("vdecl", 1e-8), ("cov", 0)))
s2 = distance2(sx, sy, xx, yy, xy)
p = np.clip(sso["p"][sj], 1e-6, 1 - 1e-6)
scost = s2 + np.log(determinant(xx, yy, xy)) + 2 * np.log(2 * np.pi) - 2 * np.log(p / (1 - p))
snear = s2 < 60

i, j, m2, cost = (np.concatenate([a[near], b[snear]]) for a, b in
                  ((i, si), (j, sj + len(obj["ra"])), (m2, s2), (cost, scost)))
known = j < len(obj["ra"])
in_source, in_object = np.bincount(i, minlength=len(source["ra"])), np.bincount(j, minlength=1)
density = ((in_source == 0).sum() + 1) / (area(source) + 1e4)
cost += 2 * np.log(density)

# The published fit of an object that has a source measured anew holds the old one.
changed = stored("diaobjectid", "diasourceid", replaced, []) if replaced.size else replaced
ids = np.concatenate([obj["diaobjectid"], sso["ssobjectid"]])
alone = (in_source[i] == 1) & (in_object[j] == 1)
easy = alone & (m2 < 16) & (cost < -6) & ~np.isin(ids[j], changed)
doubtful = np.flatnonzero(known & ~easy)
if doubtful.size:
    which, of = np.unique(j[doubtful], return_inverse=True)
    found = judged(source, frame, take(obj, which), changed, replaced, i[doubtful], of, mjd)
    cost[doubtful], m2[doubtful] = found[0] + 2 * np.log(density), found[1]
    good = cost < 0
    i, j, m2, cost = i[good], j[good], m2[good], cost[good]
    alone = (np.bincount(i)[i] == 1) & (np.bincount(j)[j] == 1)
worth = alone & (cost < 0)
rest = np.flatnonzero(~alone & (cost < 0))
if rest.size:
    plan = plpy.prepare("SELECT staging.assign($1, $2, $3) AS k", ["bigint[]", "bigint[]", "float8[]"])
    chosen = plpy.execute(plan, [i[rest].tolist(), j[rest].tolist(), cost[rest].tolist()])
    worth[rest[[row["k"] - 1 for row in chosen]]] = True

n = len(source["ra"])
answer = [source["diasourceid"].tolist(), [None] * n, [None] * n, [None] * n, [None] * n]
for at, one, what, c, m in zip(*(v[worth].tolist() for v in (i, j)), ids[j[worth]].tolist(),
                               *(v[worth].tolist() for v in (cost, m2))):
    answer[1 if one < len(obj["ra"]) else 2][at], answer[3][at], answer[4][at] = what, c, m
return list(zip(*answer))
$$;

COMMENT ON FUNCTION staging.likeliest(smallint, double precision)
IS 'What each staged DIASource of a visit most probably is, a row each: DIAObject, predicted '
   'SSObject or neither (new), with the cost -2 ln(likelihood ratio) and the squared Mahalanobis '
   'distance.';
