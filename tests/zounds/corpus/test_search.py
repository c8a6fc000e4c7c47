import base64
import shutil
import zipfile
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

import featureflow as ff
import zounds
from zounds.audio.decode import decode
from zounds.audio.encode import encode
from zounds.corpus.generation import Generation
from zounds.corpus.hits import Limits, hits
from zounds.corpus.known import Fact, Known
from zounds.corpus.spaces import KIND, BitSpace, Layer

SEGMENT = Fraction(30 * 1024, 44100)  # s from one to the next
BITS = 128


@pytest.fixture(scope="module")
def sounds(tmp_path_factory, save, make):
    """Ten sounds, and one that has five others in it, one after the other."""
    folder = tmp_path_factory.mktemp("searched") / "sounds"
    for seed in range(10):
        save(folder / f"{seed}.wav", seed, seconds=0.8)
    parts = [np.asarray(make(30 + part, seconds=2 * SEGMENT)) for part in range(5)]
    zounds.save(zounds.AudioSamples(np.concatenate(parts), 44100), folder / "medley.wav")
    return folder


@pytest.fixture(scope="module", params=["timbre", "post"])
def corpus(sounds, request):
    corpus = zounds.Corpus(sounds.parent / request.param, request.param)
    corpus.add(sounds, workers=1)
    corpus.learn()
    corpus.index(workers=1)
    return corpus


def found(results):
    return [(hit.name, hit.start, hit.distance, hit.score) for hit in results]


def document_of(corpus, name):
    (outcome,) = (outcome for outcome in corpus.outcomes() if outcome.name == name)
    return corpus[outcome.id]


def rows_of(corpus, unit, like=KIND):
    """What is indexed: the id and the place in time of each row, and the rows."""
    found = corpus._home.indexed()
    sizes = np.diff(found.offsets) if unit == "segment" else [1] * len(found.ids)
    places = [(i, t) for i, n in zip(found.ids, sizes, strict=True) for t in range(n)]
    return places, found.layers(unit)[like]


def row_of(corpus, document, unit, time=0):
    places, layer = rows_of(corpus, unit)
    return layer.codes[places.index((document._id, time))]


def cosine(one, other):
    one, other = (np.asarray(vector, float) for vector in (one, other))
    return one @ other / np.linalg.norm(one) / np.linalg.norm(other)


# ---------------------------------------------------------------------------- queries


@pytest.mark.parametrize("unit", ["clip", "segment"])
def test_every_way_to_name_a_sound_finds_the_same(corpus, sounds, serve, unit):
    path = sounds / "3.wav"
    document = document_of(corpus, "3.wav")
    expected = corpus.search(path, unit=unit, n_results=99)
    assert (expected[0].name, expected[0].distance) == ("3.wav", 0)
    with path.open("rb") as file:
        ways = [str(path), path.as_uri(), path.read_bytes(), file, document, document._id]
        for way in (*ways, decode(path)):
            assert found(corpus.search(way, unit=unit, n_results=99)) == found(expected), way
    with serve(sounds) as url:
        assert found(corpus.search(f"{url}/3.wav", unit=unit, n_results=99)) == found(expected)


def test_a_path_may_be_relative_or_begin_with_a_tilde(corpus, sounds, monkeypatch):
    monkeypatch.chdir(sounds)
    monkeypatch.setenv("HOME", str(sounds.parent))
    expected = found(corpus.search(sounds / "3.wav"))
    assert found(corpus.search("3.wav")) == expected
    assert found(corpus.search("~/sounds/3.wav")) == expected


@pytest.mark.parametrize("unit", ["clip", "segment"])
def test_a_code_may_be_bits_bytes_or_text(corpus, unit):
    document = document_of(corpus, "5.wav")
    packed = row_of(corpus, document, unit)
    bits = np.unpackbits(packed)
    expected = corpus.search(packed, unit=unit, n_results=99)
    assert (expected[0].name, expected[0].distance) == ("5.wav", 0)
    text = base64.b64encode(packed).decode()
    for code in (
        *(bits, bits.astype(int).tolist(), tuple(bits.astype(int)), bits.astype(bool)),
        *(packed.tobytes(), bytearray(packed.tobytes())),
        *(text, text.rstrip("="), text.replace("+", "-").replace("/", "_")),
    ):
        results = corpus.search(code, unit=unit, n_results=99)
        assert found(results) == found(expected)
        np.testing.assert_array_equal(results.query, packed)


