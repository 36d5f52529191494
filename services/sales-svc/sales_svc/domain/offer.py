"""What an offer is made of: items as a customer reads them, and the priced lines that flow on to contract, order and invoice.

An item is paid once, each period, or by use. Its lines are what the customer commits to:

- paid once: a line per item; per tier of a graduated price; per component of a bundle, priced per its own quantity, so that the
  components' nets add up to the bundle exactly.
- each period: a line of as many units as there are periods in the term, at the price of one period.
- by use: a line only for what is committed to. What is not stays on the item, with its price.

Pure: ids come in as a function.
"""

from collections.abc import Sequence
from decimal import Decimal

from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.events import Line
from ltc_contracts.money import Money, round_half_up

from sales_svc.domain.catalogue import MONTHS, Period, Product, Tax, tax_for
from sales_svc.domain.line import price_line
from sales_svc.domain.position import HUNDRED, NOTHING, Built, Item, Payment, Piece, Source, Terms, Wanted
from sales_svc.domain.price import plain
from sales_svc.domain.pricing import Group, Priced, PricedBundle, allocate

MOST_LINES = 500  # of an event
_PER = {
    "en": {"month": "month", "quarter": "quarter", "year": "year"},
    "zh": {"month": "月", "quarter": "季度", "year": "年"},
}
Known = Priced | PricedBundle


def build(wanted: Sequence[Wanted], known: Sequence[Known | None], terms: Terms) -> Built:
    """Items and lines; `known` is what the catalogue says for each position, null where it knows nothing.

    Raises `Invalid` with the field `lines.<n>.<what>`, and for a document that commits to nothing.
    """
    if terms.discount_amount is not None and terms.discount_percent:
        raise Invalid("a discount in per cent or in an amount, not both", field="discount_amount")
    made: list[Item] = []
    for number, (asked, priced) in enumerate(zip(wanted, known, strict=True)):
        try:
            made += _items(asked, priced, terms)
        except DomainError as error:
            error.field = f"lines.{number}.{error.field or 'sku'}"
            raise
    if terms.discount_amount is not None:
        made = _less(made, Money.of(terms.discount_amount, terms.currency))
    items, lines = [], []
    for item in made:
        with_lines, own = _lines(item, terms)
        items.append(with_lines)
        lines += own
    if not lines:
        raise Invalid(
            "nothing here is committed to: add something paid once or each period, or commit to some use", field="lines"
        )
    if len(lines) > MOST_LINES:
        raise Invalid(f"tiers and components make {len(lines)} lines of it; at most {MOST_LINES}", field="lines")
    return Built(tuple(items), tuple(lines))


def with_ids(items: Sequence[Item], terms: Terms) -> Built:
    """The same positions at the same prices for another version, with ids of their own."""
    fresh = [item.model_copy(update={"item_id": terms.new_id()}) for item in items]
    made = [_lines(item, terms) for item in fresh]
    return Built(tuple(item for item, _ in made), tuple(line for _, own in made for line in own))


def together(first: Decimal, then: Decimal) -> Decimal:
    """One discount on what another left, in per cent, to six places: 10 and 10 are 19."""
    return round_half_up(HUNDRED - (HUNDRED - first) * (HUNDRED - then) / HUNDRED, 6)


def _items(asked: Wanted, priced: Known | None, terms: Terms) -> list[Item]:
    if asked.unit_price is not None:
        return [_own_price(asked, priced, terms)]
    if priced is None:
        raise Invalid("give a unit_price, or a SKU of the catalogue", field="unit_price")
    if asked.kind is not None or asked.period is not None or asked.meter is not None or asked.base_quantity != 1:
        raise Invalid("how it is paid is the catalogue's to say", field="kind")
    if isinstance(priced, PricedBundle):
        return [_bundle(asked, priced, group, terms) for group in priced.groups]
    return [_listed(asked, priced, terms)]


