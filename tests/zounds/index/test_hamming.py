import gc
import subprocess
import sys
import tracemalloc
from fractions import Fraction
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featureflow as ff
import zounds
from zounds import (
    AudioSampleRate,
    ConstantRateTimeSeries,
    Hit,
    SampleRate,
    SearchError,
    TimeSlice,
    hamming_index,
)

RATE = SampleRate(Fraction(7, 10), Fraction(8, 10))
POST = "AIAAAAAAAAAAQAAAAAAAEA=="  # the query that stands in the article


def series(codes, rate=RATE):
    return ConstantRateTimeSeries(codes, rate)


def as_given(codes):
    return codes


def in_memory(base, name, **namespace):
    """Give a class settings that vanish with the test."""
    settings = {"database": ff.InMemoryDatabase(), "__module__": __name__}
    return type(name, (base,), settings | namespace)


def coded_model():
    """A model whose documents are made of codes at once."""
    feature = zounds.ConstantRateTimeSeriesFeature(as_given, store=True)
    return in_memory(ff.BaseModel, "Coded", codes=feature)


def index_of(model, *documents):
    for number, codes in enumerate(documents):
        model.process(_id=f"document {number:03d}", codes=series(codes))
    base = hamming_index(model, model.codes)
    index = in_memory(base, "Index", id_provider=ff.StaticIdProvider("Index"))
    if documents:
        index.build()
    return index


@pytest.fixture
def corpus():
    """Three documents, 20 codes of 128 bits, and their index."""
    random = np.random.default_rng(0)
    documents = [random.random((count, 128)) < 0.1 for count in (8, 5, 7)]
    index = index_of(coded_model(), *documents)
    return documents, index()


# ---------------------------------------------------------------------------- search


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_results_are_those_of_numpy_by_distance_then_document_then_time(data):
    bits = data.draw(st.integers(1, 20))
    sizes = data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any))
    seed = data.draw(st.integers(0, 2**32 - 1))
    n_results = data.draw(st.integers(1, 50))
    random = np.random.default_rng(seed)
    documents = [random.random((size, bits)) < 0.3 for size in sizes]
    query = random.random(bits) < 0.3

    results = index_of(coded_model(), *documents)().search(query, n_results)

    codes = np.concatenate(documents)
    places = [(f"document {d:03d}", t) for d, size in enumerate(sizes) for t in range(size)]
    distances = (codes != query).sum(axis=1)
    expected = sorted(zip(distances.tolist(), places, strict=True))[:n_results]
    found = [(hit.distance, (hit._id, int(hit.time.start / RATE.frequency))) for hit in results]
    assert found == expected
    assert all(hit.time.duration == RATE.duration for hit in results)


def test_a_hit_says_where_how_far_and_its_name(corpus):
    documents, index = corpus
    hit = index.search(documents[1][3])[0]
    assert hit == Hit("document 001", TimeSlice(3 * RATE.frequency, RATE.duration), 0, hit.name)
    _id, time = hit
    assert (_id, time) == ("document 001", TimeSlice(Fraction(21, 10), Fraction(8, 10)))
    assert hit.name == "document 001"


def test_documents_may_have_different_rates():
    model = coded_model()
    model.process(_id="a", codes=series(np.eye(4, dtype=bool), AudioSampleRate(2)))
    model.process(_id="b", codes=series(np.eye(4, dtype=bool), AudioSampleRate(4)))
    index = index_of(model)
    index.build()
    slow, fast = index().search([0, 0, 1, 0], 2)
    assert slow.time == TimeSlice(1, 0.5)
    assert fast.time == TimeSlice(0.5, 0.25)


def test_without_a_number_there_are_five_results_and_never_more_than_codes(corpus):
    documents, index = corpus
    assert len(index) == 20
    assert index.bits == 128
    assert len(index.search(documents[0][0])) == 5
    everything = index.search(documents[0][0], n_results=10**9)
    assert len(everything) == 20
    assert len({tuple(hit) for hit in everything}) == 20
    assert [hit.distance for hit in everything] == sorted(hit.distance for hit in everything)
    assert len(index.search(documents[0][0], np.int64(3))) == 3
    assert len(index.search(documents[0][0], 3.0)) == 3


