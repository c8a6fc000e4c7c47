import base64
import io
import re
from fractions import Fraction

import numpy as np
import pytest
import soundfile

import featureflow as ff
import zounds
from zounds import AudioSamples, Hit, SearchResults, TimeSlice
from zounds.index.results import SearchResults as SearchResultsItself
from zounds.index.results import stretches

TONE = AudioSamples(np.linspace(-1, 1, 8000, dtype=np.float32), 8000)


def hits(*names):
    return [
        Hit(f"id of {name}", TimeSlice(0.1 * number, 0.1), 3 * number, name)
        for number, name in enumerate(names)
    ]


def results(*names, sound_of=lambda _id: TONE):
    def stretches_of(_id, times):
        return [sound_of(_id)[time] for time in times]

    return SearchResults(np.zeros(16, np.uint8), hits(*names), stretches_of)


def played(html):
    return [
        soundfile.read(io.BytesIO(base64.b64decode(data)))
        for data in re.findall(r'src="data:audio/wav;base64,([^"]+)"', html)
    ]


def test_a_hit_unpacks_into_its_document_and_time():
    (hit,) = hits("a.wav")
    _id, time = hit
    assert (_id, time) == ("id of a.wav", TimeSlice(0, 0.1))
    assert (hit.distance, hit.name) == (0, "a.wav")


def test_results_are_a_sequence():
    found = results("a", "b", "c")
    assert SearchResults is SearchResultsItself
    assert len(found) == 3
    assert [hit.name for hit in found] == ["a", "b", "c"]
    assert found[-1].name == "c"
    assert found[0] in found
    assert found.index(found[1]) == 1
    with pytest.raises(IndexError):
        found[3]
    first = found[:2]
    assert isinstance(first, SearchResults)
    assert [hit.name for hit in first] == ["a", "b"]
    assert len(played(first._repr_html_())) == 2
    np.testing.assert_array_equal(first.query, found.query)


def test_results_print_a_line_for_each_hit():
    assert repr(results("a.wav", "b.wav")).split("\n") == [
        "   0      0.00 s  a.wav",
        "   3      0.10 s  b.wav",
    ]
    assert repr(results()) == "no results"


def test_there_is_a_player_for_each_hit_that_plays_its_stretch():
    html = results("a", "b", "c")._repr_html_()
    assert html.startswith("<ol><li>")
    sounds = played(html)
    assert len(sounds) == 3
    for number, (values, rate) in enumerate(sounds):
        assert rate == 8000
        np.testing.assert_allclose(values, TONE[800 * number : 800 * (number + 1)], atol=2**-14)
    assert results()._repr_html_() == "<ol></ol>"


