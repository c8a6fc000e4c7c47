import pytest
from hypothesis import given
from hypothesis import strategies as st

import featureflow as ff
from zounds.corpus.catalogue import Catalogue, State
from zounds.corpus.outcome import Outcome


@pytest.fixture
def store():
    return ff.InMemoryDatabase()


@pytest.fixture
def catalogue(store):
    return Catalogue(store)


def outcome(uri, status="ok", **more):
    return Outcome(uri, f"{uri} by name", status, **more)


@given(st.dictionaries(st.text(min_size=1), st.sampled_from(["ok", "partial", "failed"])))
def test_what_was_written_is_known_by_its_uri_until_it_is_forgotten(statuses):
    catalogue = Catalogue(ff.InMemoryDatabase())
    written = {uri: outcome(uri, status, stamp=[1, 2**62]) for uri, status in statuses.items()}
    catalogue.write(written.values())
    catalogue.write(written.values())
    assert {found.uri: found for found in catalogue.outcomes()} == written
    for uri in written:
        before = len(list(catalogue.outcomes()))
        catalogue.forget([uri])
        assert len(list(catalogue.outcomes())) == before - 1


def test_the_latest_outcome_of_a_source_counts(catalogue):
    catalogue.write([outcome("a", "failed"), outcome("b")])
    catalogue.write([outcome("a", "ok", seconds=1.5, missing=True)])
    assert sorted(catalogue.outcomes(), key=lambda found: found.uri) == [
        outcome("a", "ok", seconds=1.5, missing=True),
        outcome("b"),
    ]
    catalogue.forget([])
    catalogue.write([])
    assert len(list(catalogue.outcomes())) == 2


def test_uris_that_begin_alike_are_told_apart(catalogue):
    long = "file:///" + "x" * 2000
    uris = [*("a", "a/b", "a/", "A"), long, long + "1", long + "2"]
    catalogue.write(map(outcome, uris))
    catalogue.forget(["a", long + "1"])
    assert sorted(found.uri for found in catalogue.outcomes()) == sorted(
        {*uris} - {"a", long + "1"}
    )


def test_a_new_corpus_has_a_state_and_no_model(catalogue):
    assert catalogue.state() == State(roots=(), changes=0, indexed=-1, seed=0, learned_from=0)
    assert catalogue.model() is None
    assert catalogue.model_digest() == ""
    assert list(catalogue.outcomes()) == []


def test_parts_of_the_state_change_by_themselves(catalogue):
    assert catalogue.update(roots=("a", "b"), changes=3) == catalogue.state()
    catalogue.update(indexed=3)
    assert catalogue.state() == State(("a", "b"), changes=3, indexed=3)


def test_a_model_comes_with_the_state_that_it_leads_to(catalogue):
    catalogue.update(roots=("a",))
    catalogue.learn({"centres": [1.0, 2.0]}, seed=7, learned_from=4)
    assert catalogue.model() == {"centres": [1.0, 2.0]}
    assert catalogue.state() == State(("a",), seed=7, learned_from=4)
    digest = catalogue.model_digest()
    catalogue.learn({"centres": [1.0, 2.0]}, seed=8)
    assert catalogue.model_digest() == digest != ""
    catalogue.learn({"centres": [1.0, 2.5]})
    assert catalogue.model_digest() != digest


def test_damage_is_told_in_a_line_with_its_remedy_and_hides_nothing_else(catalogue, store):
    catalogue.write(map(outcome, "abc"))
    catalogue.update(changes=5)
    catalogue.learn("model")
    assert list(catalogue.problems()) == []
    for part in ("sources/b/outcome", "state", "model"):
        record = store.read(f"corpus/{part}")
        store.write({f"corpus/{part}": record[:-1] + bytes([record[-1] ^ 1])})
    assert sorted(catalogue.problems()) == [
        "corpus/model is damaged: call learn(), or run zounds index --learn SOURCE",
        "corpus/sources/b/outcome is damaged: run zounds rescan",
        "corpus/state is damaged: run zounds index FOLDER again for the folders that were added",
    ]
    assert sorted(found.uri for found in catalogue.outcomes()) == ["a", "c"]
    assert catalogue.state() == State()
    with pytest.raises(ff.CorruptRecord, match=r"what was learned is damaged: call learn\(\)"):
        catalogue.model()
    catalogue.write([outcome("b")])
    catalogue.learn("model")
    assert list(catalogue.problems()) == []
