"""Names of uploaded columns as PostgreSQL's."""

import re
import unicodedata

_LONGEST = 63  # bytes: NAMEDATALEN - 1
# Columns that every table of PostgreSQL has.
_SYSTEM = {"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"}


def quoted(name: str) -> str:
    """Return an identifier as it is written into SQL."""
    return '"' + name.replace('"', '""') + '"'


def _cut(name: str, size: int) -> str:
    return name.encode()[:size].decode(errors="ignore")


def _plain(name: str, number: int) -> str:
    """One name: lower case, of letters, digits and underscores, none of PostgreSQL's own."""
    text = unicodedata.normalize("NFKC", name.encode(errors="replace").decode()).lower()
    text = re.sub(r"\W+", "_", text).strip() if re.search(r"\w", text) else ""
    text = _cut(text, _LONGEST)
    if text.strip("_") == "":
        return f"column_{number}"
    return f"{text}_" if text in _SYSTEM else text


def sql_names(given: list[str]) -> list[str]:
    """Names of columns, each different, for names of any kind.

    ``e_B-V`` becomes ``e_b_v``, the second ``Flux`` ``flux_2`` and an empty name ``column_3``
    where it is the third column. Names that are what they should be already are never changed by
    the others.
    """
    plain = [_plain(name, number) for number, name in enumerate(given, 1)]
    taken = set(plain)
    used: set[str] = set()
    result = []
    counters: dict[str, int] = {}
    for name in plain:
        found = name
        while found in used or (found != name and found in taken):
            counters[name] = counters.get(name, 1) + 1
            suffix = f"_{counters[name]}"
            found = _cut(name, _LONGEST - len(suffix)) + suffix
        used.add(found)
        result.append(found)
    return result