def test_a_hit_can_be_searched_with(corpus, sounds):
    hit = corpus.search(sounds / "3.wav")[4]
    assert corpus.search(hit)[0].id == hit.id
    assert found(corpus.search(hit, n_results=99)) == found(corpus.search(hit.id, n_results=99))
    moment = corpus.search(sounds / "medley.wav", unit="segment", per_file=None, n_results=99)[5]
    results = corpus.search(moment, unit="segment", n_results=99)
    assert results[0].distance == 0
    assert found(results) == found(corpus.search(results.query, unit="segment", n_results=99))
    document = corpus[moment.id]
    row = round(moment.time.start / SEGMENT)
    np.testing.assert_array_equal(results.query, row_of(corpus, document, "segment", row))


def test_codes_of_the_article_are_the_bits_of_a_document(corpus):
    if corpus.preset == "post":
        for document in corpus:
            bits = np.asarray(document.clip, bool)[0]
            np.testing.assert_array_equal(row_of(corpus, document, "clip"), np.packbits(bits))


def test_sounds_of_other_rates_and_channels_can_be_searched_with(corpus, make, tmp_path):
    mono = np.asarray(make(3, 0.8))
    stereo = zounds.AudioSamples(np.stack([mono, mono], axis=1), 44100)
    assert found(corpus.search(stereo)) == found(corpus.search(zounds.AudioSamples(mono, 44100)))
    slow = zounds.AudioSamples(mono[::2], 22050)
    assert len(corpus.search(slow)) == 10


def test_what_was_searched_with_is_not_in_the_corpus(corpus, make):
    count, outcomes = len(corpus), corpus.outcomes()
    corpus.search(make(77))
    corpus.search(encode(make(78), "flac"))
    assert (len(corpus), corpus.outcomes()) == (count, outcomes)


# ---------------------------------------------------------------------------- wrong queries


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (np.zeros(44100, np.float32), "samples without a sample rate"),
        ([0.5, 0.25], "samples without a sample rate"),
        (np.zeros(99, np.uint8), "is no code"),
        ([0, 1, 2], "is no code"),
        ([], "samples without a sample rate|is no code"),
        ("no such thing", "there is no such file, no document of this id, and it is not a code"),
        ("x" * 5000, "there is no such file"),
        ("nul\0.wav", "there is no such file"),
        ("", "there is no such file"),
        ("AIAA", "of 128 bits in base64"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_query_is_refused(corpus, query, message):
    with pytest.raises(zounds.SearchError, match=message):
        corpus.search(query)


@pytest.mark.parametrize("query", [None, 3, ..., {"a": 1}], ids=repr)
def test_what_has_no_content_is_refused(corpus, query):
    with pytest.raises(ff.InvalidParameter, match="has no content to read"):
        corpus.search(query)


def test_sounds_that_cannot_be_read_say_so(corpus, tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(zounds.AudioError, match=r"text\.wav"):
        corpus.search(tmp_path / "text.wav")
    with pytest.raises(ff.SourceNotFound, match=r"missing\.wav"):
        corpus.search(tmp_path / "missing.wav")
    with pytest.raises(ff.SourceError, match="is a folder"):
        corpus.search(tmp_path)
    with pytest.raises(ff.SourceError, match="http://127"):
        corpus.search("http://127.0.0.1:9/a.wav")
    with pytest.raises(zounds.AudioError):
        corpus.search(b"these bytes are neither a code nor a sound")


def test_samples_that_are_no_sound_are_refused(corpus):
    nothing = zounds.AudioSamples(np.zeros(0, np.float32), 44100)
    with pytest.raises(zounds.SearchError, match="there is nothing to search with"):
        corpus.search(nothing)
    broken = zounds.AudioSamples(np.full(9999, np.nan, np.float32), 44100)
    with pytest.raises(zounds.AudioError, match=r"what is searched with holds nan"):
        corpus.search(broken)


def test_silence_and_a_click_can_be_searched_with(corpus):
    for count in (1, 5, 2048, 44100):
        silence = zounds.AudioSamples(np.zeros(count, np.float32), 44100)
        assert len(corpus.search(silence)) == len(corpus.search(silence, unit="segment")) == 10


@pytest.mark.parametrize("name", ["n_results", "per_file"])
@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "3", float("nan")])
def test_numbers_that_count_nothing_are_refused(corpus, name, wrong):
    with pytest.raises(zounds.SearchError, match=f"{name}=.*: give a whole number, 1 or more"):
        corpus.search(bytes(16), **{name: wrong})


@pytest.mark.parametrize("wrong", ["file", "", None, "CLIP", ["clip"]])
def test_a_unit_that_is_none_is_refused(corpus, wrong):
    with pytest.raises(zounds.SearchError, match="unit=.*: give one of clip, segment"):
        corpus.search(bytes(16), unit=wrong)


