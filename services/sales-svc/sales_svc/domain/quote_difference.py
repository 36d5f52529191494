"""What differs between two versions of an offer. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sales_svc.domain.position import Item
from sales_svc.domain.quote import Quote

_HEAD = (
    *("customer", "contact", "address", "language", "valid_until", "payment_terms_days", "requested_on", "introduction", "terms"),
    *("price_book", "discount_percent", "discount_amount", "list_net", "net", "cost", "margin_percent", "custom"),
)
_ITEM = ("description", "unit", "quantity", "periods", "committed", "discount_percent", "list_net", "net", "total", "cost")


@dataclass(frozen=True, slots=True)
class ItemChange:
    """A position of both versions, and its fields that differ: [before, after]."""

    before: Item
    after: Item
    changes: dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Difference:
    """`head` are the fields beside the positions that differ: [before, after]."""

    head: dict[str, list[Any]]
    added: tuple[Item, ...]
    removed: tuple[Item, ...]
    changed: tuple[ItemChange, ...]


def difference(before: Quote, after: Quote) -> Difference:
    """From one version to another. Positions are the same when SKU and way of paying are, the first with the first and so on."""
    old, new = _by_key(before.items), _by_key(after.items)
    changed = []
    for key, item in new.items():
        if key in old:
            what = _changes(old[key], item, _ITEM)
            if [(p.sku, p.quantity, p.unit_price) for p in old[key].pieces] != [
                (p.sku, p.quantity, p.unit_price) for p in item.pieces
            ]:
                what["pieces"] = [_pieces(old[key]), _pieces(item)]
            if what:
                changed.append(ItemChange(old[key], item, what))
    return Difference(
        head=_changes(before, after, _HEAD),
        added=tuple(item for key, item in new.items() if key not in old),
        removed=tuple(item for key, item in old.items() if key not in new),
        changed=tuple(changed),
    )


def _by_key(items: Sequence[Item]) -> dict[tuple[Any, ...], Item]:
    known: dict[tuple[Any, ...], Item] = {}
    counts: dict[tuple[Any, ...], int] = {}
    for item in items:
        key = (item.sku, item.kind, item.period)
        counts[key] = counts.get(key, 0) + 1
        known[*key, counts[key]] = item
    return known


def _changes(before: Any, after: Any, names: Sequence[str]) -> dict[str, list[Any]]:
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in names)
    return {name: [_shown(old), _shown(new)] for name, old, new in pairs if old != new}


def _shown(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def _pieces(item: Item) -> list[dict[str, str]]:
    return [
        {"sku": piece.sku, "quantity": format(piece.quantity, "f"), "unit_price": str(piece.unit_price)} for piece in item.pieces
    ]