def test_of_many_codes_at_one_distance_the_first_come_first():
    codes = np.random.default_rng(0).random((4000, 2)) < 0.5
    index = index_of(coded_model(), codes)()
    rows = [round(hit.time.start / RATE.frequency) for hit in index.search([0, 0], 4000)]
    assert rows == np.argsort(codes.sum(axis=1), kind="stable").tolist()
    assert [round(hit.time.start / RATE.frequency) for hit in index.search([0, 0], 99)] == rows[:99]


@pytest.mark.parametrize("wrong", [0, -1, 1.5, np.nan, np.inf, None, "3"])
def test_a_search_for_no_results_is_refused(corpus, wrong):
    with pytest.raises(SearchError, match=r"n_results=.*: ask for one result or more"):
        corpus[1].search(corpus[0][0][0], wrong)


# ---------------------------------------------------------------------------- queries


def test_a_query_may_be_bits_bytes_or_text(corpus):
    documents, index = corpus
    code = documents[2][4]
    packed = np.packbits(code)
    expected = list(index.search(code, 20))
    assert expected[0].distance == 0
    for query in (
        code,
        code.tolist(),
        code.astype(np.float32),
        series(documents[2])[4],
        packed,
        packed.tobytes(),
        bytearray(packed.tobytes()),
        index.encode_query(code),
    ):
        results = index.search(query, 20)
        assert list(results) == expected
        assert results.query.dtype == np.uint8
        np.testing.assert_array_equal(results.query, packed)


def test_a_result_does_not_change_with_the_array_that_was_searched_for(corpus):
    query = np.zeros(16, np.uint8)
    results = corpus[1].search(query)
    query[:] = 255
    assert not results.query.any()


def test_the_query_of_the_article(corpus):
    _, index = corpus
    code = index.decode_query(POST)
    assert (code.shape, code.dtype) == ((16,), np.uint8)
    assert np.flatnonzero(np.unpackbits(code)).tolist() == [8, 73, 123]
    assert index.encode_query(code) == POST
    bits = np.zeros(128, bool)
    bits[[8, 73, 123]] = True
    assert index.encode_query(bits) == POST


@settings(deadline=None)
@given(st.binary(min_size=16, max_size=16))
def test_every_code_survives_every_way_into_an_address(code):
    index = index_of(coded_model(), np.eye(1, 128, dtype=bool))()
    text = index.encode_query(code)
    safe = text.replace("+", "-").replace("/", "_")
    for address in (
        text,
        safe,
        safe.rstrip("="),
        quote(text, safe=""),
        quote(quote(text, safe=""), safe=""),
        text.replace("+", " "),  # what a form makes of it
    ):
        assert index.decode_query(address).tobytes() == code
        assert index.search(address).query.tobytes() == code


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "A", "====", "AIAA", POST + "AAAA", POST[:-4], "ä" * 24),
        *("AIAA!AAAAAAAQAAAAAAAEA==", "AIAA\nAAAAAAAQAAAAAAAEA==", quote(quote(quote(POST)))),
    ],
)
def test_text_that_is_no_code_is_refused(corpus, wrong):
    for use in (corpus[1].decode_query, corpus[1].search, corpus[1].encode_query):
        with pytest.raises(SearchError, match="is not a code in base64|is no code of this index"):
            use(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        3,
        b"",
        bytes(15),
        bytes(17),
        np.zeros(16),
        np.zeros((1, 16), np.uint8),
        np.zeros(127, bool),
        np.zeros((1, 128), bool),
        np.full(128, 2),
        np.full(128, np.nan),
        [[1], [1, 2]],
        {"a": 1},
        ["a"] * 128,
    ],
    ids=lambda wrong: repr(wrong)[:20],
)
def test_what_is_no_code_is_refused(corpus, wrong):
    for use in (corpus[1].search, corpus[1].encode_query):
        with pytest.raises(SearchError, match="is no code"):
            use(wrong)


