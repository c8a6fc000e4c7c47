"""What is known of all sounds, in columns."""

import numpy as np
import pytest

from zounds.corpus.known import Fact
from zounds.web.facts import Facts, Filters


def facts_of(*uris, **known):
    default = {"seconds": 1.0, "samplerate": 44100.0, "channels": 1}
    return Facts(
        Fact(id=str(at), name=uri.rpartition("/")[2], uri=uri, **{**default, **known})
        for at, uri in enumerate(uris)
    )


def folders(*uris):
    facts = facts_of(*uris)
    return {facts.ids[row]: facts.record(row, None)["folder"] for row in range(len(facts))}


@pytest.mark.parametrize(
    ("uris", "expected"),
    [
        (["file:///s/a.wav"], [""]),
        (["file:///s/x/a.wav", "file:///s/y/b.wav"], ["x", "y"]),
        (["file:///s/x/a.wav", "file:///s/b.wav"], ["x", ""]),
        (["file:///s/x/a.wav", "file:///s/xy/b.wav"], ["x", "xy"]),
        (["file:///a%20b/c.wav", "file:///a%2Fb/d.wav"], ["a b", "a/b"]),
        (["zip:file:///s/d.zip!/k/1.wav", "file:///s/2.wav"], ["d.zip/k", ""]),
        (["data:,bytes"], [""]),
    ],
)
def test_folders_are_seen_from_where_all_sounds_are(uris, expected):
    assert list(folders(*uris).values()) == [
        folder for _, folder in sorted(zip(uris, expected, strict=True))
    ]


def test_nothing_is_known_of_nothing():
    facts = Facts([])
    assert len(facts) == 0
    assert facts.passing(Filters(folder=["a"], text="b", min_seconds=1)).shape == (0,)
    overview = facts.overview()
    assert overview["durations"] == {"edges": [], "counts": []}
    assert overview["folders"] == overview["samplerates"] == overview["channels"] == []


def test_every_duration_is_in_the_histogram():
    facts = Facts(
        Fact(str(at), "a", f"file:///{at}", float(seconds), 1.0, 1)
        for at, seconds in enumerate([0.0, 0.001, 0.3, 0.3, 9000.0])
    )
    durations = facts.overview()["durations"]
    assert sum(durations["counts"]) == 5
    assert np.all(np.diff(durations["edges"]) > 0)
    assert sum(facts_of("file:///a", seconds=2.0).overview()["durations"]["counts"]) == 1


def test_words_are_looked_for_in_names_and_folders():
    facts = facts_of("file:///s/Drums/Kick.wav", "file:///s/voices/Kick.wav", "file:///s/x.wav")

    def found(text):
        return int(facts.passing(Filters(text=text)).sum())

    assert [found(text) for text in ("kick", "KICK drum", "drum voice", " ", "ß")] == [
        2,
        1,
        0,
        3,
        0,
    ]


def test_a_folder_can_be_asked_for_without_those_in_it():
    uris = ["1.wav", "a/2.wav", "a/b/3.wav", "a/b/4.wav", "ab/5.wav"]
    facts = facts_of(*(f"file:///s/{uri}" for uri in uris))

    def found(*folders):
        return [facts.names[row][0] for row in np.flatnonzero(facts.passing(Filters(folders)))]

    assert found("a") == list("234")
    assert found("a/.") == ["2"]
    assert found(".", "a/b/.") == list("134")
    assert found("") == list("12345")
    assert found("b/.") == []