@pytest.mark.parametrize("unit", ["clip", "segment"])
@pytest.mark.parametrize(
    "stretch",
    [
        {"start": -1},
        {"duration": 0},
        {"duration": -0.1},
        {"start": float("nan")},
        {"duration": float("inf")},
        {"start": "1"},
        {"start": 0.8},
        {"start": 1e9, "duration": 1},
    ],
    ids=repr,
)
def test_a_stretch_that_is_none_is_refused(corpus, sounds, unit, stretch):
    for query in (sounds / "3.wav", document_of(corpus, "3.wav"), decode(sounds / "3.wav")):
        with pytest.raises(ValueError, match="start=|give a finite number"):
            corpus.search(query, unit=unit, **stretch)


def test_a_code_has_no_stretch(corpus):
    with pytest.raises(zounds.SearchError, match="a code has no start and no duration"):
        corpus.search(bytes(16), start=0)


def test_searching_where_nothing_is_yet_leaves_nothing_behind(tmp_path, make):
    corpus = zounds.Corpus(tmp_path / "corpus")
    for query in (make(), bytes(16), "an id"):
        with pytest.raises(zounds.SearchError, match="holds no sounds yet: add some first"):
            corpus.search(query)
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------- order, grouping


def known(ids):
    return Known.of(Fact(_id, f"{_id}.wav", f"file:///{_id}.wav", 9.0, 44100, 1) for _id in ids)


class Stored:
    """What `hits` asks of a model: its documents are those that were processed."""

    def __init__(self, ids):
        class Model(ff.BaseModel):
            meta = ff.SourceFeature()
            size = ff.NumpyFeature(_size, needs=meta, store=True)
            database = ff.InMemoryDatabase()

        for _id in ids:
            Model.process(_id=_id, meta=b"x")
        self.model = Model


def _size(source):
    return np.array([len(source.read())])


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_hits_are_those_of_numpy_by_distance_then_document_then_time(data):
    bits = data.draw(st.integers(1, 20))
    sizes = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    removed = data.draw(st.sets(st.integers(0, len(sizes) - 1), max_size=2))
    n_results = data.draw(st.integers(1, 30))
    per_file = data.draw(st.none() | st.integers(1, 4))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    codes = random.random((sum(sizes), bits)) < 0.3
    queries = random.random((data.draw(st.integers(1, 3)), bits)) < 0.3
    ids = [f"document {number}" for number in range(len(sizes))]
    rate = zounds.SampleRate(Fraction(1, 2), Fraction(3, 4))
    offsets = np.cumsum([0, *sizes])
    layer = Layer(np.packbits(codes, axis=1), None)
    space = BitSpace({KIND: Layer(layer.codes[offsets[:-1]], None)})
    searched = Generation("", bits, known(ids), rate, offsets, space, {KIND: layer})
    there = [_id for number, _id in enumerate(ids) if number not in removed]
    query = Layer(np.packbits(queries, axis=1), None)

    limits = Limits(n_results, per_file)
    prepared = searched.layers("segment")[KIND].prepared
    made = list(hits(searched, prepared, query, "segment", KIND, Stored(there).model, limits))

    distances = (codes[:, None] != queries).sum(axis=2).min(axis=1)
    places = [(number, time) for number, size in enumerate(sizes) for time in range(size)]
    expected, taken = [], dict.fromkeys(range(len(sizes)), 0)
    for distance, (number, time) in sorted(zip(distances.tolist(), places, strict=True)):
        if number not in removed and (per_file is None or taken[number] < per_file):
            taken[number] += 1
            expected.append((distance, ids[number], Fraction(time, 2)))
    assert [(hit.distance, hit.id, hit.time.start) for hit in made] == expected[:n_results]
    typical = searched.typical["segment"]
    assert [hit.score for hit in made] == [max(0, 1 - hit.distance / typical) for hit in made]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_hits_with_vectors_are_those_of_numpy_by_cosine(data):
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    per_file = data.draw(st.none() | st.integers(1, 3))
    n_results = data.draw(st.integers(1, 30))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    count = sum(sizes)
    codes = random.integers(0, 256, (count, 1), dtype=np.uint8)
    vectors = random.integers(-127, 128, (count, 5)).astype(np.int8)
    query = Layer(
        random.integers(0, 256, (2, 1), dtype=np.uint8),
        random.integers(-127, 128, (2, 5)).astype(np.int8),
    )
    ids = [f"document {number}" for number in range(len(sizes))]
    rate = zounds.SampleRate(Fraction(1, 2), Fraction(3, 4))
    offsets = np.cumsum([0, *sizes])
    layer = Layer(codes, vectors)
    space = BitSpace({KIND: Layer(codes[offsets[:-1]], vectors[offsets[:-1]])})
    searched = Generation("", 8, known(ids), rate, offsets, space, {KIND: layer})

    limits = Limits(n_results, per_file)
    prepared = searched.layers("segment")[KIND].prepared
    made = list(hits(searched, prepared, query, "segment", KIND, Stored(ids).model, limits))

    places = [(number, time) for number, size in enumerate(sizes) for time in range(size)]
    distances = np.bitwise_count(codes ^ query.codes.T).min(axis=1)
    near = [max(cosine(row, other) for other in query.vectors) for row in vectors]
    candidates = []  # of each document, a few of the nearest codes
    for number in range(len(sizes)):
        own = sorted((distances[r], r) for r in range(count) if places[r][0] == number)
        candidates += [row for _, row in own[: None if per_file is None else 5 * per_file]]
    expected, taken = [], dict.fromkeys(range(len(sizes)), 0)
    for row in sorted(candidates, key=lambda row: -near[row]):
        number = places[row][0]
        if per_file is None or taken[number] < per_file:
            taken[number] += 1
            expected.append(row)
    rows = [places.index((ids.index(hit.id), int(2 * hit.time.start))) for hit in made]
    scores = [hit.score for hit in made]
    assert len(rows) == len(set(rows)) == min(n_results, len(expected))
    np.testing.assert_allclose([near[row] for row in rows], [near[r] for r in expected[:n_results]])
    np.testing.assert_allclose(scores, np.maximum(0, [near[row] for row in rows]), atol=1e-6)
    assert [hit.distance for hit in made] == distances[rows].tolist()


