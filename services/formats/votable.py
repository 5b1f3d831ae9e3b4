"""VOTable 1.4: the document around the rows, and documents of an error.

The rows are written by :mod:`services.formats.serialisations`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import quoteattr

from services.formats.base import Writer
from services.formats.columns import Field
from services.formats.statement import ServiceDescriptor, Statement
from skyledger.answers import ResultColumn
from skyledger.systems import SYSTEMS
from skyledger.votable_types import votable_type

VERSION = "1.4"
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<VOTABLE version="{VERSION}" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"\n'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"\n'
    ' xsi:schemaLocation="http://www.ivoa.net/xml/VOTable/v1.3'
    ' http://www.ivoa.net/xml/VOTable/VOTable-1.4.xsd">\n'
)
# Characters that XML 1.0 cannot hold, in whatever form.
UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def attributes(about: Field) -> dict[str, str]:
    """Attributes of VOTable's FIELD, without those that are not known."""
    column = about.column
    datatype, size, xtype = votable_type(column.type, column.arraysize, column.xtype)
    known = {
        "name": column.name,
        "datatype": datatype,
        "arraysize": size,
        "xtype": xtype,
        "unit": column.unit,
        "ucd": column.ucd,
        "utype": column.utype,
        "ref": _system_id(column.system) if column.system in SYSTEMS else None,
    }
    return {name: value or "" for name, value in known.items() if value or name == "name"}


def _system_id(name: str | None) -> str:
    """ID of the element of a system; no column has it, as theirs are names of columns."""
    return f"system.{name}"


def _systems(columns: Sequence[ResultColumn]) -> str:
    """Return the systems that columns refer to: TIMESYS and COOSYS (VOTable 1.4, section 3)."""
    found = dict.fromkeys(c.system for c in columns if c.system in SYSTEMS)
    return "".join(
        element(SYSTEMS[name].element, {"ID": _system_id(name), **dict(SYSTEMS[name].attributes)})
        for name in found
        if name is not None
    )


def element(tag: str, given: Mapping[str, str | None], content: str = "") -> str:
    """XML element; ``content`` is XML already."""
    words = "".join(f" {k}={_attribute(v)}" for k, v in given.items() if v is not None)
    return f"<{tag}{words}>{content}</{tag}>\n" if content else f"<{tag}{words}/>\n"


def escaped(text: str) -> str:
    """Text as content of an element."""
    text = UNWRITABLE.sub("\ufffd", text)
    for old, new in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;")):
        text = text.replace(old, new)
    return text


def _attribute(text: str) -> str:
    return quoteattr(UNWRITABLE.sub("\ufffd", text), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _info(name: str, value: str, content: str = "") -> str:
    return element("INFO", {"name": name, "value": value}, escaped(content))


def _field(about: Field, known_as: str | None, *, declares_null: bool) -> str:
    inner = ""
    if about.column.description:
        inner += element("DESCRIPTION", {}, escaped(about.column.description))
    # In arrays a number has to stand for NULL in every serialisation.
    if about.integer and (declares_null or about.array is not None):
        inner += element("VALUES", {"null": str(about.null)})
    return element("FIELD", {"ID": known_as, **attributes(about)}, inner)


def _ids(statement: Statement, columns: Sequence[ResultColumn]) -> dict[str, tuple[int, str]]:
    """Place and ID of the columns that a service takes values of.

    Others get none, as readers call a column by its ID if it has one.
    """
    wanted = {name for about in statement.descriptors for name in about.inputs.values()}
    found: dict[str, tuple[int, str]] = {}
    for place, column in enumerate(columns):
        if column.name in wanted:
            plain = re.fullmatch("[A-Za-z_][A-Za-z0-9_.-]*", column.name)
            found[column.name] = (place, column.name if plain else f"column_{place + 1}")
    return found


def table_head(writer: Writer, *, declares_null: bool = False) -> str:
    """TABLE without its end: the FIELDs."""
    ids = dict(_ids(writer.statement, writer.columns).values())
    listed = (
        _field(about, ids.get(place), declares_null=declares_null)
        for place, about in enumerate(writer.fields)
    )
    return '<TABLE name="result">\n' + "".join(listed)


def resource_head(statement: Statement, columns: Sequence[ResultColumn]) -> str:
    """Begin the document: its origin and that all is well so far."""
    inner = _info("QUERY_STATUS", "OK")
    inner += "".join(_info(name, value) for name, value in statement.said())
    inner += _systems(columns)
    for link in statement.links:
        given = {"content-role": link.role, "title": link.title, "href": link.href}
        inner += element("LINK", given)
    return f'{_HEAD}<RESOURCE type="results">\n{inner}'


def document_foot(statement: Statement, columns: Sequence[ResultColumn]) -> str:
    """End of table and document: how it ended, and services that take its values."""
    status = statement.status()
    end = _info("QUERY_STATUS", *status) if status else ""
    ids = _ids(statement, columns)
    services = "".join(_service(d, ids) for d in statement.descriptors)
    return f"</TABLE>\n{end}</RESOURCE>\n{services}</VOTABLE>\n"


def _service(about: ServiceDescriptor, ids: Mapping[str, tuple[int, str]]) -> str:
    text = {"datatype": "char", "arraysize": "*"}
    inner = element("DESCRIPTION", {}, escaped(about.description)) if about.description else ""
    inner += element("PARAM", {"name": "accessURL", **text, "value": about.access_url})
    if about.standard_id:
        inner += element("PARAM", {"name": "standardID", **text, "value": about.standard_id})
    params = "".join(
        element("PARAM", {"name": name, **text, "value": "", "ref": ids[column][1]})
        for name, column in about.inputs.items()
        if column in ids
    )
    params += "".join(
        element("PARAM", {"name": name, **text, "value": value})
        for name, value in about.fixed.items()
    )
    inner += element("GROUP", {"name": "inputParams"}, params)
    given = {"type": "meta", "utype": "adhoc:service", "name": about.name}
    return element("RESOURCE", given, inner)


def metadata_document(writer: Writer) -> bytes:
    """Return the document of a whole answer without its rows, as VOParquet 1.0 embeds it."""
    text = resource_head(writer.statement, writer.columns) + table_head(writer)
    return (text + document_foot(writer.statement, writer.columns)).encode()


def error_document(message: str, infos: Sequence[tuple[str, str]] = ()) -> bytes:
    """Return the VOTable that says why there is no answer (DALI 1.1, section 4.4).

    Parameters
    ----------
    message
        What is wrong and what to do.
    infos
        (name, value) of what else is known.
    """
    inner = _info("QUERY_STATUS", "ERROR", message)
    inner += "".join(_info(name, value) for name, value in infos)
    return f'{_HEAD}<RESOURCE type="results">\n{inner}</RESOURCE>\n</VOTABLE>\n'.encode()


class VOTable(Writer):
    """What the three serialisations share."""

    tells_failure = True
    declares_null = False
    before, after = "", ""

    def head(self) -> Iterator[bytes]:
        """Yield everything down to the first row."""
        text = resource_head(self.statement, self.columns)
        text += table_head(self, declares_null=self.declares_null)
        yield f"{text}<DATA>{self.before}".encode()

    def foot(self) -> Iterator[bytes]:
        """Yield everything after the last row."""
        end = document_foot(self.statement, self.columns)
        yield f"{self.after}</DATA>\n{end}".encode()
