"""The query service: SQL at one instant, read-only, as a reader (see `skyledger.answers`)."""

from skyledger.answers import Answer, ResultColumn, run
from skyledger.database.session import sentence, settle

__all__ = ["Answer", "ResultColumn", "run", "sentence", "settle"]