@pytest.mark.parametrize("unit", ["clip", "segment"])
def test_a_search_finds_what_numpy_finds_in_the_stored_codes(corpus, unit):
    query = np.random.default_rng(5).random(BITS) < 0.1
    expected = []
    places, layer = rows_of(corpus, unit)
    for (_id, row), code in zip(places, layer.codes, strict=True):
        expected.append((int((np.unpackbits(code) != query).sum()), _id, row))
    results = corpus.search(query, n_results=10**6, unit=unit, per_file=None)
    rows = [(h.distance, h.id, round(h.time.start / SEGMENT)) for h in results]
    assert rows == sorted(expected)
    best = {}
    for distance, _id, row in sorted(expected):
        best.setdefault(_id, (distance, _id, row))
    nearest = corpus.search(query, n_results=4, unit=unit)
    assert [(hit.distance, hit.id) for hit in nearest] == [
        (distance, _id) for distance, _id, _ in sorted(best.values())[:4]
    ]


def test_there_are_ten_hits_and_one_of_each_file_unless_more_are_asked_for(corpus, sounds):
    path = sounds / "medley.wav"
    assert len(corpus.search(path)) == 10
    assert len(corpus.search(path, n_results=10**9)) == 11
    assert len(corpus.search(path, n_results=np.int64(3))) == 3
    one_each = corpus.search(path, unit="segment", n_results=99)
    assert len({hit.id for hit in one_each}) == len(one_each) == 11
    two_each = corpus.search(path, unit="segment", n_results=99, per_file=2)
    assert [hit.name for hit in two_each].count("medley.wav") == 2
    everything = corpus.search(path, unit="segment", n_results=10**9, per_file=None)
    assert len(everything) == corpus.info().segments
    assert list(everything) == list(
        corpus.search(path, unit="segment", n_results=10**9, per_file=10**9)
    )


# ---------------------------------------------------------------------------- moments, stretches


def exactly(corpus):
    """How a corpus finds the very same moments."""
    return {"like": "same"} if corpus.preset == "timbre" else {}


@pytest.mark.parametrize("part", range(5))
def test_a_moment_is_found_in_a_long_file(corpus, make, part):
    sound = make(30 + part, seconds=2 * SEGMENT)
    moment = {"duration": 31 * 1024 / 44100, "unit": "segment"}
    hit = corpus.search(sound, **moment, **exactly(corpus))[0]
    assert hit.name == "medley.wav"
    assert hit.start == float(2 * part * SEGMENT)
    # the file has 16 bits
    if corpus.preset == "post":
        assert hit.distance <= 2
    else:
        assert hit.score > 0.99
    assert "medley.wav" in [hit.name for hit in corpus.search(sound, 3, **moment)]