def test_names_are_text_in_html_too():
    html = results("<script>alert('a & b')</script>")._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;alert(&#x27;a &amp; b&#x27;)&lt;/script&gt;" in html


def test_one_missing_file_does_not_hide_the_others():
    def sound_of(_id):
        if _id == "id of gone":
            raise ff.SourceNotFound("<gone> is not there")
        return TONE

    found = results("a", "gone", "c", sound_of=sound_of)
    html = found._repr_html_()
    assert len(played(html)) == 2
    assert "<em>&lt;gone&gt; is not there</em>" in html
    assert html.count("<li>") == 3
    with pytest.raises(ff.SourceNotFound):
        found.audio(found[1])


def test_the_sound_of_a_hit_is_its_stretch_and_no_more():
    found = results("a", "b")
    np.testing.assert_array_equal(found.audio(found[1]), TONE[800:1600])


def test_a_document_is_decoded_once_for_all_its_hits_however_they_are_ordered():
    decoded = []

    def stretches_of(_id, times):
        decoded.append(_id)
        return [(TONE if _id == "a" else TONE * 0.5)[time] for time in times]

    places = [("a", 3), ("b", 1), ("a", 0), ("b", 2), ("a", 3)]
    found = SearchResults(
        np.zeros(1, np.uint8),
        [Hit(_id, TimeSlice(Fraction(place, 10), 0.1), 0, _id) for _id, place in places],
        stretches_of,
    )
    sounds = played(found._repr_html_())
    assert sorted(decoded) == ["a", "b"]
    for (values, _), (_id, place) in zip(sounds, places, strict=True):
        expected = TONE[800 * place :][:800] * (1 if _id == "a" else 0.5)
        np.testing.assert_allclose(values, expected, atol=2**-14)


@pytest.fixture
def index(in_folder):
    """An index over sounds of files: a code says whether each tenth of a second is loud."""
    graph = zounds.stft(resample_to=zounds.SR8000(), wscheme=zounds.SampleRate(0.1, 0.1))

    class Sound(graph):
        loud = zounds.ConstantRateTimeSeriesFeature(
            lambda frames: abs(frames)[:, :8] > 1, needs=graph.fft, store=True
        )
        database = ff.InMemoryDatabase()

    for name, pitch in (("low.wav", 20), ("high.wav", 70)):
        zounds.save(zounds.SineSynthesizer(zounds.SR8000()).synthesize(1, [pitch]), name)
        Sound.process(meta=name)

    @zounds.simple_settings
    class Index(zounds.hamming_index(Sound, Sound.loud)):
        pass

    Index.build()
    return Index()


def test_hits_of_an_index_play_the_sound_at_their_time(index):
    found = index.random_search(n_results=20, seed=1)
    assert {hit.name for hit in found} == {"low.wav", "high.wav"}
    for (values, rate), hit in zip(played(found._repr_html_()), found, strict=True):
        sound = index.model(hit._id).resampled
        start = round(hit.time.start * 8000)
        assert rate == 8000
        np.testing.assert_allclose(values, sound[start : start + 800], atol=2**-14)


def test_a_file_or_a_document_that_went_after_the_search_is_said(index, in_folder):
    (in_folder / "low.wav").unlink()
    html = index.random_search(n_results=20)._repr_html_()
    assert len(played(html)) == 10
    assert html.count("<em>") == 10
    assert "low.wav" in html
    for document in list(index.model):
        index.model.delete(document._id)
    assert index.random_search(n_results=20)._repr_html_().count("<em>there is no document") == 20


def test_codes_that_are_not_of_sounds_have_no_player(in_folder):
    class Coded(ff.BaseModel):
        codes = zounds.ConstantRateTimeSeriesFeature(np.logical_not, store=True)
        database = ff.InMemoryDatabase()

    @zounds.simple_settings
    class Index(zounds.hamming_index(Coded, Coded.codes)):
        pass

    Coded.process(codes=zounds.ConstantRateTimeSeries(np.eye(8, dtype=bool), zounds.SR8000()))
    Index.build()
    found = Index().search(bytes(1))
    with pytest.raises(zounds.SearchError, match="codes of Coded is not computed from audio"):
        found.audio(found[0])
    assert found._repr_html_().count("<em>codes of Coded is not computed from audio</em>") == 5


DECODED = []


class Speak:
    """A second of its own sound for each letter, as it is asked for."""

    revision = 1

    def stream(self):
        return self

    def step(self, text):
        for letter in text:
            DECODED.append(letter)
            yield AudioSamples(np.full(8000, ord(letter), np.float32), 8000)

    def flush(self):
        return ()


@pytest.mark.parametrize("stored", [False, True])
def test_of_a_long_sound_only_what_is_played_is_decoded(stored):
    class Spoken(ff.BaseModel):
        text = ff.JSONFeature(str.lower, store=True)
        pcm = zounds.AudioSamplesFeature(Speak, needs=text, store=stored)
        database = ff.InMemoryDatabase()

    document = Spoken(Spoken.process(text="abcdefghij" * 100))
    DECODED.clear()
    times = [TimeSlice(2.5, 0.7), TimeSlice(0.9, 3.2), TimeSlice(4, 0), TimeSlice(4, 0.00001)]
    parts = stretches(document, "pcm", times)
    assert "".join(DECODED) == ("" if stored else "abcde")
    whole = AudioSamples(np.repeat(np.float32([97, 98, 99, 100, 101]), 8000), 8000)
    for part, time in zip(parts, times, strict=True):
        assert isinstance(part, AudioSamples)
        np.testing.assert_array_equal(part, whole[time])
    late, beyond, rest = stretches(
        document, "pcm", [TimeSlice(999, 5), TimeSlice(2000, 1), TimeSlice(998)]
    )
    assert (len(late), len(beyond), len(rest)) == (8000, 0, 16000)


def test_a_player_of_a_long_hit_has_its_beginning_and_says_so():
    asked = []

    def stretches_of(_id, times):
        asked.extend(times)
        return [AudioSamples(np.zeros(round(time.duration * 8000)), 8000) for time in times]

    hit = Hit("a", TimeSlice(10, 7200), 0, "a.wav")
    html = SearchResults(np.zeros(1, np.uint8), [hit], stretches_of)._repr_html_()
    assert asked == [TimeSlice(10, 120)]
    assert "the first 120 of 7,200 seconds" in html
