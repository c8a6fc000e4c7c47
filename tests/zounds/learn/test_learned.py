import numpy as np
import pytest

import featureflow as ff
import zounds
from zounds import AudioSampleRate, ConstantRateTimeSeries, Stride
from zounds.learn.kmeans import Centroids
from zounds.learn.pipeline import Pipeline

RATE = AudioSampleRate(10)
CORNERS = np.array([[0.0, 0.0], [0.0, 9.0], [9.0, 0.0], [9.0, 9.0]])


def around(corners, seed=0):
    """Examples near to some points."""
    random = np.random.default_rng(seed)
    return np.repeat(corners, 20, axis=0) + random.uniform(-1, 1, (20 * len(corners), 2))


@pytest.fixture
def learner():
    class Learner(ff.BaseModel):
        docs = ff.Feature(ff.IteratorNode)
        shuffle = ff.NumpyFeature(zounds.ReservoirSampler, nsamples=1e6, needs=docs, store=True)
        kmeans = ff.PickleFeature(zounds.KMeans, centroids=4, needs=shuffle)
        pipeline = ff.PickleFeature(zounds.PreprocessingPipeline, needs=(kmeans,), store=True)

        database = ff.InMemoryDatabase()
        id_provider = ff.StaticIdProvider("Learner")

    return Learner


@pytest.fixture
def sound(learner):
    """Rows, their codes, and the codes of three rows pooled; declared before anything is known."""

    class Sound(ff.BaseModel):
        rows = zounds.ConstantRateTimeSeriesFeature(np.positive, store=True)
        codes = zounds.ConstantRateTimeSeriesFeature(
            zounds.Learned, learned=learner(), needs=rows, store=True
        )
        sliding = zounds.ConstantRateTimeSeriesFeature(
            zounds.SlidingWindow, needs=codes, wscheme=RATE * Stride(3, 3)
        )
        pooled = zounds.ConstantRateTimeSeriesFeature(zounds.Max, needs=sliding, axis=1, store=True)

        database = ff.InMemoryDatabase()

    return Sound


def rows(values):
    return ConstantRateTimeSeries(values, RATE)


def declared(sound, **features):
    """Return a model with more features over the same rows."""
    return type("More", (sound,), features)


def test_a_model_is_declared_first_trained_later_and_used_then(learner, sound):
    early = declared(sound, codes=None, sliding=None, pooled=None)
    _id = early.process(rows=rows(CORNERS))
    learner.process(docs=[around(CORNERS)])
    codes = sound(_id).codes
    assert codes.dtype == bool
    assert codes.samplerate == RATE
    np.testing.assert_array_equal(codes, learner().pipeline.transform(CORNERS))
    assert codes.sum(axis=0).tolist() == codes.sum(axis=1).tolist() == [1, 1, 1, 1]
    assert sound(_id).pooled.sum(axis=1).tolist() == [3, 1]


def test_before_training_the_error_names_the_model_and_the_call(learner, sound):
    message = r"Learner has not learned anything yet: call Learner\.process\(docs=\.\.\.\)"
    with pytest.raises(zounds.NotTrained, match=message):
        sound.process(rows=rows(CORNERS))
    early = declared(sound, codes=None, sliding=None, pooled=None)
    _id = early.process(rows=rows(CORNERS))
    for name in ("codes", "pooled"):
        with pytest.raises(zounds.NotTrained, match=message):
            getattr(sound(_id), name)
    with pytest.raises(zounds.NotTrained, match=message):
        zounds.Learned(learned=learner())(CORNERS)


def test_training_with_other_data_gives_other_codes_and_never_stale_ones(learner, sound):
    learner.process(docs=[around(CORNERS)])
    document = sound(sound.process(rows=rows(CORNERS)))
    fingerprint = sound._fingerprint("pooled")
    assert document.pooled.sum() == 4

    learner.process(docs=[around(np.array([[100, 0], [200, 0], [300, 0], [400, 0]]))])
    assert sound._fingerprint("pooled") != fingerprint
    for reader in (document, sound(document._id)):  # the instance remembers no old values
        np.testing.assert_array_equal(
            reader.codes, learner().pipeline.transform(np.asarray(reader.rows))
        )
        assert reader.codes.any(axis=0).sum() == 1  # all corners are nearest to one centre now
        assert reader.pooled.sum() == 2


