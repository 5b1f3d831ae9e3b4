"""ADQL 2.1 into the SQL of this archive: `translate.translate` with a `catalogue.Catalogue`."""

from services.adql.answer import Translated
from services.adql.errors import AdqlError
from services.adql.translate import translate
from skyledger.catalogue import Catalogue, Column, Table

__all__ = ["AdqlError", "Catalogue", "Column", "Table", "Translated", "translate"]