@pytest.mark.parametrize("bits", [1, 7, 12, 100])
def test_codes_need_not_fill_their_bytes(bits):
    random = np.random.default_rng(bits)
    codes = random.random((30, bits)) < 0.5
    index = index_of(coded_model(), codes)()
    assert index.bits == bits
    packed = np.packbits(codes[7])
    assert len(packed) == -(-bits // 8)
    for query in (codes[7], packed, packed.tobytes(), index.encode_query(codes[7])):
        found = [hit.distance for hit in index.search(query, 30)]
        assert found == sorted((codes != codes[7]).sum(axis=1).tolist())


def test_bits_beyond_those_of_a_code_are_refused():
    index = index_of(coded_model(), np.eye(12, dtype=bool))()
    assert len(index.search(b"\xff\xf0")) == 5
    with pytest.raises(SearchError, match="bits set beyond the 12 of a code"):
        index.search(b"\xff\xf8")
    with pytest.raises(SearchError, match="bits set beyond the 12"):
        index.decode_query("//g=")


def test_random_queries_are_codes_of_the_index_and_depend_on_the_seed_only(corpus):
    documents, index = corpus
    packed = {np.packbits(code).tobytes() for document in documents for code in document}
    drawn = {index.random_query(seed).tobytes() for seed in range(300)}
    assert drawn == packed
    assert index.random_query(7).tolist() == index.random_query(7).tolist()
    assert list(index.random_search(3, seed=7)) == list(index.search(index.random_query(7), 3))
    assert index.random_search(seed=7)[0].distance == 0
    assert len(index.random_search()) == 5
    query = index.random_query(1)
    query[:] = 0  # is one's own
    assert index.random_query(1).any()


# ---------------------------------------------------------------------------- building


def test_an_index_that_was_not_built_says_how():
    index = index_of(coded_model())()
    for use in (
        lambda: index.search(bytes(16)),
        lambda: index.random_search(),
        lambda: index.decode_query(POST),
        lambda: len(index),
    ):
        with pytest.raises(SearchError, match=r"Index was not built yet: call Index\.build\(\)"):
            use()


def test_there_has_to_be_something_to_index():
    with pytest.raises(SearchError, match="no documents to index: process some sounds first"):
        index_of(coded_model()).build()


def test_documents_without_codes_leave_nothing_to_choose_from():
    index = index_of(coded_model(), np.zeros((0, 8), bool))()
    assert len(index) == 0
    assert list(index.search(b"\0")) == []
    with pytest.raises(SearchError, match="Index holds no codes"):
        index.random_query()


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (series(np.full((3, 8), 0.5)), r"shape \(3, 8\) and dtype float64: an index takes"),
        (series(np.zeros(8, bool)), r"shape \(8,\)"),
        (series(np.zeros((3, 2, 4), bool)), r"shape \(3, 2, 4\)"),
        (series(np.full((3, 8), np.nan)), "zeros and ones"),
    ],
)
def test_a_feature_that_is_no_code_is_named(codes, message):
    model = coded_model()
    model.process(_id="odd one", codes=codes)
    with pytest.raises(SearchError, match=f"the codes of odd one are a .*{message}"):
        index_of(model).build()


def test_features_without_time_and_features_that_are_no_arrays_are_named_too():
    feature = ff.NumpyFeature(as_given, store=True)
    text = ff.TextFeature(repr, needs=feature)
    model = in_memory(ff.BaseModel, "Model", codes=feature, text=text)
    model.process(_id="odd one", codes=np.eye(8, dtype=bool))
    for indexed, kind in ((model.codes, "ndarray"), (model.text, "str")):
        base = hamming_index(model, indexed)
        index = in_memory(base, "Index", id_provider=ff.StaticIdProvider("Index"))
        with pytest.raises(SearchError, match=f"the codes of odd one are a {kind}"):
            index.build()


def test_codes_of_different_lengths_are_no_index():
    with pytest.raises(SearchError, match="document 001 have 9 bits, and those of document 000"):
        index_of(coded_model(), np.eye(8, dtype=bool), np.eye(9, dtype=bool))


def test_numbers_that_are_zero_or_one_are_bits():
    index = index_of(coded_model(), np.eye(12, dtype=np.float32))()
    assert index.search(np.eye(12)[5])[0].distance == 0