def _own_price(asked: Wanted, priced: Known | None, terms: Terms) -> Item:
    """A price of the seller's. The catalogue, where it knows the product, still says what it would cost: that is the list price."""
    known = priced if isinstance(priced, Priced) else None
    product = known.product if known else None
    kind: Payment = asked.kind or (product.kind if product and product.kind != "bundle" else "one_off")
    period = asked.period or (product.period if product and kind == "recurring" else None)
    meter = asked.meter or (product.meter if product and kind == "usage" else None)
    if (period is not None) != (kind == "recurring"):
        raise Invalid("what is paid each period, and only that, has one", field="period")
    if (meter is not None) != (kind == "usage"):
        raise Invalid("what is paid by use, and only that, names its meter", field="meter")
    description = asked.description or (product.name if product else None)
    if description is None:
        raise Invalid("describe what is not in the catalogue", field="description")
    if asked.unit_price is None:
        raise Invalid("missing", field="unit_price")
    price = Money.of(asked.unit_price, terms.currency)
    tax = _tax(asked, product, terms)
    full = Money.rounded(asked.quantity * price.amount / asked.base_quantity, terms.currency)
    piece = _piece(asked.sku, description, asked.quantity, price, asked.base_quantity, None, tax, asked, terms)
    unit_cost = asked.unit_cost
    cost = None if unit_cost is None else Money.rounded(asked.quantity * unit_cost / asked.base_quantity, terms.currency)
    if cost is None and known is not None:
        cost = known.cost
    list_net = max(full, known.net, key=lambda each: each.amount) if known and known.product.kind == kind else full
    return _item(asked, description, kind, period, meter, list_net, cost, (piece,), None, product, terms)


def _listed(asked: Wanted, priced: Priced, terms: Terms) -> Item:
    product, price = priced.product, priced.choice.price
    kind: Payment = "one_off" if product.kind == "bundle" else product.kind
    description = asked.description or product.name
    tax = _tax(asked, product, terms)
    tiered = price.model != "flat"
    pieces = tuple(
        _piece(
            *(product.sku, description, part.quantity, part.unit_price, price.base_quantity, part.tier if tiered else None),
            *(tax, asked, terms),
        )
        for part in priced.slices
    )
    book = priced.choice.book
    source = Source(book=book.code, book_version=book.version, price_id=price.id, price_version=price.version, model=price.model)
    return _item(
        *(asked, description, kind, product.period, product.meter, priced.net, priced.cost, pieces, source, product, terms)
    )


def _bundle(asked: Wanted, priced: PricedBundle, group: Group, terms: Terms) -> Item:
    """The part of a bundle that is paid alike. Its price is shared out over the components after discounts."""
    if asked.tax_rate is not None or asked.tax_category is not None:
        raise Invalid("a bundle is taxed by its components", field="tax_rate")
    left = HUNDRED - together(asked.discount_percent, terms.discount_percent)
    net = Money.rounded(group.net.amount * left / HUNDRED, terms.currency)
    pieces = []
    for share, own in zip(group.shares, allocate(net, [share.net.amount for share in group.shares]), strict=True):
        part = share.component
        tax = _tax(asked, part.product, terms)
        pieces.append(
            Piece(
                sku=part.product.sku,
                description=part.product.name,
                quantity=part.quantity,
                unit_price=own,
                base_quantity=part.quantity,
                net=own,
                tax_category=tax.category,
                tax_rate=tax.rate,
            )
        )
    costs = [share.component.cost for share in group.shares]
    cost = (
        None if any(each is None for each in costs) else Money.total((each for each in costs if each is not None), terms.currency)
    )
    kind: Payment = "recurring" if group.kind == "recurring" else "one_off"
    description = asked.description or priced.product.name
    item = _item(*(asked, description, kind, group.period, None, group.net, cost, tuple(pieces), None, priced.product, terms))
    return item.model_copy(update={"bundle": True})


def _piece(
    sku: str,
    description: str,
    quantity: Decimal,
    price: Money,
    base: Decimal,
    tier: int | None,
    tax: Tax,
    asked: Wanted,
    terms: Terms,
) -> Piece:
    discount = together(asked.discount_percent, terms.discount_percent)
    return Piece(
        sku=sku,
        description=description,
        quantity=quantity,
        unit_price=price,
        base_quantity=base,
        discount_percent=discount,
        tier=tier,
        net=Money.rounded(quantity * price.amount / base * (HUNDRED - discount) / HUNDRED, terms.currency),
        tax_category=tax.category,
        tax_rate=tax.rate,
    )


