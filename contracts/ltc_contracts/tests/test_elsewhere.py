from uuid import uuid4

from ltc_contracts.elsewhere import id_elsewhere, lies_elsewhere
from ltc_contracts.examples import all_examples


def test_what_lies_elsewhere_has_the_same_id_each_time_and_another_than_all_else() -> None:
    order = id_elsewhere("order", "", "611365")
    assert order == id_elsewhere("order", "", "611365")
    assert len({order, id_elsewhere("delivery", "", "611365"), id_elsewhere("order", "6", "11365")}) == 3
    assert lies_elsewhere(order)
    assert not lies_elsewhere(uuid4())


def test_no_event_of_ours_names_an_id_that_would_be_taken_for_one_elsewhere() -> None:
    orders = [getattr(sample.event, "order_id", None) for sample in all_examples()]
    assert not [order for order in orders if order is not None and lies_elsewhere(order)]