@pytest.mark.parametrize("wrong", [None, "codes", 3])
def test_an_index_is_over_a_feature_of_its_model(wrong):
    model = coded_model()
    with pytest.raises(SearchError, match="is not a feature of .*Coded"):
        hamming_index(model, wrong)
    other = in_memory(model, "More", more=ff.TextFeature(repr, needs=model.codes))
    with pytest.raises(SearchError, match=r"more.*is not a feature of"):
        hamming_index(model, other.more)
    with pytest.raises(SearchError, match="is not a feature of"):
        hamming_index(None, model.codes)


def test_a_feature_of_another_class_that_has_the_same_name_is_refused():
    model = coded_model()
    derived = in_memory(model, "Derived")
    assert hamming_index(derived, model.codes).code == "codes"  # inherited: it is its own
    otherwise = zounds.ConstantRateTimeSeriesFeature(np.logical_not, store=True)
    other = in_memory(model, "Other", codes=otherwise)
    with pytest.raises(SearchError, match=r"computes codes otherwise: give Other\.codes"):
        hamming_index(other, model.codes)
    assert hamming_index(other, other.codes).code == "codes"


def test_an_index_needs_a_place_of_its_own():
    model = coded_model()
    model.process(codes=series(np.eye(8, dtype=bool)))
    with pytest.raises(ff.GraphError, match="has no database.*simple_settings"):
        hamming_index(model, model.codes).build()


def test_what_is_added_later_is_found_after_the_next_build():
    model = coded_model()
    index = index_of(model, np.eye(8, dtype=bool))
    reader = index()
    model.process(_id="later", codes=series(np.ones((1, 8), bool)))
    assert reader.search(b"\xff")[0].distance == 7
    index.build()
    assert tuple(reader.search(b"\xff")[0]) == ("later", TimeSlice(0, RATE.duration))
    model.delete("later")
    index.build()
    assert len(reader) == 8


def test_a_build_holds_one_document_and_the_packed_codes():
    model = coded_model()
    index = index_of(model)
    codes = np.zeros((20_000, 256), bool)
    for number in range(20):
        model.process(_id=f"{number}", codes=series(codes))
    tracemalloc.start()
    try:
        index.build()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(index()) == 20 * len(codes)
    assert peak < 20 * codes.nbytes  # that of all the codes, a byte for each bit


@pytest.mark.parametrize(
    "failure", [ff.SourceError, ff.UnavailableError, ff.CorruptRecord, zounds.AudioError]
)
def test_a_document_that_cannot_be_read_is_left_out_with_a_warning(failure):
    class Codes:
        revision = 1

        def __call__(self, text):
            if text == "bad":
                raise failure("its story")
            return series(np.eye(8, dtype=bool))

    text = ff.TextFeature(str.strip, store=True)
    codes = zounds.ConstantRateTimeSeriesFeature(Codes, needs=text)
    model = in_memory(ff.BaseModel, "Model", text=text, codes=codes)
    for word in ("good", "bad", "fine"):
        model.process(_id=word, text=word)
    index = index_of(model)
    with pytest.warns(UserWarning, match="bad is not indexed: .*its story"):
        index.build()
    assert {hit._id for hit in index().search(bytes(1), 99)} == {"good", "fine"}


def test_readers_have_the_old_index_when_a_build_fails():
    model = coded_model()
    index = index_of(model, np.eye(8, dtype=bool))
    model.process(_id="odd one", codes=series(np.eye(9, dtype=bool)))
    with pytest.raises(SearchError, match="odd one"):
        index.build()
    assert len(index().search(bytes(1), 99)) == 8


# ---------------------------------------------------------------------------- learned codes