def test_a_stretch_that_is_cut_out_is_found_where_it_was(corpus, sounds):
    for row in (0, 3, 7):
        start = float(row * SEGMENT)
        hit = corpus.search(*(sounds / "medley.wav", 1, start, 0.7, "segment"), **exactly(corpus))[
            0
        ]
        assert (hit.name, hit.start) == ("medley.wav", start)
        assert hit.duration == float(corpus[hit.id].segments.duration)


@pytest.mark.parametrize("unit", ["clip", "segment"])
@pytest.mark.parametrize(
    ("start", "duration"),
    [(0, 0.5), (0.25, 0.5), (1.5, 1.5), (None, 0.7), (6.5, None), (2, 99), (0.1, 1e-6)],
)
def test_a_stretch_of_a_file_is_like_its_samples_alone(corpus, sounds, unit, start, duration):
    path = sounds / "medley.wav"
    samples = decode(path)
    first = round((start or 0) * 44100)
    stop = len(samples)
    if duration is not None:
        stop = min(stop, max(round(((start or 0) + duration) * 44100), first + 1))
    elif unit == "segment":
        length = document_of(corpus, "medley.wav").segments.duration
        stop = min(stop, first + round(float(length) * 44100))
    cut = zounds.AudioSamples(np.asarray(samples)[first:stop], 44100)
    expected = corpus.search(cut, unit=unit, n_results=99)
    results = corpus.search(path, unit=unit, n_results=99, start=start, duration=duration)
    np.testing.assert_array_equal(results.query, expected.query)
    assert found(results) == found(expected)
    of_samples = corpus.search(samples, unit=unit, n_results=99, start=start, duration=duration)
    assert found(of_samples) == found(expected)


def test_a_stretch_of_a_document_is_compared_by_the_segments_that_cover_it(corpus):
    document = document_of(corpus, "medley.wav")
    times = range(len(document.segments))
    codes = [row_of(corpus, document, "segment", time).tolist() for time in times]
    hop = float(SEGMENT)
    for start, duration, first, last in (
        *((0, None, 0, 1), (hop, None, 1, 2), (1.5 * hop, None, 1, 2)),
        *((hop, hop, 1, 2), (1.5 * hop, hop, 1, 3), (0, 99, 0, len(codes))),
    ):
        results = corpus.search(document, unit="segment", start=start, duration=duration)
        assert results.query.tolist() == codes[first]
        rows = corpus.search(
            document, unit="segment", start=start, duration=duration, per_file=None, n_results=99
        )
        exact = {
            round(h.time.start / SEGMENT) for h in rows if h.id == document._id and not h.distance
        }
        assert exact >= set(range(first, last))


def test_a_stretch_of_a_document_as_a_clip_is_that_of_its_file(corpus, sounds):
    document = document_of(corpus, "medley.wav")
    for start, duration in ((1.5, 1.5), (3, None), (None, 0.4)):
        assert found(corpus.search(document, start=start, duration=duration)) == found(
            corpus.search(sounds / "medley.wav", start=start, duration=duration)
        )


# ---------------------------------------------------------------------------- hits


def test_a_hit_says_what_where_and_how_near(corpus, sounds):
    results = corpus.search(sounds / "3.wav", unit="segment", n_results=99, per_file=None)
    for hit in results:
        document = corpus[hit.id]
        assert hit.name == document._name
        assert hit.path == sounds / hit.name
        assert hit.uri == (sounds / hit.name).as_uri()
        assert (hit.start, hit.duration) == (float(hit.time.start), float(hit.time.duration))
        assert 0 <= hit.score <= 1
        _id, time = hit
        assert (_id, time) == (hit.id, hit.time)
        assert hit.record() == {
            "id": hit.id,
            "name": hit.name,
            "path": str(hit.path),
            "uri": hit.uri,
            "start": hit.start,
            "duration": hit.duration,
            "distance": hit.distance,
            "score": hit.score,
        }


def test_the_audio_of_a_hit_is_the_stretch_of_the_file(corpus, sounds):
    results = corpus.search(sounds / "medley.wav", unit="segment", n_results=99, per_file=None)
    for hit in (results[0], results[7]):
        samples = np.asarray(decode(sounds / hit.name))
        first = round(hit.start * 44100)
        heard = np.asarray(results.audio(hit))
        assert len(heard) == min(round(hit.duration * 44100), len(samples) - first)
        np.testing.assert_array_equal(heard, samples[first : first + len(heard)])
    whole = corpus.search(sounds / "3.wav")
    assert len(whole.audio(whole[0])) == round(0.8 * 44100)
    assert whole._repr_html_().count("<audio") == 10


