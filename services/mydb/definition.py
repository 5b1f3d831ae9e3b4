"""Empty tables as VOSI describes them: a ``table`` with its columns, without rows."""

import pyexpat
import re
from collections.abc import Mapping

from services.uploads import Uploaded
from services.uploads.table import Builder, Field, Limits
from skyledger.errors import UploadRefusedError

# Types of VOTable and of TAP 1.0: those of PostgreSQL.
_TYPES = {
    "boolean": "boolean", "short": "smallint", "smallint": "smallint", "unsignedbyte": "smallint",
    "int": "integer", "integer": "integer", "long": "bigint", "bigint": "bigint", "float": "real",
    "real": "real", "double": "double precision", "char": "text", "unicodechar": "text",
    "varchar": "text", "clob": "text", "timestamp": "timestamp", "point": "double precision[]",
    "circle": "double precision[]", "polygon": "double precision[]", "blob": "bytea",
    "varbinary": "bytea", "binary": "bytea",
}  # fmt: skip
_TEXTS = {"name", "description", "unit", "ucd", "utype", "dataType"}
MOST_BYTES = 1 << 20


class _Reader:
    """Handlers of expat: the columns of one table."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.fields: list[Field] = []
        self._column: dict[str, str] | None = None
        self._text: list[str] | None = None
        self.parser = pyexpat.ParserCreate(namespace_separator=" ")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self.parser.StartDoctypeDeclHandler = self._doctype

    def _doctype(self, *_: object) -> None:
        raise self.builder.refuse("the document has a DOCTYPE; send it without one")

    def _start(self, name: str, given: Mapping[str, str]) -> None:
        name = name.rpartition(" ")[2]
        if name == "column":
            self._column = {}
        elif self._column is not None and name in _TEXTS:
            self._text = []
            if name == "dataType":
                self._column["arraysize"] = given.get("arraysize") or given.get("size") or ""
                self._column["xtype"] = given.get("extendedType") or ""

    def _data(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, name: str) -> None:
        name = name.rpartition(" ")[2]
        if self._column is None:
            return
        if self._text is not None and name in _TEXTS:
            self._column[name] = "".join(self._text).strip()
            self._text = None
        elif name == "column":
            self.fields.append(self._field(self._column))
            self._column = None

    def _field(self, column: dict[str, str]) -> Field:
        said = column.get("dataType", "")
        kind = _TYPES.get(re.sub(r"\(.*\)|^.*:", "", said).strip().lower())
        if kind is None:
            raise self.builder.refuse(
                f"its type is {said[:40]!r}; write one of VOTable, such as long, double or char",
                column=column.get("name", ""),
            )
        size, xtype = column.get("arraysize", ""), column.get("xtype", "")
        if kind == "text":
            kind, size = ("timestamp" if xtype.lower() == "timestamp" else "text"), ""
        elif (
            size not in {"", "1"} and not kind.endswith("[]") and kind not in {"timestamp", "bytea"}
        ):
            kind += "[]"
        known = {k: column.get(k) or None for k in ("unit", "ucd", "utype", "description")}
        return Field(
            column.get("name", ""), kind, size if kind.endswith("[]") else None,
            xtype=None if kind == "timestamp" else xtype or None, **known,
        )  # fmt: skip


def is_definition(begin: bytes) -> bool:
    """Whether a document is XML that is no VOTable."""
    text = begin.decode(errors="replace").lstrip("\ufeff \r\n\t")
    return text.startswith("<") and re.search(r"<(\w+:)?VOTABLE\b", text) is None


def read(content: bytes, name: str) -> Uploaded:
    """Read the columns of a VOSI table.

    Raises
    ------
    UploadRefusedError
        If it is not one, or a type is not known.
    """
    builder = Builder(name, Limits())
    if len(content) > MOST_BYTES:
        raise builder.refuse(f"the description of a table has at most {MOST_BYTES} bytes")
    reader = _Reader(builder)
    try:
        reader.parser.Parse(content, True)  # noqa: FBT003 - this is all
    except pyexpat.ExpatError as error:
        raise builder.refuse(f"it is not XML: {error}; write the document again") from None
    except (UnicodeDecodeError, ValueError, LookupError) as error:
        raise UploadRefusedError(f"upload {name!r}: {error}; send UTF-8") from None
    builder.begin(reader.fields)
    return builder.done("vosi")
