"""How values lie in a store: small ones in their header, others cut where pages end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featureflow as ff
from featureflow import upkeep
from featureflow.document import Document, Writer

FEATURE = ff.ByteStreamFeature(len)  # the node is not called
PAGE, HEAD = 4096, 16


def written(pieces, store=None):
    """Write pieces of bytes as a value; return its document and place."""
    document = Document(ff.InMemoryDatabase() if store is None else store, "a")
    value = document.value("token", "feature", "fingerprint")
    writer = Writer(document)
    writer.begin(value)
    for piece in pieces:
        writer.add(FEATURE, value, piece)
    writer.commit()
    return document, value


def lengths(document, value):
    """The sizes of what lies beside the header."""
    return [len(part) for _, part in document.parts(value, document.header(value))]


sizes = st.one_of(
    st.integers(0, 20000), st.sampled_from([1500, 1501, 2500, 2501, 4079, 4080, 4081])
)


@settings(deadline=None)
@given(st.lists(sizes, max_size=6), st.integers(0, 255))
def test_whatever_is_written_is_read_again(counts, seed):
    random = np.random.default_rng(seed)
    pieces = [random.bytes(count) for count in counts]
    document, value = written(pieces)
    header = document.header(value)
    assert list(document.records(value, header)) == pieces
    assert len(document.store.read(value.header)) < 2038 - len(
        value.header
    )  # not a page of its own
    assert len(list(document.store.keys())) == 1 + len(lengths(document, value))
    assert list(upkeep.verify(document.store)) == []


@pytest.mark.parametrize(
    ("size", "beside"),
    [
        (0, []),
        (1500, []),
        (1501, [1]),
        (2500, [1000]),
        (2501, [2501]),
        (PAGE - HEAD, [PAGE - HEAD]),
        (PAGE - HEAD + 1500, [PAGE - HEAD]),
        (PAGE - HEAD + 2000, [PAGE - HEAD, 500]),
        (PAGE - HEAD + 3000, [PAGE - HEAD + 3000]),
        (10 * PAGE, [10 * PAGE - HEAD]),
    ],
)
def test_what_lies_beside_the_header_fills_pages_or_is_small(size, beside):
    assert lengths(*written([bytes(size)])) == beside


def test_the_same_is_written_to_the_same_bytes_where_the_header_holds_it():
    first, again = (written([b"abc", b"de"])[0].store for _ in range(2))
    assert {k: first.read(k) for k in first.keys()} == {k: again.read(k) for k in again.keys()}


def test_a_copied_store_takes_little_more_than_what_is_in_it(tmp_path):
    class Sound(ff.BaseModel):
        database = ff.LmdbDatabase(tmp_path / "store")
        meta = ff.SourceFeature(keep=True)

    random = np.random.default_rng(0)
    for count in random.integers(500, 9000, 300):
        Sound.process(meta=random.bytes(count))
    target = ff.LmdbDatabase(tmp_path / "target")
    copied = upkeep.copy(Sound.database, target, lambda feature, fingerprint: True)
    assert (tmp_path / "target" / "data.mdb").stat().st_size < 1.15 * copied.bytes
    assert list(upkeep.verify(target)) == []
    assert sorted(target.keys()) == sorted(Sound.database.keys())


def test_of_two_who_write_the_same_new_document_one_leaves_its_records():
    document = Document(ff.InMemoryDatabase(), "a")
    value = document.value("token", "feature", "fingerprint")
    entry = {"id": "a", "name": "a", "token": "token", "roots": {}}
    content = np.random.default_rng(0).bytes(3 * PAGE)
    for writer in [Writer(document, is_new=True) for _ in range(2)]:
        writer.begin(value)
        writer.add(FEATURE, value, content)
        writer.commit(entry)
    assert list(document.records(value, document.header(value))) == [content]
    assert len(list(document.store.keys())) == 2 + len(lengths(document, value))
