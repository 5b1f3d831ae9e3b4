"""Words of ADQL: a text becomes tokens, each with its place (ADQL 2.1, section 2.1)."""

import re
from typing import NamedTuple

from services.adql.errors import AdqlError
from skyledger.catalogue import RESERVED

MAX_LENGTH = 1_000_000  # characters of a query; lists of 50,000 identifiers fit


class Token(NamedTuple):
    """One word: its kind, what it says, and the offset at which it stands.

    Kinds: ``word`` (reserved, in capitals), ``name`` (regular identifier), ``quoted`` (delimited
    identifier, unquoted), ``string`` (unquoted), ``number``, ``sign``, ``end``.
    """

    kind: str
    text: str
    offset: int


_TOKEN = re.compile(
    # Possessive: what a comment or a literal has taken is never looked at again.
    r"""\s*+(?:--[^\n]*+\s*+)*+(?:
      (?P<name>[A-Za-z][A-Za-z0-9_]*)
    | (?P<number>0[xX][0-9A-Fa-f]+ | (?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<string>'(?:[^']|'')*+')
    | (?P<quoted>"(?:[^"]|"")++")
    | (?P<sign><>|!=|<=|>=|\|\||[-+*/(),.=<>;&|^~])
    | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_STARTS = {
    "'": "a text begins here that is not ended; close it with ', and write ' within it twice",
    '"': 'a name in double quotes begins here that is not ended or has no letters; close it with "',
    "[": "square brackets are not ADQL; elements of array columns cannot be named, functions such "
    "as cov_element take them apart",
    "%": "% is not ADQL; write MOD(x, y)",
    "_": "a name begins with a letter; write others in double quotes",
    "`": 'backquotes are not ADQL; write the name in double quotes "',
    ":": "':' is not ADQL; write CAST(x AS type) for x::type, and values themselves for parameters",
    "?": "'?' is not ADQL; write the value itself",
    "#": "'#' is not ADQL; comments begin with --",
}


def tokens(text: str) -> list[Token]:
    """Split a query into its words; the last one is of kind ``end``.

    Raises
    ------
    AdqlError
        If it is too long, or a character or an unfinished literal has no meaning.
    """
    if len(text) > MAX_LENGTH:
        raise AdqlError(
            f"the query has {len(text)} characters, {MAX_LENGTH} are the limit; "
            f"upload long lists as a table and join with it"
        )
    for bad in ("\0", "\ufeff"):
        if bad in text:
            raise AdqlError(
                f"character U+{ord(bad):04X} cannot be in a query; remove it", text, text.index(bad)
            )
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise AdqlError(
                "half of a character pair stands here; send the query in UTF-8", text, error.start
            ) from None
    found: list[Token] = []
    add = found.append
    position, match = 0, _TOKEN.match
    after = ""  # kind of the token before, if this one follows at once
    while True:
        m = match(text, position)
        if m is None:
            raise _unknown(text, position)
        kind = m.lastgroup or ""
        start, position = m.start(kind), m.end()
        value = m[kind]
        if after == "number" and kind in {"name", "number"} and start == m.pos:
            raise AdqlError(
                f"a number runs into {value!r}; put a space between, or quote a name that begins "
                f"with a digit",
                text,
                start,
            )
        after = kind
        if kind == "name":
            upper = value.upper()
            add(Token("word", upper, start) if upper in RESERVED else Token(kind, value, start))
        elif kind == "string":
            add(Token(kind, value[1:-1].replace("''", "'"), start))
        elif kind == "quoted":
            add(Token(kind, value[1:-1].replace('""', '"'), start))
        else:
            add(Token(kind, value, start))
            if kind == "end":
                return found


_SPACE = re.compile(r"\s*+(?:--[^\n]*+\s*+)*+")


def _unknown(text: str, position: int) -> AdqlError:
    space = _SPACE.match(text, position)
    start = space.end() if space else position
    character = text[start]
    if character in _STARTS:
        said = _STARTS[character]
    elif character.isalpha():
        said = (
            f"a name may have the letters a to z only; write it with {character!r} in double quotes"
        )
    else:
        said = f"character {character!r} has no meaning in ADQL here; remove it"
    return AdqlError(said, text, start)
