"""What is said of a query that is not understood."""

from skyledger.errors import QueryRefusedError


class AdqlError(QueryRefusedError):
    """A query is not ADQL, or names what is not there.

    Attributes
    ----------
    line, column
        Where, both from 1.
    problem
        What is wrong and what to write instead, without the place.
    """

    def __init__(self, problem: str, text: str = "", offset: int = 0) -> None:
        before = text[:offset]
        self.line = before.count("\n") + 1
        self.column = offset - (before.rfind("\n") + 1) + 1
        self.problem = problem
        super().__init__(f"line {self.line}, column {self.column}: {problem}")
