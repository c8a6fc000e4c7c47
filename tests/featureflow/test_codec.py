import dataclasses
import json
import pickle
import struct
from fractions import Fraction

import hypothesis.extra.numpy as npst
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import featureflow as ff
from featureflow.codec import content_digest, decode, encode


@ff.storable("tests.Point")
@dataclasses.dataclass(frozen=True)
class Point:
    x: float
    y: object


class Unregistered:
    pass


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.fractions(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text().filter(lambda key: key != "$"), inner)
        | st.builds(Point, st.floats(allow_nan=False), inner)
    ),
    max_leaves=20,
)


@given(plain)
def test_plain_values_come_back_equal_and_of_the_same_type(value):
    back = decode(encode(value))
    assert back == value
    assert type(back) is type(value)


@given(
    npst.arrays(
        st.sampled_from(
            [bool, "i1", "u2", "<i4", ">i8", "f2", "f4", "f8", "c8", "c16", "U3", "S4"]
        ),
        npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9),
    )
)
def test_arrays_come_back_bit_for_bit(array):
    back = decode(encode(array))
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()


def test_arrays_inside_other_values_come_back_writable():
    value = {"a": [np.arange(5), (np.eye(3, dtype="f4"),)], "b": np.float32(1.5)}
    back = decode(encode(value))
    np.testing.assert_array_equal(back["a"][0], np.arange(5))
    np.testing.assert_array_equal(back["a"][1][0], np.eye(3))
    assert back["b"] == np.float32(1.5)
    assert back["b"].dtype == np.float32
    back["a"][0][:] = 7


def test_floats_that_json_does_not_have_come_back():
    back = decode(encode([float("inf"), float("-inf"), float("nan")]))
    assert back[:2] == [float("inf"), float("-inf")]
    assert np.isnan(back[2])


def test_booleans_take_one_bit_each():
    assert len(encode(np.ones((1000, 128), bool))) < 1000 * 128 / 8 + 200


def test_a_record_of_numbers_is_hardly_larger_than_the_numbers():
    array = np.zeros((512, 100), "f4")
    assert len(encode(array)) < array.nbytes + 200


def test_a_range_and_a_slice_of_it_come_back():
    assert decode(encode(range(3, 20, 4))) == range(3, 20, 4)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"a": [1, Unregistered()]}, r"value\['a'\]\[1\]"),
        (np.array([object()]), "value is an array of object"),
        (Point(0.0, {1, 2}), r"value\.y is a builtins\.set"),
        ({1: 2}, "value has keys that are not plain str"),
        (lambda: 0, "function"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_located(value, where):
    with pytest.raises(ff.CodecError, match=where):
        encode(value)


def test_an_unknown_class_is_refused_by_name_and_never_imported():
    record = encode(Point(1.0, 2)).replace(b'"tests.Point"', b'"tests.Paint"')
    with pytest.raises(ff.CodecError, match=r"tests\.Paint.*import the module"):
        decode(record)


@given(st.binary(max_size=300))
def test_random_bytes_raise_our_errors_only(data):
    try:
        decode(data)
    except ff.StoreError:
        pass


@given(st.data())
def test_flipped_bytes_give_a_value_or_our_error(data):
    record = bytearray(encode({"a": np.arange(20), "b": [Point(1.0, Fraction(1, 3))]}))
    for _ in range(data.draw(st.integers(1, 5))):
        record[data.draw(st.integers(0, len(record) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(record))
    except ff.StoreError:
        pass


class Bomb:
    def __reduce__(self):
        return (print, ("executed",))


def test_a_pickle_in_place_of_a_record_is_not_executed(capsys):
    evil = pickle.dumps(Bomb())
    for record in (evil, struct.pack("<I", len(evil)) + evil):
        with pytest.raises(ff.CorruptRecord):
            decode(record)
    assert capsys.readouterr().out == ""


def test_a_head_that_asks_for_a_huge_array_does_not_get_the_memory():
    head = json.dumps({"$": "array", "dtype": "<f8", "shape": [2**40], "at": 0}).encode()
    with pytest.raises(ff.CorruptRecord):
        decode(struct.pack("<I", len(head)) + head)


def test_a_head_that_asks_for_python_objects_is_refused():
    head = json.dumps({"$": "array", "dtype": "|O", "shape": [1], "at": 0}).encode()
    with pytest.raises(ff.CorruptRecord):
        decode(struct.pack("<I", len(head)) + head + bytes(64))


def test_a_name_belongs_to_one_class():
    with pytest.raises(ff.InvalidParameter, match=r"tests\.Point.*already taken"):

        @ff.storable("tests.Point")
        @dataclasses.dataclass
        class Other:
            pass


def test_a_class_that_is_no_dataclass_says_how_it_is_stored():
    with pytest.raises(ff.InvalidParameter, match="__to_state__"):
        ff.storable("tests.Unregistered")(Unregistered)


def test_the_digest_is_that_of_the_parts_together():
    assert content_digest(b"ab", b"c") == content_digest(b"abc") != content_digest(b"abd")
