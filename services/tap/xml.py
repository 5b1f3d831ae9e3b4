"""Small XML documents of the VO, built as trees: whatever a value holds, the document stays one."""

import re
from collections.abc import Mapping
from xml.etree import ElementTree as ET

TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_SPACES = {
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xlink": "http://www.w3.org/1999/xlink",
    "uws": "http://www.ivoa.net/xml/UWS/v1.0",
    "vosi": "http://www.ivoa.net/xml/VOSICapabilities/v1.0",
    "vtm": "http://www.ivoa.net/xml/VOSITables/v1.0",
    "avl": "http://www.ivoa.net/xml/VOSIAvailability/v1.0",
    "vr": "http://www.ivoa.net/xml/VOResource/v1.0",
    "vs": "http://www.ivoa.net/xml/VODataService/v1.1",
    "tr": "http://www.ivoa.net/xml/TAPRegExt/v1.0",
    "cs": "http://www.ivoa.net/xml/ConeSearch/v1.0",
}
for _prefix, _uri in _SPACES.items():
    ET.register_namespace(_prefix, _uri)

# What XML 1.0 cannot hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def root(name: str, **attributes: str) -> ET.Element:
    """Begin a document with element ``prefix:name``."""
    return ET.Element(_qualified(name), attributes)


def add(
    parent: ET.Element, name: str, text: object = None, given: Mapping[str, str] | None = None,
    *, nil: bool = False,
) -> ET.Element:  # fmt: skip
    """Append an element ``name`` or ``prefix:name`` with attributes.

    With ``nil`` and no text it says that there is none.
    """
    element = ET.SubElement(parent, _qualified(name), dict(given or {}))
    if text is not None:
        element.text = _FORBIDDEN.sub("�", str(text))
    elif nil:
        element.set(f"{{{_SPACES['xsi']}}}nil", "true")
    return element


def _qualified(name: str) -> str:
    prefix, colon, plain = name.partition(":")
    return f"{{{_SPACES[prefix]}}}{plain}" if colon else name


def qualified_attribute(name: str) -> str:
    """Write the name of an attribute such as ``xlink:href``."""
    return _qualified(name)


def document(element: ET.Element, *uses: str) -> bytes:
    """Write a document.

    Parameters
    ----------
    element
        Its root.
    *uses
        Prefixes that stand in values of ``xsi:type`` and so have to be declared.
    """
    for prefix in uses:
        if not any(_SPACES[prefix] in str(e.tag) for e in element.iter()):
            element.set(f"xmlns:{prefix}", _SPACES[prefix])
    ET.indent(element)
    text: bytes = ET.tostring(element, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + text
