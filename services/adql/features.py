"""What of ADQL's optional parts there is, as the capabilities of a service tell it (TAPRegExt)."""

from services.adql.expressions import GEOMETRY
from services.adql.functions import functions

_BASE = "ivo://ivoa.net/std/TAPRegExt#features-"
_OPTIONAL = {
    "adqlgeo": tuple(sorted(GEOMETRY)),
    "adql-string": ("ILIKE", "LOWER", "UPPER"),
    "adql-sets": ("EXCEPT", "INTERSECT", "UNION"),
    "adql-common-table": ("WITH",),
    "adql-type": ("CAST",),
    "adql-unit": ("IN_UNIT",),
    "adql-bitwise": ("BIT_AND", "BIT_NOT", "BIT_OR", "BIT_XOR"),
    "adql-offset": ("OFFSET",),
}


def features() -> dict[str, tuple[tuple[str, str], ...]]:
    """Return the forms of each kind of language feature, with what is said of them.

    Returns
    -------
    dict
        By the type of the feature, an URI: pairs of form and description, the latter empty for
        what the standard describes.
    """
    found = {_BASE + kind: tuple((form, "") for form in forms) for kind, forms in _OPTIONAL.items()}
    found[_BASE + "udf"] = tuple(
        (form.signature, form.description) for several in functions().values() for form in several
    )
    return found
