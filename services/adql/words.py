"""The words of a query as the grammar reads them: one after the other, never back."""

from functools import cached_property

from services.adql import tree
from services.adql.errors import AdqlError
from services.adql.tokens import Token, tokens

MAX_DEPTH = 40  # nested parentheses, functions and subqueries; each takes about ten stack frames
# Words that begin a part of a query: where a name is needed, it was left out.
CLAUSES = frozenset(
    (
        "SELECT",
        "FROM",
        "WHERE",
        "GROUP",
        "HAVING",
        "ORDER",
        "OFFSET",
        "AND",
        "OR",
        "AS",
        "ON",
        "UNION",
        "INTERSECT",
        "EXCEPT",
        "JOIN",
        "USING",
    )
)


class Words:
    """The words of a text, and the next of them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.at = 0
        self.depth = 0

    # -- the stream of words

    @property
    def token(self) -> Token:
        """The next word."""
        return self.tokens[self.at]

    def error(self, problem: str, offset: int | None = None) -> AdqlError:
        """Return an error at a place, by default that of the next word."""
        return AdqlError(problem, self.text, self.token.offset if offset is None else offset)

    def shown(self) -> str:
        """Return the next word as a message shows it."""
        token = self.token
        return {"end": "the end of the query", "string": "a text in quotes"}.get(
            token.kind, f"{token.text!r}"
        )

    def sees(self, *words: str) -> bool:
        """Whether the next word is one of ``words``."""
        token = self.tokens[self.at]
        return token.text in words and token.kind in {"word", "sign"}

    def take(self, *words: str) -> str | None:
        """Go past the next word if it is one of ``words``."""
        token = self.tokens[self.at]
        if token.text in words and token.kind in {"word", "sign"}:
            self.at += 1
            return token.text
        return None

    def expect(self, word: str, where: str) -> None:
        """Go past ``word``, which has to be next."""
        if not self.take(word):
            raise self.error(f"{word!r} is missing {where}; found {self.shown()}")

    def enter(self) -> None:
        """Go one level deeper; whoever calls it comes back by itself."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(
                f"more than {MAX_DEPTH} levels are nested here; write part of it as WITH"
            )

    def name(self, what: str) -> tree.Name:
        """Read an identifier; ``what`` it names is told if there is none."""
        token = self.token
        if token.kind in {"name", "quoted"}:
            self.at += 1
            return tree.Name(token.offset, token.text, token.kind == "quoted")
        if token.kind == "word" and token.text not in CLAUSES:
            raise self.error(
                f"{token.text} is a reserved word and cannot be {what} as it is; write it in "
                f'double quotes, "{token.text.lower()}"'
            )
        raise self.error(f"{what} is missing; found {self.shown()}")

    def names(self, what: str) -> tuple[tree.Name, ...]:
        """Read a list of identifiers and the parenthesis behind it."""
        found = [self.name(what)]
        while self.take(","):
            found.append(self.name(what))
        self.expect(")", "after the list of names")
        return tuple(found)

    def whole_number(self, what: str) -> int:
        """Read the number that TOP, OFFSET or a length takes."""
        token = self.token
        if token.kind != "number" or not token.text.isdigit() or len(token.text) > 18:
            raise self.error(
                f"{what} takes a whole number that is not negative; found {self.shown()}"
            )
        self.at += 1
        return int(token.text)

    def opens_query(self) -> bool:
        """Whether the parenthesis that opens here holds a query: not a value, not a join."""
        at = self.at
        for _ in range(MAX_DEPTH):
            first = self.tokens[at + 1]
            if first.kind == "word":
                return first.text in {"SELECT", "WITH"}
            if first.kind != "sign" or first.text != "(":
                return False
            closing = self._closings.get(at + 1, len(self.tokens))
            after = self.tokens[closing + 1 : closing + 2]
            if not after or after[0].text in {"UNION", "EXCEPT", "INTERSECT", "ORDER", "OFFSET"}:
                return bool(after) and after[0].kind == "word"
            if after[0].kind != "sign" or after[0].text != ")":
                return False
            at += 1
        return False

    @cached_property
    def _closings(self) -> dict[int, int]:
        """Index of the parenthesis that closes each one, by its index."""
        opened: list[int] = []
        found = {}
        for k, token in enumerate(self.tokens):
            if token.kind == "sign":
                if token.text == "(":
                    opened.append(k)
                elif token.text == ")" and opened:
                    found[opened.pop()] = k
        return found
