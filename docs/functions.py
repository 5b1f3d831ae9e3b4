"""Write the reference page of the database functions from the files that make them.

Each file of ``db/functions`` starts with a comment that says what it makes and on what ground; the
comment in the database says what a caller must know, with the units. Both are shown.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from skyledger.resources import db_dir

_MADE = re.compile(
    r"CREATE OR REPLACE (FUNCTION|AGGREGATE|PROCEDURE) (\w+\.\w+)"
    r"\s*\((.*?)\)\s*(?=RETURNS|LANGUAGE|\()(.*?)"
    r"COMMENT ON \1 \2\s*\(.*?\)\s*IS\s*((?:'(?:[^']|'')*'\s*)+);",
    re.DOTALL,
)
_RETURNS = re.compile(r"^RETURNS\s+(.+?)\s*$", re.MULTILINE)
_LINE = 90  # characters that a page shows without scrolling
_FINAL = re.compile(r"FINALFUNC = (\w+\.\w+)")

# Topics of the functions for astronomers, in the order of the page.
TOPICS = {
    "Brightness": r"(flux_to|mag_to|mag_err)",
    "Goodness of fit": r"(.*chi2_per|.*_chi2_dof|ln_likelihood|chi2_from)",
    "Averages": r"(weighted_(mean|mean_err|chi2)$|sample_sigma|n_used$)",
    "Covariances and shapes": r"(cov_|axis_ratio|position_angle)",
    "Surface brightness": r"(annulus_|aperture_)",
    "Sky": r"(separation|in_cone|polygon|box_|propagate_)",
    "Solar System": r"(earth_position|phase_angle|hg1|reduced_mag|absolute_mag|apparent_mag)",
    "Time": r"(tai_|utc_|mjd_|leap_)",
    "Identifiers": r"(.*_id$|id_|object_|source_|visit_|ccd_visit_|night_of)",
    "Flags": r"(flag_|has_flag)",
    "Parts of the aggregates": r"(.*_final|weighted_accumulate|weighted_combine)$",
    "Others": r".*",
}
SCHEMAS = {
    "science": "For astronomers: all of them can be called without naming their schema.",
    "ledger": "Epochs and publication. Readers may call `horizon`, `settled`, `as_of` and "
    "`resolve`; the others belong to ingest.",
    "staging": "What ingest does with the rows of a visit before they are published.",
    "service": "[People](../../guides/people.md) and their tables, for the login of the query "
    "service; accounts, tokens and allocations are the owner's.",
}


@dataclass(frozen=True)
class Function:
    """A function, aggregate or procedure as its file describes it."""

    schema: str
    name: str
    kind: str  # FUNCTION, AGGREGATE or PROCEDURE
    arguments: str
    returns: str
    comment: str  # with units
    ground: str  # the file's comment: why and by which source

    @property
    def signature(self) -> str:
        """Name, arguments and what comes back; an argument a line where one line is too long."""
        returns = f" → {self.returns}" if self.returns else ""
        line = f"{self.schema}.{self.name}({self.arguments}){returns}"
        if len(line) <= _LINE:
            return line
        listed = ",\n    ".join(self.arguments.split(", "))
        return f"{self.schema}.{self.name}(\n    {listed}){returns}"


def _ground(text: str) -> str:
    """Comment at the head of a file, without the line that lists what the file needs."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        if not line.startswith("-- needs:"):
            lines.append(line.removeprefix("--").strip())
    return " ".join(lines).split(": ", maxsplit=1)[-1]


def parse(text: str) -> list[Function]:
    """Read what one file makes.

    Raises
    ------
    ValueError
        If something is made without a comment.
    """
    found = []
    for kind, name, arguments, body, comment in _MADE.findall(text):
        schema, plain = name.split(".")
        returns = _RETURNS.search(body)
        final = _FINAL.search(body)
        found.append(
            Function(
                schema,
                plain,
                kind,
                " ".join(arguments.split()),
                returns[1] if returns else f"@{final[1]}" if final else "",
                "".join(re.findall(r"'((?:[^']|'')*)'", comment)).replace("''", "'"),
                _ground(text),
            )
        )
    if len(found) != len(re.findall(r"^CREATE OR REPLACE", text, re.MULTILINE)):
        raise ValueError("something is made without COMMENT ON: " + text.split("\n", 1)[0])
    return found


def load(folder: Path | None = None) -> list[Function]:
    """Read all files below ``db/functions``, by schema and name."""
    root = folder or db_dir() / "functions"
    found = [
        function
        for path in sorted(root.rglob("*.sql"))
        for function in parse(path.read_text(encoding="utf-8"))
    ]
    types = {f"{f.schema}.{f.name}": f.returns for f in found if f.kind == "FUNCTION"}
    types["pg_catalog.float8_stddev_samp"] = "double precision"
    return [
        Function(**{**vars(f), "returns": types[f.returns[1:]]}) if f.returns[:1] == "@" else f
        for f in found
    ]


def _plain(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|$~#])", r"\\\1", text)


def _entries(functions: list[Function], level: str) -> list[str]:
    parts = []
    for name in dict.fromkeys(f.name for f in functions):
        same = [f for f in functions if f.name == name]
        listed = "\n".join(f.signature for f in same)
        parts.append(f"{level} {_plain(name)}\n\n```text\n{listed}\n```\n")
        parts += [_plain(text) + "\n" for text in dict.fromkeys(f.comment for f in same)]
        ground = same[0].ground
        parts.append("{.ground}\n" + _plain(ground[:1].upper() + ground[1:]) + "\n")
    return parts


def page() -> str:
    """Return the page in Markdown."""
    functions = load()
    intro = (
        "(functions)=\n# SQL functions\n\n"
        "Units stand in brackets. Where there is no number the answer is NULL, never NaN. Scalar "
        "functions are plain SQL that the planner writes out in "
        "place, so that they cost no more than their formula.\n"
    )
    parts = [intro]
    for schema, words in SCHEMAS.items():
        of_schema = [f for f in functions if f.schema == schema]
        parts.append(f"## Schema {schema}\n\n{words}\n")
        if schema != "science":
            parts += _entries(of_schema, "###")
            continue
        for topic, pattern in TOPICS.items():
            chosen = [f for f in of_schema if re.match(pattern, f.name)]
            of_schema = [f for f in of_schema if f not in chosen]
            if chosen:
                parts += [f"### {topic}\n", *_entries(chosen, "####")]
    return "\n".join(parts)