@pytest.fixture
def learned(in_folder):
    """Two sounds of files, a model that learns from them, an index; in the current folder."""

    @zounds.simple_settings
    class Learner(ff.BaseModel):
        docs = ff.Feature(ff.IteratorNode)
        shuffle = ff.NumpyFeature(zounds.ReservoirSampler, nsamples=1e6, needs=docs, store=True)
        kmeans = ff.PickleFeature(zounds.KMeans, centroids=12, needs=shuffle)
        pipeline = ff.PickleFeature(zounds.PreprocessingPipeline, needs=(kmeans,), store=True)

    windowing = zounds.HalfLapped()
    graph = zounds.stft(wscheme=windowing)

    class Sound(graph):
        bark = zounds.ConstantRateTimeSeriesFeature(zounds.BarkBands, needs=graph.fft, store=True)
        bfcc = zounds.ConstantRateTimeSeriesFeature(zounds.BFCC, needs=bark, store=True)
        codes = zounds.ConstantRateTimeSeriesFeature(
            zounds.Learned, learned=Learner(), needs=bfcc, store=True
        )
        sliding = zounds.ConstantRateTimeSeriesFeature(
            zounds.SlidingWindow, needs=codes, wscheme=windowing * zounds.Stride(30, 30)
        )
        pooled = zounds.ConstantRateTimeSeriesFeature(zounds.Max, needs=sliding, axis=1, store=True)

        database = ff.LmdbDatabase(path="sounds")

    Base = hamming_index(Sound, Sound.pooled)

    @zounds.simple_settings
    class SoundIndex(Base):
        pass

    class Timbre(graph):
        bark = Sound.bark
        bfcc = Sound.bfcc
        database = Sound.database

    for name, seed in (("one", 1), ("two", 2)):
        noise = zounds.NoiseSynthesizer(zounds.SR22050(), seed).synthesize(3)
        zounds.save(noise * np.linspace(0, 1, len(noise), dtype=np.float32), f"{name}.wav")
        Timbre.process(meta=f"{name}.wav")
    return Sound, Learner, SoundIndex


def test_an_untrained_model_says_so_when_the_index_is_built_and_searched(learned):
    _, _, SoundIndex = learned
    with pytest.raises(zounds.NotTrained, match=r"Learner.*call Learner\.process"):
        SoundIndex.build()
    with pytest.raises(SearchError, match="SoundIndex was not built yet"):
        len(SoundIndex())


def test_sounds_are_found_by_what_was_learned_from_them(learned, in_folder):
    Sound, Learner, SoundIndex = learned
    Learner.process(docs=(sound.bfcc for sound in Sound))
    SoundIndex.build()
    index = SoundIndex()
    assert (in_folder / "SoundIndex").is_dir()
    assert index.bits == 12
    assert len(index) == sum(len(sound.pooled) for sound in Sound) == 10
    for sound in Sound:
        for row, code in enumerate(sound.pooled):
            hits = [hit for hit in index.search(code, 10) if hit._id == sound._id]
            hop = sound.pooled.frequency
            assert TimeSlice(row * hop, sound.pooled.duration) in [hit.time for hit in hits]
            assert {hit.name for hit in hits} <= {"one.wav", "two.wav"}
    results = index.random_search(seed=0)
    audio = results.audio(results[0])
    assert audio.samplerate == zounds.SR22050()
    resampled = Sound(results[0]._id).resampled
    np.testing.assert_array_equal(audio, resampled[results[0].time])


def test_an_index_of_codes_learned_otherwise_is_refused_until_it_is_built_again(learned):
    Sound, Learner, SoundIndex = learned
    Learner.process(docs=(sound.bfcc for sound in Sound))
    SoundIndex.build()
    index = SoundIndex()
    index.search(bytes(2))
    Learner.process(docs=(sound.bfcc for sound in Sound))
    index.search(bytes(2))  # the same was learned
    Learner.process(docs=[np.random.default_rng(0).standard_normal((99, 13))])
    for search in (index.search, SoundIndex().search, index.encode_query):
        with pytest.raises(SearchError, match=r"learned anew; call SoundIndex\.build\(\)"):
            search(bytes(2))
    SoundIndex.build()
    assert len(index.search(bytes(2), 99)) == 10
    expected = {np.packbits(code).tobytes() for sound in Sound for code in sound.pooled}
    assert {index.random_query(seed).tobytes() for seed in range(200)} == expected