def test_training_with_the_same_data_changes_nothing(learner, sound):
    learner.process(docs=[around(CORNERS)])
    document = sound(sound.process(rows=rows(CORNERS)))
    before, fingerprint = document.pooled, sound._fingerprint("pooled")
    keys = list(sound.database.keys())
    learner.process(docs=[around(CORNERS)[:30], around(CORNERS)[30:]])
    assert sound._fingerprint("pooled") == fingerprint
    np.testing.assert_array_equal(sound(document._id).pooled, before)
    assert list(sound.database.keys()) == keys


def test_going_back_to_an_earlier_training_finds_its_codes_again(learner, sound):
    learner.process(docs=[around(CORNERS)])
    _id = sound.process(rows=rows(CORNERS))
    before, first = sound(_id).pooled, sound._fingerprint("pooled")
    learner.process(docs=[around(CORNERS + 50)])
    sound(_id).pooled
    learner.process(docs=[around(CORNERS)])
    assert sound._fingerprint("pooled") == first
    np.testing.assert_array_equal(sound(_id).pooled, before)


def test_a_fitted_transform_serves_as_well_as_a_model(sound):
    def codes_by(transform):
        return declared(
            sound,
            codes=zounds.ConstantRateTimeSeriesFeature(
                zounds.Learned, learned=transform, needs="rows", store=True
            ),
        )

    near = codes_by(Centroids(CORNERS))
    _id = near.process(rows=rows(CORNERS))
    assert near(_id).codes.tolist() == np.eye(4, dtype=bool).tolist()
    far = codes_by(Pipeline((Centroids(CORNERS[::-1].copy()),)))
    assert far(_id).codes.tolist() == np.eye(4, dtype=bool)[::-1].tolist()
    assert near._fingerprint("codes") != far._fingerprint("codes")
    assert near._fingerprint("codes") == codes_by(Centroids(CORNERS.copy()))._fingerprint("codes")


def test_one_run_keeps_to_what_was_learned_when_it_began(learner):
    learner.process(docs=[around(CORNERS)])
    stage = zounds.Learned(learned=learner()).stream()
    (before,) = stage.step(CORNERS)
    learner.process(docs=[around(CORNERS + np.array([1000, 0]))])
    (after,) = stage.step(CORNERS)
    np.testing.assert_array_equal(before, after)
    assert list(stage.flush()) == []


def test_a_whole_array_and_its_chunks_get_the_same_codes(learner):
    learner.process(docs=[around(CORNERS)])
    node = zounds.Learned(learned=learner())
    examples = rows(around(CORNERS, seed=1))
    stage = node.stream()
    chunks = [code for i in range(0, 80, 7) for code in stage.step(examples[i : i + 7])]
    whole = node(examples)
    assert whole.units == chunks[0].units == (RATE, None)
    np.testing.assert_array_equal(np.concatenate([np.asarray(chunk) for chunk in chunks]), whole)


class NoPipeline(ff.BaseModel):
    docs = ff.Feature(ff.IteratorNode)
    database = ff.InMemoryDatabase()
    id_provider = ff.StaticIdProvider("NoPipeline")


@pytest.mark.parametrize(
    "wrong", [None, 3, "Learner", np.eye(2), NoPipeline(), NoPipeline, Centroids, zounds.UnitNorm]
)
def test_what_has_learned_nothing_is_refused_at_once(wrong):
    with pytest.raises(ff.InvalidParameter, match=r"neither a document of a model.*BfccKmeans\(\)"):
        zounds.Learned(learned=wrong)


def test_the_class_of_a_model_is_not_a_document_of_it(learner):
    with pytest.raises(ff.InvalidParameter, match="neither a document"):
        zounds.Learned(learned=learner)


def test_rows_of_another_width_than_those_learned_from(learner, sound):
    learner.process(docs=[around(CORNERS)])
    with pytest.raises(zounds.LearningError, match="examples have 3 columns, and 2 were learned"):
        sound.process(rows=rows(np.zeros((4, 3))))
