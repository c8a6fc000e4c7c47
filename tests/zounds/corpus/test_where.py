"""Only sounds that are wanted are hit: chosen before they are ranked, whatever else is asked."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featureflow as ff
import zounds
from zounds import Where
from zounds.corpus.generation import Generation
from zounds.corpus.hits import Limits
from zounds.corpus.known import Fact, Known
from zounds.corpus.ranking import by_codes
from zounds.corpus.spaces import KIND, BitSpace, Layer

# ---------------------------------------------------------------------------- what it may say


@pytest.mark.parametrize(
    ("folder", "wanted"),
    [
        ("kicks", "ac"),
        ("drums/kicks", "a"),
        ("drums", "ab"),
        ("drums/", "ab"),
        ("kick", ""),
        ("k.zip", "c"),
        ("k.zip/kicks", "c"),
        ("/s/drums", "ab"),
        ("/s", "abc"),
        ("/", "abce"),
        ("/drums", ""),
        ("/s/../s/drums", "ab"),
        ("https://x.org/kit", "d"),
        ("x.org", "d"),
        (("kicks", "/t"), "ace"),
        ((), "abcde"),
    ],
)
def test_a_folder_is_a_name_or_a_place(folder, wanted):
    uris = {
        "a": "file:///s/drums/kicks/1.wav",
        "b": "file:///s/drums/snares/1.wav",
        "c": "zip:file:///s/k.zip!/kicks/1.wav",
        "d": "https://x.org/kit/1.wav",
        "e": "file:///t/1.wav",
    }
    known = Known.of(Fact(_id, "1.wav", uri, 1, 1, 1) for _id, uri in uris.items())
    passed = known.passing(Where(folder=folder))
    assert "".join(_id for _id, passes in zip(uris, passed, strict=True) if passes) == wanted


def test_a_folder_may_be_seen_from_where_one_is(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    places = [Where(folder=f) for f in ("../a", "~/a", tmp_path / "a", str(tmp_path / "a"))]
    assert {where.folder for where in places} == {(str(tmp_path / "a"),)}
    assert Where(folder=".").folder == (str(tmp_path / "here"),)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"folder": ""}, "folder='': give the name or the path"),
        ({"folder": 3}, "folder=3: give the name or the path"),
        ({"seconds": 2}, "seconds=2: give two, at least and at most"),
        ({"seconds": (2, 1)}, r"seconds=\(2, 1\): none is that long"),
        ({"seconds": (-1, None)}, "give numbers of 0 or more, or None"),
        ({"seconds": ("1", None)}, "give numbers of 0 or more, or None"),
        ({"samplerate": "44100"}, "samplerate='44100': give a number"),
        ({"samplerate": float("nan")}, "samplerate=nan: give a number"),
        ({"channels": 1.5}, "channels=1.5: give a whole number"),
        ({"channels": True}, "channels=True: give a whole number"),
        ({"text": ["kick"]}, r"text=\['kick'\]: give words, in one string"),
    ],
)
def test_what_says_nothing_is_refused(given, said):
    with pytest.raises(ff.InvalidParameter, match=said):
        Where(**given)


def test_what_is_no_where_is_refused(notes):
    for use in (notes.passing, lambda where: notes.search(bytes(16), where=where)):
        with pytest.raises(ff.InvalidParameter, match="where={'text': 'a'}: give a zounds.Where"):
            use({"text": "a"})


def test_it_shows_what_was_asked_for():
    assert repr(Where()) == "Where()"
    assert not Where(text="", folder=[])
    where = Where(samplerate=44100, channels=[1, 2])
    assert where
    assert repr(where) == "Where(samplerate=44100, channels=(1, 2))"


# ---------------------------------------------------------------------------- against NumPy

NAMES = ("Kick.wav", "kick loud.wav", "snare.wav", "straße.wav")
FOLDERS = ("s", "s/drums", "s/drums/loud", "t")

wheres = st.builds(
    Where,
    folder=st.lists(st.sampled_from(["drums", "/s", "loud", "/t", "none"]), max_size=2),
    seconds=st.tuples(st.none() | st.integers(0, 2), st.none() | st.integers(2, 4)),
    samplerate=st.lists(st.sampled_from([44100, 48000.0]), max_size=2),
    channels=st.lists(st.integers(1, 2), max_size=2),
    text=st.sampled_from(["", "kick", "LOUD", "loud kick", "strasse", "wav drums"]),
)
facts = st.builds(
    lambda name, folder, *numbers: Fact("", name, f"file:///{folder}/{name}", *numbers),
    *(st.sampled_from(NAMES), st.sampled_from(FOLDERS)),
    *(st.integers(0, 4), st.sampled_from([44100.0, 48000.0]), st.integers(1, 3)),
)


def passes(where, fact, inner):
    folder = fact.uri.removeprefix("file://").rpartition("/")[0]
    within = {
        "/s": folder.startswith("/s"),
        "/t": folder == "/t",
        "drums": "drums" in folder,
        "loud": "loud" in folder,
        "none": False,
    }
    low, high = where.seconds
    return (
        (not where.folder or any(within[one] for one in where.folder))
        and (low is None or fact.seconds >= low)
        and (high is None or fact.seconds <= high)
        and (not where.samplerate or fact.samplerate in where.samplerate)
        and (not where.channels or fact.channels in where.channels)
        and all(w in f"{inner}/{fact.name}".casefold() for w in where.text.casefold().split())
    )


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_what_is_near_among_those_wanted_is_what_numpy_finds_among_them(data):
    every = data.draw(st.lists(facts, min_size=1, max_size=8))
    every = [Fact(str(i), f.name, f.uri, f.seconds, f.samplerate, f.channels) for i, f in
             enumerate(every)]  # fmt: skip
    where = data.draw(wheres)
    without = data.draw(st.sets(st.sampled_from([f.id for f in every] + [every[0].uri])))
    sizes = data.draw(st.lists(st.integers(1, 40), min_size=len(every), max_size=len(every)))
    unit = data.draw(st.sampled_from(["clip", "segment"]))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    few = data.draw(st.booleans())  # different codes, so that they are collapsed
    offsets = np.cumsum([0, *sizes])
    codes = random.integers(0, 4 if few else 256, (offsets[-1], 2), dtype=np.uint8)
    queries = random.integers(0, 256, (2, 2), dtype=np.uint8)
    space = BitSpace({KIND: Layer(codes[offsets[:-1]], None)})
    rate = zounds.SampleRate(Fraction(1), Fraction(1))
    known = Known.of(every)
    searched = Generation("", 16, known, rate, offsets, space, {KIND: Layer(codes, None)})

    live = Limits(where=where, without=without).live(searched)
    layer = searched.layers(unit)[KIND]
    near = list(by_codes(searched, unit, layer.prepared, Layer(queries, None), live))

    wanted = [
        passes(where, fact, inner) and fact.id not in without and fact.uri not in without
        for fact, inner in zip(every, (known.inner[f] for f in known.folder_of), strict=True)
    ]
    owners = np.repeat(np.arange(len(every)), 1 if unit == "clip" else sizes)
    distances = np.bitwise_count(layer.codes[:, None] ^ queries).sum(2).min(1)
    expected = sorted((d, r) for r, d in enumerate(distances.tolist()) if wanted[owners[r]])
    assert [(distance, row) for row, _, distance, _ in near] == expected


# ---------------------------------------------------------------------------- in a corpus


def told(results):
    return [(hit.id, hit.start, hit.distance, pytest.approx(hit.score)) for hit in results]


@pytest.mark.parametrize("like", ["kind", "same"])
@pytest.mark.parametrize("unit", ["clip", "segment"])
@pytest.mark.parametrize("per_file", [1, 2, None])
@pytest.mark.parametrize("rerank", [True, False])
def test_hits_are_those_of_a_search_for_all_that_are_wanted(notes, like, unit, per_file, rerank):
    options = {"like": like, "unit": unit, "per_file": per_file, "rerank": rerank}
    query = notes.random(3)
    every = notes.search(query, 10**6, **options)
    where = Where(folder="reed", text="_1.")
    wanted = [hit for hit in every if hit.name == "reed_1.wav"]
    assert told(notes.search(query, 10**6, where=where, **options)) == told(wanted)
    where = Where(folder=["organ", "brass"], seconds=(0.5, 2), samplerate=44100, channels=1)
    wanted = [hit for hit in every if hit.name.startswith(("organ", "brass"))]
    for count in (1, 7, 10**6):
        found = notes.search(query, count, where=where, **options)
        assert told(found) == told(wanted[:count])
    assert list(notes.search(query, where=Where(channels=2), **options)) == []


def test_of_the_nearest_many_are_not_wanted_and_the_others_are_found_still(notes):
    """Candidates are ranked by vectors: they are those of the sounds that are wanted."""
    plucked = notes.search(notes.random(0), 3, where=Where(text="plucked_7"))
    assert [hit.name for hit in plucked] == ["plucked_7.wav"]


@pytest.mark.parametrize("unit", ["clip", "segment"])
def test_what_is_searched_with_may_be_left_out(notes, unit):
    document = notes.random(5)
    other = notes.random(6)
    every = notes.search(document, 99, unit=unit)
    assert every[0].id == document._id
    path = every[0].path
    for query in (document, document._id, every[0], path, str(path), path.as_uri()):
        found = notes.search(query, 99, unit=unit, others=True)
        assert document._id not in {hit.id for hit in found}
        assert len(found) == 59
    found = notes.search(document, 99, unit=unit, more=[other], others=True)
    assert not {document._id, other._id} & {hit.id for hit in found}
    # a copy that lies elsewhere is another sound; and so is a code
    samples = zounds.AudioSamples(np.asarray(document.pcm), 44100)
    for query in (samples, every.query):
        assert len(notes.search(query, 99, unit=unit, others=True)) == 60


def test_a_random_sound_is_one_that_is_wanted(notes):
    reeds = {notes.random(seed, Where(folder="reed"))._name for seed in range(30)}
    assert len(reeds) > 5
    assert all(name.startswith("reed") for name in reeds)
    with pytest.raises(ff.DocumentNotFound, match=r"no sound that passes Where\(text='tuba'\)"):
        notes.random(0, Where(text="tuba"))


def test_what_passes_is_in_the_order_of_places(notes):
    names = [notes[_id]._name for _id in notes.passing(Where(folder=["reed", "brass"]))]
    assert names == [f"{kind}_{number}.wav" for kind in ("brass", "reed") for number in range(10)]