def test_hits_are_told_from_those_removed_or_changed_since_the_index_was_built(
    tmp_path, corpus, sounds, save
):
    own = zounds.Corpus(tmp_path / "corpus", corpus.preset)
    own.learn(sounds, workers=1)
    for seed in range(4):
        save(tmp_path / "own" / f"{seed}.wav", seed)
    own.add(tmp_path / "own", workers=1)
    own.index(workers=1)
    query = tmp_path / "own" / "2.wav"
    (removed,) = own.remove(query)
    results = own.search(query, n_results=99)
    assert sorted(hit.name for hit in results) == ["0.wav", "1.wav", "3.wav"]
    moments = own.search(query, n_results=99, per_file=None, unit="segment")
    assert removed.id not in {hit.id for hit in moments}

    moved = query.with_name("3.wav").rename(query.with_name("renamed.wav"))
    own.rescan(workers=1)
    assert {hit.path for hit in own.search(query, n_results=99)} >= {moved}


# ---------------------------------------------------------------------------- ranking by vectors


@pytest.mark.parametrize("unit", ["clip", "segment"])
@pytest.mark.parametrize("like", ["kind", "same"])
def test_hits_are_ranked_by_the_cosines_of_their_vectors(notes, unit, like):
    places, layer = rows_of(notes, unit, like)
    for row in (0, 17, len(places) - 1):
        _id, time = places[row]
        results = notes.search(_id, 999, unit=unit, like=like, per_file=None, **stretch(unit, time))
        near = np.array([cosine(layer.vectors[row], vector) for vector in layer.vectors])
        made = [places.index((hit.id, round(hit.start / float(SEGMENT)))) for hit in results]
        assert sorted(made) == list(range(len(places)))
        scores = np.array([hit.score for hit in results])
        np.testing.assert_allclose(scores, np.maximum(0, near[made]), atol=1e-6)
        assert (np.diff(near[made]) < 1e-6).all()
        assert (places[row] == (results[0].id, time)) or scores[0] == pytest.approx(1)


def stretch(unit, time):
    return {"start": float(time * SEGMENT)} if unit == "segment" else {}


@pytest.mark.parametrize("unit", ["clip", "segment"])
@pytest.mark.parametrize("like", ["kind", "same"])
def test_without_ranking_it_is_the_order_of_the_codes(notes, unit, like):
    places, layer = rows_of(notes, unit, like)
    query = places[5][0]
    results = notes.search(query, 999, unit=unit, like=like, per_file=None, rerank=False)
    own = [row for row, (_id, _) in enumerate(places) if _id == query]
    distances = np.min([np.bitwise_count(layer.codes ^ layer.codes[o]).sum(1) for o in own], axis=0)
    expected = sorted((int(distances[row]), *place) for row, place in enumerate(places))
    assert [
        (hit.distance, hit.id, round(hit.start / float(SEGMENT))) for hit in results
    ] == expected
    scores = [hit.score for hit in results]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == 1
    assert min(scores) == 0


def test_of_the_article_codes_the_score_says_how_much_nearer_than_usual(corpus):
    if corpus.preset == "post":
        results = corpus.search(corpus.random(1), 99)
        typical = corpus._home.indexed().typical["clip"]
        for hit in results:
            assert hit.score == max(0, 1 - hit.distance / typical)
        assert found(results) == found(corpus.search(corpus.random(1), 99, rerank=False))


def test_scores_go_from_0_to_1_which_is_the_sound_itself(notes):
    for document in notes:
        scores = [hit.score for hit in notes.search(document, 999)]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] == pytest.approx(1, abs=1e-6)
        assert min(scores) >= 0
        assert max(scores) <= 1
        assert min(scores) < 0.5
        assert notes.search(document)[0].id == document._id


def test_a_code_of_the_index_is_ranked_by_the_vector_of_the_first_that_has_it(notes):
    places, layer = rows_of(notes, "clip")
    for row in (0, 31, 59):
        first = (layer.codes == layer.codes[row]).all(axis=1).argmax()
        by_code = notes.search(layer.codes[row], 99)
        assert found(by_code) == found(notes.search(places[first][0], 99))
    unknown = notes.search(layer.codes[0] ^ np.uint8(0b10100000), 99)
    assert [hit.distance for hit in unknown] == sorted(hit.distance for hit in unknown)
    assert unknown[0].distance > 0


def test_more_results_than_there_are_candidates_to_rank_can_be_asked_for(notes):
    for n_results in (60, 61, 10**9):
        assert len({hit.id for hit in notes.search(notes.random(0), n_results)}) == 60


# ---------------------------------------------------------------------------- same, more, less

