"""Parts of a large XML document, one after the other, by lxml: no document type, no entities, no network, bounded depth and size."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from billing_svc.domain.bank_statement import StatementUnreadable

_BLOCK = 32 * 1024
_DEEPEST = 30
_MOST_NODES = 400_000
_LONGEST_TEXT = 20_000


@dataclass(slots=True)
class Node:
    """An element without its namespace. `line` is where it begins."""

    name: str
    line: int
    attributes: dict[str, str]
    text: str = ""
    children: list["Node"] = field(default_factory=list)

    def find(self, path: str) -> "Node | None":
        """The first child, and its first child and so on, by names; None where one is missing."""
        node = self
        for name in path.split("/"):
            for child in node.children:
                if child.name == name:
                    node = child
                    break
            else:
                return None
        return node

    def all(self, path: str) -> list["Node"]:
        """Every one by these names."""
        nodes = [self]
        for name in path.split("/"):
            nodes = [child for node in nodes for child in node.children if child.name == name]
        return nodes

    def said(self, *paths: str) -> str:
        """The text of the first of these that has one; empty for none."""
        for path in paths:
            node = self.find(path)
            if node is not None and node.text:
                return node.text
        return ""


@dataclass(frozen=True, slots=True)
class Part:
    """`begins` and `ends` of an element at depth `depth` (the root has 1); `whole` with its node."""

    event: str
    name: str
    depth: int
    line: int
    namespace: str
    node: Node | None = None


def read(content: bytes, whole_at: int) -> Iterator[Part]:
    """Elements of depth `whole_at` whole, those above as they begin and end. Raises `StatementUnreadable` with line and element."""
    parser = etree.XMLPullParser(
        ("start", "end"),
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    depth = 0
    for start in range(0, len(content) + _BLOCK, _BLOCK):
        block = content[start : start + _BLOCK]
        try:
            if block:
                parser.feed(block)
            else:
                parser.close()
        except etree.XMLSyntaxError as error:
            raise StatementUnreadable(
                f"is no well-formed XML: {error.msg}"[:300], line=error.lineno or 1, element="XML"
            ) from error
        except (LookupError, ValueError) as error:
            raise StatementUnreadable("is no XML that can be read", line=1, element="XML") from error
        for event, element in parser.read_events():
            if event == "start":
                depth += 1
                if depth == 1 and element.getroottree().docinfo.doctype:
                    raise StatementUnreadable("document types and entities are not taken", line=1, element="DOCTYPE")
                if depth > _DEEPEST:
                    raise _fault(element, f"elements are nested more than {_DEEPEST} deep")
                if depth < whole_at:
                    yield _part("begins", element, depth)
                continue
            if depth < whole_at:
                yield _part("ends", element, depth)
            elif depth == whole_at:
                yield Part("whole", _name(element), depth, element.sourceline or 0, _namespace(element), _node(element, [0]))
                # What was told is let go, or a large file would be in memory as a tree.
                parent = element.getparent()
                while element.getprevious() is not None:
                    del parent[0]
                element.clear(keep_tail=True)
            depth -= 1
        if not block:
            return


def _node(element: Any, count: list[int]) -> Node:
    count[0] += 1
    if count[0] > _MOST_NODES:
        raise _fault(element, f"one entry has more than {_MOST_NODES} elements")
    attributes = dict(element.attrib) if len(element.attrib) else {}
    node = Node(_name(element), element.sourceline or 0, attributes, (element.text or "").strip()[:_LONGEST_TEXT])
    node.children = [_node(child, count) for child in element if isinstance(child.tag, str)]
    return node


def _part(event: str, element: Any, depth: int) -> Part:
    return Part(event, _name(element), depth, element.sourceline or 0, _namespace(element))


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _namespace(element: Any) -> str:
    return str(element.tag)[1:].partition("}")[0] if str(element.tag).startswith("{") else ""


def _fault(element: Any, reason: str) -> StatementUnreadable:
    return StatementUnreadable(reason, line=element.sourceline or 0, element=_name(element)[:60])
