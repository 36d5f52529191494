"""Every `type` that a caller may be answered is documented, with its meaning, and means the same everywhere."""

import inspect

from ltc_chassis import errors

from tests.house import problems


def test_every_error_says_what_it_means_in_its_own_words() -> None:
    assert not [each.__name__ for each in problems.classes() if "__doc__" not in vars(each) or not inspect.getdoc(each)]


def test_a_type_has_one_status_whoever_answers_it() -> None:
    statuses: dict[str, set[int]] = {}
    for each in problems.classes():
        statuses.setdefault(each.slug(), set()).add(errors.STATUS[each.kind])
    for slug, (status, _) in problems.OF_THE_EDGE.items():
        assert slug not in statuses, f"{slug} ({status}) is an answer of the edge"
    assert not {slug: found for slug, found in statuses.items() if len(found) > 1}


def test_every_status_has_something_to_do_about_it() -> None:
    assert {status for status, _, _ in problems.types().values()} <= problems.NEXT.keys()
