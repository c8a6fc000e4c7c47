"""What every preset has to do."""

import numpy as np
import pytest

import featureflow as ff
import zounds
from zounds.corpus.presets import DEFAULT, PRESETS, preset


def model_of(base, database=None):
    database = database or ff.InMemoryDatabase()
    return type("Model", (base,), {"database": database, "__doc__": "For a test."})


def test_a_preset_is_known_by_its_name():
    assert preset(DEFAULT) is preset("timbre")
    for wrong in ("", "Post", "noise"):
        with pytest.raises(ff.InvalidParameter, match="there is no preset .*: choose from post, "):
            preset(wrong)


@pytest.mark.parametrize("name", PRESETS)
def test_the_same_sounds_and_seed_give_the_same_codes(name, make):
    chosen = preset(name)
    sounds = model_of(chosen.sounds())
    for seed in range(8):
        sounds.process(meta=zounds.encode(make(seed), "wav"))
    codes = []
    for seed in (0, 0, 1):
        studied = model_of(chosen.study(seed), sounds.database)
        coded = model_of(chosen.coded(chosen.learn(studied, seed)), sounds.database)
        codes.append([document.segments.tobytes() for document in coded])
    assert codes[0] == codes[1] != codes[2]


@pytest.mark.parametrize("name", PRESETS)
def test_facts_and_what_codes_are_made_of_are_stored_and_sounds_are_not(name, make):
    sounds = model_of(preset(name).sounds())
    document = sounds(sounds.process(meta=zounds.encode(make(0, 0.9), "wav")))
    stored = {feature for feature in sounds.features if document._is_stored(feature)}
    features = {"post": {"bfcc"}, "timbre": {"clip_timbre", "segment_timbres"}}
    assert stored == {"meta", "facts"} | features[name]
    assert document.facts["samples"] == len(document.pcm)


@pytest.mark.parametrize("name", PRESETS)
def test_a_sound_has_a_row_for_its_clip_and_rows_for_its_segments(name, make):
    chosen = preset(name)
    sounds = model_of(chosen.sounds())
    for seed in range(8):
        sounds.process(_id=f"{seed}", meta=zounds.encode(make(seed, 2.5), "wav"))
    learned = chosen.learn(model_of(chosen.study(0), sounds.database), 0)
    document = model_of(chosen.coded(learned), sounds.database)("3")
    assert len(document.clip) == 1
    assert len(document.segments) == 4  # the last one is shorter
    assert document.segments.shape[1] == document.clip.shape[1]
    assert float(document.segments.frequency) == pytest.approx(30 * 1024 / 44100)
    space = chosen.space(np.concatenate([np.asarray(document.clip)] * 3))
    assert {layer.codes.shape for layer in space.clips.values()} == {(3, chosen.bits // 8)}


@pytest.mark.parametrize("name", PRESETS)
def test_which_sounds_are_studied_depends_on_the_seed_only(name):
    chosen = preset(name)
    for count in (0, 1, 30, 40_000):
        studied = chosen.studied(count, 3)
        assert list(studied) == list(chosen.studied(count, 3))
        assert len(set(studied)) == len(studied) <= count
        assert set(studied) <= set(range(count))
    if name == "timbre":
        assert sorted(chosen.studied(30, 3)) == list(range(30))
        assert len(chosen.studied(40_000, 3)) == 2500
        assert list(chosen.studied(40_000, 3)) != list(chosen.studied(40_000, 4))
