import threading

import pytest

from zounds.learn.threads import each


def test_what_is_made_is_in_the_order_of_the_items():
    assert each(lambda number: number**2, range(1000)) == [number**2 for number in range(1000)]
    assert each(len, []) == []


def test_what_goes_wrong_with_one_item_is_raised_and_no_thread_stays():
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        each(lambda number: 1 / number, [2, 1, 0, 3])
    assert threading.active_count() == before
