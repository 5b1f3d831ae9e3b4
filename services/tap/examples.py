"""Queries to start from: the DALI examples of a TAP service."""

from html import escape

# Name, what it shows, query. Each runs on a database with the demo's survey, and on an empty one.
EXAMPLES = (
    (
        "cone",
        "Objects around a position",
        ("DIAObjects within one arcminute of a position, those seen most often first."),
        (
            "SELECT TOP 100 diaObjectId, ra, dec, nDiaSources, rPsFluxMean\n"
            "FROM prompt.DIAObject\n"
            "WHERE 1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 150.1, 2.2, 0.0167))\n"
            "ORDER BY nDiaSources DESC"
        ),
    ),
    (
        "light-curve",
        "A light curve",
        ("Detections, forced measurements and limits of the object that was seen most often."),
        (
            "SELECT midPointTai, band, kind, flux, fluxErr, noise\n"
            "FROM prompt.LightCurve\n"
            "WHERE diaObjectId IN (SELECT TOP 1 diaObjectId FROM prompt.DIAObject\n"
            "                      ORDER BY nDiaSources DESC, diaObjectId)\n"
            "ORDER BY midPointTai"
        ),
    ),
    (
        "bright-tonight",
        "What brightened",
        (
            "DIASources of the last day of observation with a signal-to-noise ratio above 20, "
            "and the magnitude of the difference."
        ),
        (
            "SELECT TOP 100 diaSourceId, diaObjectId, ra, dec, band, snr, psMag\n"
            "FROM prompt.DIASourceFull\n"
            "JOIN (SELECT MAX(midPointTai) - 1 AS since FROM prompt.DIASource) AS newest\n"
            "  ON midPointTai > since\n"
            "WHERE snr > 20\n"
            "ORDER BY snr DESC"
        ),
    ),
    (
        "history",
        "How an object came to be known",
        ("Every version of one DIAObject, and when it was valid (ledger time, TAI)."),
        (
            "SELECT createdTai, deletedTai, nDiaSources, ra, dec\n"
            "FROM prompt_history.DIAObject\n"
            "WHERE diaObjectId IN (SELECT TOP 1 diaObjectId FROM prompt.DIAObject\n"
            "                      ORDER BY nDiaSources DESC, diaObjectId)\n"
            "ORDER BY createdTai"
        ),
    ),
    (
        "events",
        "When an object gained its sources",
        ("What the archive came to know of one DIAObject, and when (ledger time, TAI)."),
        (
            "SELECT tai, event, diaSourceId, midPointTai\n"
            "FROM prompt.ObjectHistory\n"
            "WHERE diaObjectId IN (SELECT TOP 1 diaObjectId FROM prompt.DIAObject\n"
            "                      ORDER BY nDiaSources DESC, diaObjectId)\n"
            "ORDER BY tai"
        ),
    ),
    (
        "changes",
        "What the newest epoch changed",
        (
            "DIAObjects that are not the same at two instants: the epoch before the newest one, "
            "and the instant of the query. Write sinceTai = '2026-01-31T12:00:00' for one of yours."
        ),
        (
            "SELECT TOP 100 diaObjectId, change, columns\n"
            "FROM prompt_changes.DIAObject\n"
            "WHERE sinceTai IN (SELECT MAX(epochTai) FROM ledger.Epoch WHERE kind = 'created'\n"
            "                   OR epochTai NOT IN (SELECT MAX(epochTai) FROM ledger.Epoch))"
        ),
    ),
    (
        "neighbours",
        "Probable counterparts",
        ("DIAObjects whose nearest star of the reference catalogue is probably the same thing."),
        (
            "SELECT TOP 100 diaObjectId, ra, dec, nearbyStar1, nearbyStar1Dist,\n"
            "  EXP(nearbyStar1LnP) AS probability\n"
            "FROM prompt.DIAObject\n"
            "WHERE nearbyStar1LnP > -0.7\n"
            "ORDER BY nearbyStar1Dist"
        ),
    ),
    (
        "rubin",
        "The same in Rubin's names",
        ("Schema rubin has the names and units of the Vera C. Rubin Observatory."),
        (
            "SELECT TOP 100 diaObjectId, midpointMjdTai, band, psfFlux, psfFluxErr,\n"
            "  scisql_nanojanskyToAbMag(scienceFlux) AS mag\n"
            "FROM rubin.DiaSource\n"
            "WHERE scienceFlux > 0\n"
            "ORDER BY midpointMjdTai"
        ),
    ),
    (
        "columns",
        "What there is",
        ("Names, units and meanings of the columns of a table."),
        (
            "SELECT column_name, datatype, unit, ucd, description\n"
            "FROM tap_schema.columns\n"
            "WHERE table_name = 'prompt.DIASource'\n"
            "ORDER BY column_index"
        ),
    ),
)


def examples_page(database: str) -> str:
    """Write the page of examples (XHTML with RDFa, DALI 1.1 section 2.3)."""
    parts = [
        f'<div id="{key}" resource="#{key}" typeof="example">\n'
        f'<h2 property="name">{escape(name)}</h2>\n<p>{escape(said)}</p>\n'
        f'<pre property="query">{escape(query)}</pre>\n</div>'
        for key, name, said, query in EXAMPLES
    ]
    body = "\n".join(parts)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" lang="en"><head>
<meta charset="utf-8"/><title>Queries to start from</title></head>
<body vocab="http://www.ivoa.net/rdf/examples#">
<h1>Queries to start from</h1>
<p>They ask the database {escape(database)}; names without a schema mean it. With
<code>ASOF=2026-01-01T00:00:00</code>, or the instant in the address, each gives what was known
then.</p>
{body}
</body></html>
"""