def test_a_document_whose_file_has_gone_is_left_out_with_a_warning(learned, in_folder):
    Sound, Learner, _ = learned

    class Directly(Sound):  # nothing is stored on the way: the files are read again
        bark = zounds.ConstantRateTimeSeriesFeature(zounds.BarkBands, n_bands=90, needs=Sound.fft)
        bfcc = zounds.ConstantRateTimeSeriesFeature(zounds.BFCC, needs=bark)

    Learner.process(docs=(sound.bfcc for sound in Directly))

    @zounds.simple_settings
    class Index(hamming_index(Directly, Directly.pooled)):
        pass

    (in_folder / "two.wav").unlink()
    with pytest.warns(UserWarning, match=r"two\.wav is not indexed: .*two\.wav"):
        Index.build()
    assert {hit.name for hit in Index().search(bytes(2), 99)} == {"one.wav"}

    (in_folder / "one.wav").write_bytes(b"now another thing")
    Learner.process(docs=[np.random.default_rng(0).standard_normal((99, 13))])
    with (
        pytest.warns(UserWarning, match="is not indexed"),
        pytest.raises(SearchError, match="no documents to index"),
    ):
        Index.build()


SESSION = """
import featureflow as ff, numpy as np, zounds


class Bits:
    revision = 1

    def __call__(self, text):
        print("computed", text)
        codes = np.array([[int(bit) for bit in word] for word in text.split()], bool)
        return zounds.ConstantRateTimeSeries(codes, zounds.SR8000())


class Settings(ff.PersistenceSettings):
    database = ff.LmdbDatabase(path="words")


class Words(ff.BaseModel, Settings):
    text = ff.TextFeature(str.strip, store=True)
    codes = zounds.ConstantRateTimeSeriesFeature(Bits, needs=text)


@zounds.simple_settings
class Index(zounds.hamming_index(Words, Words.codes)):
    pass
"""


