-- assign: the cheapest one-to-one assignment of sources to objects (footnote 23 of the DPDD: at
-- most one object a source, at most one source of a visit an object; DIA-12).
--
-- A pair (sources[k], objects[k]) costs costs[k] < 0, leaving both alone costs nothing. The pairs
-- fall into connected groups, which are small; each is solved exactly by shortest augmenting paths
-- (Kuhn's Hungarian method, one source after the other, with dual prices). Returns the k, from 1,
-- of the pairs taken.
CREATE OR REPLACE FUNCTION staging.assign(sources bigint[], objects bigint[], costs double precision[])
RETURNS SETOF integer
LANGUAGE plpython3u IMMUTABLE AS $$
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: a backend is one thread
import numpy as np


def groups():
    """Pairs by connected group: sources and objects are nodes, pairs are edges."""
    above = {}

    def root(node):
        while above[node] != node:
            above[node] = above[above[node]]
            node = above[node]
        return node

    ends = [((0, a), (1, b)) for a, b in zip(sources, objects)]
    for a, b in ends:
        above.setdefault(a, a)
        above.setdefault(b, b)
        above[root(a)] = root(b)
    found = {}
    for k, (a, _) in enumerate(ends):
        found.setdefault(root(a), []).append(k)
    return found.values()


def cheapest(cost):
    """Column of each row of a matrix with at least as many columns as rows."""
    n, m = cost.shape
    row_price, column_price = np.zeros(n), np.zeros(m + 1)
    row_of = np.full(m + 1, -1)  # column m stands for the row being placed
    for row in range(n):
        row_of[m], column = row, m
        distance, before = np.full(m, np.inf), np.full(m, m)
        done = np.zeros(m + 1, dtype=bool)
        while row_of[column] >= 0:
            done[column] = True
            at = row_of[column]
            reduced = cost[at] - row_price[at] - column_price[:m]
            better = ~done[:m] & (reduced < distance)
            distance[better], before[better] = reduced[better], column
            column = int(np.argmin(np.where(done[:m], np.inf, distance)))
            step = distance[column]
            row_price[row_of[done]] += step
            column_price[done] -= step
            distance[~done[:m]] -= step
        while column != m:
            row_of[column] = row_of[before[column]]
            column = before[column]
    columns = np.empty(n, dtype=int)
    placed = np.flatnonzero(row_of[:m] >= 0)
    columns[row_of[placed]] = placed
    return columns


chosen = []
for pairs in groups() if sources else []:
    row = {a: i for i, a in enumerate(sorted({sources[k] for k in pairs}))}
    column = {b: j for j, b in enumerate(sorted({objects[k] for k in pairs}))}
    # Besides the objects each source has a column of its own: to stay alone, at no cost.
    cost = np.full((len(row), len(column) + len(row)), 1e9)
    cost[np.arange(len(row)), len(column) + np.arange(len(row))] = 0
    number = {}
    for k in pairs:
        at = row[sources[k]], column[objects[k]]
        cost[at] = costs[k]
        number[at] = k + 1
    chosen += [number[at] for at in enumerate(cheapest(cost).tolist()) if at in number]
return chosen
$$;

COMMENT ON FUNCTION staging.assign(bigint[], bigint[], double precision[])
IS 'Cheapest assignment of sources to objects, each at most once: numbers, from 1, of the pairs taken.';