COPIES = {
    "softer": lambda sound: sound * np.float32(0.1),
    "an excerpt": lambda sound: sound[: len(sound) * 2 // 3],
    "a little higher": lambda sound: soxr.resample(sound, 44100 * 2 ** (1 / 12), 44100),
    "higher": lambda sound: soxr.resample(sound, 44100 * 2 ** (4 / 12), 44100),
}


@pytest.mark.parametrize(
    ("copy", "first", "among_ten"),
    [("softer", 60, 60), ("an excerpt", 55, 60), ("a little higher", 48, 60), ("higher", 6, 58)],
)
def test_the_original_of_a_copy_is_found(notes, copy, first, among_ten):
    ranks = []
    for document in notes:
        version = zounds.AudioSamples(COPIES[copy](np.asarray(document.pcm)), 44100)
        ids = [hit.id for hit in notes.search(version, 60, like="same")]
        ranks.append(ids.index(document._id))
    assert sum(rank == 0 for rank in ranks) >= first
    assert sum(rank < 10 for rank in ranks) >= among_ten


def test_a_softer_copy_has_the_same_codes(tmp_path, save, make):
    corpus = zounds.Corpus(tmp_path / "corpus")
    for seed in range(12):
        save(tmp_path / "sounds" / f"{seed}.wav", seed, seconds=1.5)
    corpus.add(tmp_path / "sounds", workers=1)
    corpus.learn(workers=1)
    corpus.index(workers=1)
    for gain in (np.float32(2**-4), np.float32(0.1)):
        flipped = []
        for document in corpus:
            softer = zounds.AudioSamples(np.asarray(document.pcm) * gain, 44100)
            for unit, like in product(("clip", "segment"), ("kind", "same")):
                expected = corpus.search(document, unit=unit, like=like).query
                query = corpus.search(softer, unit=unit, like=like).query
                flipped.append(int(np.bitwise_count(query ^ expected).sum()))
        if gain == 2**-4:
            assert not any(flipped)
        # other gains round the samples; seldom, a number lies just where a byte would be another
        assert sum(map(bool, flipped)) <= len(flipped) / 20
        assert max(flipped) <= 3


def test_like_has_two_values_and_the_article_one(corpus):
    for wrong in ("", "Kind", "timbre", None):
        with pytest.raises(zounds.SearchError, match=r"like=.*: give one of \('kind', 'same'\)"):
            corpus.search(bytes(16), like=wrong)
    if corpus.preset == "post":
        with pytest.raises(zounds.SearchError, match="like='same': this corpus compares by kind"):
            corpus.search(bytes(16), like="same")


def kinds(results):
    return [hit.name.partition("_")[0] for hit in results]


def test_more_sounds_are_found_with_what_is_like_each_of_them(notes, make):
    one, other = (document_of(notes, f"{kind}_4.wav") for kind in ("organ", "reed"))
    assert set(kinds(notes.search(one))) == {"organ"}
    both = kinds(notes.search(one, more=[other]))
    assert {"organ", "reed"} == set(both)
    assert found(notes.search(one, more=[other._id])) == found(
        notes.search(one._id, more=[zounds.AudioSamples(np.asarray(other.pcm), 44100)])
    )
    hit = notes.search(other)[0]
    assert found(notes.search(one, more=(hit,))) == found(notes.search(one, more=[other]))
    moments = notes.search(one, more=[other], unit="segment")
    assert set(kinds(moments)) <= {"organ", "reed"}


def test_less_drives_hits_away_from_a_sound(notes):
    one, other = (document_of(notes, f"{kind}_4.wav") for kind in ("organ", "reed"))
    score = {hit.id: hit.score for hit in notes.search(one, 99, more=[other])}
    away = notes.search(one, 99, more=[other], less=[document_of(notes, "reed_6.wav")])
    reeds = [hit for hit in away if hit.name.startswith("reed")]
    assert all(hit.score < score[hit.id] for hit in reeds)
    assert "reed" not in kinds(away[:10])
    assert kinds(notes.search(one, 1, less=[other])) == ["organ"]


def test_the_mixture_is_the_mean_of_what_is_wanted_less_half_of_what_is_not(notes):
    places, layer = rows_of(notes, "clip")
    unit = layer.vectors / np.linalg.norm(layer.vectors.astype(float), axis=1, keepdims=True)
    a, b, c = 3, 20, 41
    mixture = (unit[a] + unit[b]) / 2 - unit[c] / 2
    results = notes.search(places[a][0], 99, more=[places[b][0]], less=[places[c][0]])
    for hit in results:
        expected = max(0, cosine(mixture, layer.vectors[places.index((hit.id, 0))]))
        assert hit.score == pytest.approx(expected, abs=0.02)  # of a byte for each number


def test_more_and_less_of_what_they_cannot_be_are_refused(corpus, notes):
    sound = notes.random(0)
    with pytest.raises(zounds.SearchError, match="several sounds are compared by kind"):
        notes.search(sound, more=[sound], like="same")
    for options in ({"more": [bytes(16)]}, {"less": [bytes(16)]}):
        with pytest.raises(zounds.SearchError, match="is a code: several sounds are given as"):
            notes.search(sound, **options)
    with pytest.raises(zounds.SearchError, match="is a code"):
        notes.search(bytes(16), more=[sound])
    for one in ("reed.wav", sound, sound.pcm, None):
        with pytest.raises(zounds.SearchError, match="more is a .*: give a list of sounds"):
            notes.search(sound, more=one)
    if corpus.preset == "post":
        sound = corpus.random(0)
        with pytest.raises(zounds.SearchError, match="preset 'timbre'"):
            corpus.search(sound, less=[corpus.random(1)])


def test_more_codes_of_the_article_find_what_is_near_to_any(corpus):
    if corpus.preset == "post":
        one, other = document_of(corpus, "1.wav"), document_of(corpus, "7.wav")
        results = corpus.search(one, more=[other])
        assert [hit.distance for hit in results[:2]] == [0, 0]
        assert {hit.name for hit in results[:2]} == {"1.wav", "7.wav"}


# ---------------------------------------------------------------------------- long sounds


def test_what_comes_late_in_a_long_sound_is_found_as_what_it_is(notes, tmp_path, make):
    """A clip stands for 20 s; a later segment is not taken for one of its kind."""
    corpus = zounds.Corpus(shutil.copytree(notes.path, tmp_path / "corpus"))
    organ = np.asarray(document_of(notes, "organ_5.wav").pcm)
    reed = np.asarray(document_of(notes, "reed_5.wav").pcm)
    count = int(21 * 44100 / len(organ))
    long = np.concatenate([organ] * (count + 1) + [reed] * 6)
    corpus.add(zounds.encode(zounds.AudioSamples(long, 44100), "wav"), workers=1)
    corpus.index(workers=1)
    results = corpus.search(document_of(corpus, "reed_4.wav"), 999, unit="segment", per_file=None)
    first = next(hit for hit in results if not hit.name.startswith(("reed", "organ")))
    assert first.start > (count + 1) * len(organ) / 44100 - 1
    assert first.score > 0.7


def test_a_member_of_an_archive_is_searched_with_as_if_that_was_a_folder(corpus, sounds, tmp_path):
    archive = tmp_path / "kit.zip"
    with zipfile.ZipFile(archive, "w") as target:
        target.write(sounds / "1.wav", "drums/snare.wav")
    with pytest.raises(ff.SourceNotFound, match=r"kit\.zip holds no drums/no\.wav"):
        corpus.search(archive / "drums" / "no.wav")
    for query in (archive / "drums" / "snare.wav", f"{archive}/drums/snare.wav"):
        assert list(corpus.search(query)) == list(corpus.search(sounds / "1.wav"))


def test_a_hit_ends_with_its_sound(tmp_path, save):
    corpus = zounds.Corpus(tmp_path / "corpus")
    short = save(tmp_path / "s" / "short.wav", 1, seconds=0.25)
    long = save(tmp_path / "s" / "long.wav", 2, seconds=4)
    corpus.add(tmp_path / "s", workers=1)
    corpus.learn()
    corpus.index(workers=1)
    for unit in ("clip", "segment"):
        results = corpus.search(short, n_results=9, unit=unit, per_file=None)
        for hit in results:
            assert hit.start + hit.duration <= corpus[hit.id].facts["seconds"]
            assert len(results.audio(hit)) == pytest.approx(hit.duration * 44100, abs=1)
        assert [(hit.start, hit.duration) for hit in results if hit.name == short.name] == [
            (0, 0.25)
        ]
        ends = [hit.start + hit.duration for hit in results if hit.name == long.name]
        assert max(ends) == 4


def test_the_code_of_a_document_is_one(corpus):
    document = document_of(corpus, "4.wav")
    if corpus.preset == "timbre":  # its documents have vectors
        with pytest.raises(zounds.SearchError, match="cannot be searched for"):
            corpus.search(document.clip)
        return
    assert document.clip.shape == (1, BITS)
    assert found(corpus.search(document.clip)) == found(corpus.search(document))
    assert found(corpus.search(document.segments[:1])) == found(corpus.search(document.segments[0]))
    with pytest.raises(zounds.SearchError, match="is no code of this index"):
        corpus.search(document_of(corpus, "medley.wav").segments)
