"""XML of nested parts, in the order in which they are given, the same bytes each time."""

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

# What XML 1.0 has no way to carry.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Part = tuple[str, Any] | tuple[str, Any, Mapping[str, str]]


def document(root: str, namespaces: Mapping[str, str], parts: list[Part]) -> bytes:
    """`parts` are (prefix:name, text or parts, attributes); a part whose content is None or () is left out."""
    top = ElementTree.Element(root, {f"xmlns:{prefix}" if prefix else "xmlns": uri for prefix, uri in namespaces.items()})
    _fill(top, parts)
    written: bytes = ElementTree.tostring(top, encoding="utf-8", xml_declaration=True)
    return written


def _fill(parent: ElementTree.Element, parts: list[Part]) -> None:
    for part in parts:
        name, content = part[0], part[1]
        if content is None or content == []:
            continue
        child = ElementTree.SubElement(parent, name, dict(part[2]) if len(part) == 3 else {})
        if isinstance(content, list):
            _fill(child, content)
        else:
            child.text = _UNPRINTABLE.sub("", str(content))