def _item(
    asked: Wanted,
    description: str,
    kind: Payment,
    period: Period | None,
    meter: str | None,
    list_net: Money,
    cost: Money | None,
    pieces: tuple[Piece, ...],
    source: Source | None,
    product: Product | None,
    terms: Terms,
) -> Item:
    if asked.periods is not None and kind != "recurring":
        raise Invalid("what is not paid each period has no term", field="periods")
    if asked.committed and kind != "usage":
        raise Invalid("only use can be left open; everything else is committed to", field="committed")
    periods = (asked.periods or 12 // MONTHS[period]) if period else 1
    net = Money.total((piece.net for piece in pieces), terms.currency)
    committed = kind != "usage" or asked.committed
    return Item(
        item_id=terms.new_id(),
        sku=asked.sku,
        description=description,
        unit=asked.unit or (product.unit if product else "piece"),
        quantity=asked.quantity,
        kind=kind,
        period=period,
        periods=periods,
        meter=meter,
        committed=committed,
        discount_percent=asked.discount_percent,
        list_net=list_net,
        net=net,
        total=Money.rounded(net.amount * periods, terms.currency) if committed else Money.zero(terms.currency),
        cost=None if cost is None or not committed else Money.rounded(cost.amount * periods, terms.currency),
        source=source,
        pieces=pieces,
    )


def _less(items: Sequence[Item], amount: Money) -> list[Item]:
    """A discount in an amount is taken off what is paid once, in proportion, to the minor unit."""
    once = [piece for item in items if item.kind == "one_off" for piece in item.pieces]
    whole = Money.total((piece.net for piece in once), amount.currency)
    if whole < amount or amount.amount < 0:
        raise Invalid(f"at most {whole}, which is what is paid once", field="discount_amount")
    shares = iter(allocate(whole - amount, [piece.net.amount for piece in once]))
    made: list[Item] = []
    for item in items:
        if item.kind != "one_off":
            made.append(item)
            continue
        pieces = []
        for piece in item.pieces:
            share = next(shares)
            # The price per its own quantity is the only one whose net is this share exactly.
            as_share = {"net": share, "unit_price": share, "base_quantity": piece.quantity, "discount_percent": NOTHING}
            pieces.append(piece.model_copy(update=as_share))
        net = Money.total((piece.net for piece in pieces), amount.currency)
        made.append(item.model_copy(update={"pieces": tuple(pieces), "net": net, "total": net}))
    return made


def _lines(item: Item, terms: Terms) -> tuple[Item, list[Line]]:
    """The item with the ids of its lines, and the lines."""
    if not item.committed:
        return item, []
    if item.kind == "recurring" and not item.bundle:
        line = _period_line(item, item.pieces[0], item.quantity, item.net, terms)
        pieces = tuple(piece.model_copy(update={"line_id": line.line_id}) for piece in item.pieces)
        return item.model_copy(update={"pieces": pieces}), [line]
    if item.kind == "recurring":
        lines = [_period_line(item, piece, piece.quantity, piece.net, terms) for piece in item.pieces]
    else:
        lines = [_line(piece, terms) for piece in item.pieces]
    pieces = tuple(piece.model_copy(update={"line_id": line.line_id}) for piece, line in zip(item.pieces, lines, strict=True))
    return item.model_copy(update={"pieces": pieces}), lines


def _line(piece: Piece, terms: Terms) -> Line:
    return price_line(
        line_id=terms.new_id(),
        sku=piece.sku,
        description=piece.description,
        quantity=piece.quantity,
        unit_price=piece.unit_price.amount,
        base_quantity=piece.base_quantity,
        discount_percent=piece.discount_percent,
        currency=terms.currency,
        tax_category=piece.tax_category,
        tax_rate=piece.tax_rate,
    )


def _period_line(item: Item, piece: Piece, quantity: Decimal, net: Money, terms: Terms) -> Line:
    """The term of something paid each period: as many units as periods, each at the net of one period."""
    per = _PER.get(terms.language, _PER["en"])[item.period or "month"]
    return price_line(
        line_id=terms.new_id(),
        sku=piece.sku,
        description=f"{piece.description[:150]}, {plain(quantity)} {item.unit[:20]}/{per}",
        quantity=Decimal(item.periods),
        unit_price=net.amount,
        currency=terms.currency,
        tax_category=piece.tax_category,
        tax_rate=piece.tax_rate,
    )


def _tax(asked: Wanted, product: Product | None, terms: Terms) -> Tax:
    """What the seller says counts before what the catalogue says for the customer's country."""
    known = tax_for(product, terms.country) if product else None
    category = asked.tax_category or (known.category if known and asked.tax_rate is None else "S")
    if asked.tax_rate is not None:
        rate = asked.tax_rate
    elif asked.tax_category is not None and asked.tax_category != "S":
        rate = NOTHING
    elif known is not None:
        rate = known.rate
    else:
        raise Invalid(f"no tax is known for {terms.country}; give a tax_rate", field="tax_rate")
    if category != "S" and rate != 0:
        raise Invalid(f"tax category {category} has the rate 0", field="tax_rate")
    return Tax(category, rate)