def test_another_process_opens_the_index_and_computes_nothing(in_folder):
    def session(lines):
        (in_folder / "session.py").write_text(SESSION + lines)
        done = subprocess.run(
            [sys.executable, "session.py"], capture_output=True, text=True, cwd=in_folder
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split("\n")[:-1]

    first = session("Words.process(_id='a', text='00001111 10101010'); Index.build()")
    assert first == ["computed 00001111 10101010"]
    second = session("print([(h._id, h.distance) for h in Index().search(b'\\x0f')])")
    assert second == ["[('a', 0), ('a', 4)]"]


# ---------------------------------------------------------------------------- what is new


class Counted:
    """Codes of text, and how often they were computed."""

    revision = 1
    times = 0

    def __call__(self, text):
        Counted.times += 1
        return series(np.array([[int(bit) for bit in f"{ord(letter):08b}"] for letter in text]))


@pytest.fixture
def words(in_folder):
    """A model of words, whose letters are its codes, in the current folder; and its index."""
    text = ff.TextFeature(str.strip, store=True)
    codes = zounds.ConstantRateTimeSeriesFeature(Counted, needs=text)
    settings = {"database": ff.LmdbDatabase("words"), "__module__": __name__}
    model = type("Words", (ff.BaseModel,), {"text": text, "codes": codes, **settings})
    base = hamming_index(model, model.codes)
    for word in ("alpha", "beta", "gamma"):
        model.process(_id=word, text=word)
    Counted.times = 0
    return model, zounds.simple_settings(type("WordIndex", (base,), {}))


def found(index, letter="a", **options):
    return [(hit._id, hit.distance) for hit in index().search(ord(letter).to_bytes(), **options)]


def test_only_what_is_new_or_has_changed_is_computed(words):
    model, index = words
    assert str(index.build()) == "a new generation: 3 added, 0 removed, 0 kept"
    assert Counted.times == 3
    assert str(index.build()) == "0 added, 0 removed, 3 kept"
    assert Counted.times == 3
    model.process(_id="delta", text="delta")
    model.process(_id="beta", text="bet")
    model.delete("gamma")
    assert str(index.build()) == "2 added, 2 removed, 1 kept"
    assert Counted.times == 5
    assert found(index)[:3] == [("alpha", 0), ("alpha", 0), ("delta", 0)]
    assert found(index)[3:] == [("beta", 1), ("delta", 1)]


def test_a_build_that_changes_nothing_writes_nothing(words, in_folder):
    _, index = words
    index.build()
    before = {path: path.stat().st_mtime_ns for path in in_folder.glob("WordIndex/**/*.*")}
    index.build()
    after = {path: path.stat().st_mtime_ns for path in in_folder.glob("WordIndex/**/*.*")}
    assert len(before) == 2
    assert before == after


def test_codes_that_are_computed_otherwise_begin_a_new_generation(words):
    model, index = words
    index.build()
    otherwise = zounds.ConstantRateTimeSeriesFeature(
        lambda text: Counted()(text[::-1]), needs="text"
    )
    other = type("Other", (model,), {"codes": otherwise, "__module__": __name__})
    index.model = other
    with pytest.raises(SearchError, match=r"would compute otherwise now.*call WordIndex\.build"):
        found(index)
    build = index.build()
    assert (build.anew, build.added, build.kept) == (True, 3, 0)
    assert found(index)[0] == ("alpha", 0)


@pytest.mark.parametrize("place", range(0, 100, 9))
def test_a_damaged_index_is_told_and_built_again(words, in_folder, place):
    _, index = words
    index.build()
    expected = found(index)
    (path,) = in_folder.glob("WordIndex/**/*.segment")
    content = bytearray(path.read_bytes())
    content[place * len(content) // 100] ^= 64
    path.unlink()  # another process wrote it: what is mapped here stays
    path.write_bytes(content)
    program = "from zounds.index.segments import Segments; from pathlib import Path; import sys\n"
    program += "Segments(Path(sys.argv[1])).snapshot().check()"
    command = [sys.executable, "-c", program, str(path.parent)]
    assert "CorruptRecord" in subprocess.run(command, capture_output=True, text=True).stderr
    zounds.index.hamming._segments_at.cache_clear()  # as in a new process
    assert str(index.build()) == "a new generation: 3 added, 0 removed, 0 kept"
    assert found(index) == expected


def test_a_damaged_manifest_is_told_and_built_again(words, in_folder):
    _, index = words
    index.build()
    (path,) = in_folder.glob("WordIndex/**/manifest.json")
    path.write_text("{}")
    with pytest.raises(ff.CorruptRecord, match=r"manifest\.json cannot be used.*build the index"):
        found(index)
    assert index.build().anew
    assert found(index)[0] == ("alpha", 0)


def test_searches_take_some_documents_and_leave_out_others(words):
    _, index = words
    index.build()
    assert {_id for _id, _ in found(index, only=["beta", "gamma"])} == {"beta", "gamma"}
    assert {_id for _id, _ in found(index, without={"alpha"})} == {"beta", "gamma"}
    assert found(index, per_document=1) == [("alpha", 0), ("beta", 0), ("gamma", 0)]
    assert found(index, only=[]) == []
    with pytest.raises(SearchError, match="per_document=0: ask for one"):
        found(index, per_document=0)


def test_many_queries_are_searched_at_once(words):
    _, index = words
    index.build()
    queries = [letter.encode() for letter in "abx"]
    assert list(map(list, index().search_all(queries, 4))) == [
        list(index().search(query, 4)) for query in queries
    ]
    assert index().search_all([]) == []


def test_an_index_is_built_by_one_process_at_a_time(words):
    _, index = words
    index.build()
    with index._segments().changing(), pytest.raises(SearchError, match="wait until it is done"):
        index.build()
    assert found(index)[0] == ("alpha", 0)


def test_an_index_in_memory_goes_with_its_database():
    index = index_of(coded_model(), np.eye(8, dtype=bool))
    folder = index._segments().folder
    assert folder.exists()
    assert len(index()) == 8
    index.database = None
    gc.collect()
    assert not folder.exists()


def test_a_model_that_learns_anew_meanwhile_makes_no_index(learned):
    Sound, Learner, SoundIndex = learned
    Learner.process(docs=(sound.bfcc for sound in Sound))
    original = SoundIndex._coded.__func__

    class Careless(SoundIndex):
        @classmethod
        def _coded(cls, *given):
            yield from original(cls, *given)
            Learner.process(docs=(sound.bfcc[::2] for sound in Sound))

    with pytest.raises(SearchError, match="has learned anew meanwhile"):
        Careless.build()
