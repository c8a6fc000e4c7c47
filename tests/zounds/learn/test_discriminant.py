import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.linalg
from threadpoolctl import threadpool_limits

from featureflow.codec import decode, encode
from featureflow.errors import InvalidParameter
from featureflow.node import FittingNode, Transform
from zounds.errors import LearningError
from zounds.learn.discriminant import Discriminant, Embedding, Moments, Scatter
from zounds.quality import hits, quality, scores


def kinds(per_kind=20, n_kinds=5, views=4, columns=30, seed=0):
    """Clips of some kinds, and views of them.

    Kinds differ in columns 0 to 4, clips of a kind in 5 to 14, views of a clip in 15 to 29.
    """
    rng = np.random.default_rng(seed)
    count = per_kind * n_kinds
    labels = np.arange(count) % n_kinds
    clips = 0.3 * rng.standard_normal((count, 1, columns))
    clips[:, 0, :5] += 2 * np.eye(n_kinds, 5)[labels]
    clips[:, 0, 5:15] += 3 * rng.standard_normal((count, 10))
    examples = clips + 0.1 * rng.standard_normal((count, 1 + views, columns))
    examples[..., 15:] += 5 * rng.standard_normal((count, 1 + views, columns - 15))
    return examples.astype(np.float32), labels


def learned(examples, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Discriminant(**parameters).fit(examples)


def precision(vectors, labels):
    similar = vectors @ vectors.T
    others = ~np.eye(len(labels), dtype=bool)
    return quality(
        scores(hits(similar[i], labels == labels[i], others[i])) for i in range(len(labels))
    ).mean.precision


def test_protocols():
    assert isinstance(Discriminant(), FittingNode)
    assert isinstance(learned(kinds(2)[0]), Transform)


def test_what_varies_among_views_does_not_count():
    examples, _ = kinds()
    embedding = learned(examples)
    clip = examples[:1, 0]
    other_view, other_clip = clip.copy(), clip.copy()
    other_view[:, 15:] += 5
    other_clip[:, 5:15] += 5
    vector = embedding.transform(clip)[0]
    assert vector @ embedding.transform(other_view)[0] > vector @ embedding.transform(other_clip)[0]


def test_finds_the_kind_where_plain_cosines_do_not():
    examples, labels = kinds(40)
    clips = examples[:, 0]
    standardised = (clips - clips.mean(axis=0)) / clips.std(axis=0)
    plain = standardised / np.linalg.norm(standardised, axis=1, keepdims=True)
    embedded = learned(examples, dimensions=15).transform(clips)
    assert precision(plain, labels) < 0.75
    assert precision(embedded, labels) > 0.9


def test_neighbours_teach_what_views_cannot():
    examples, labels = kinds(40)
    clips = examples[:, 0]
    taught = learned(examples, dimensions=15).transform(clips)
    alone = learned(examples, dimensions=15, neighbours=()).transform(clips)
    assert precision(taught, labels) > precision(alone, labels) + 0.2


def test_more_clips_without_views_take_part_in_the_training():
    examples, labels = kinds(40)
    few, clips = examples[::4], examples[:, 0]
    alone = Discriminant(dimensions=15).fit(few)
    with_others = Discriminant(dimensions=15).fit(few, others=np.delete(clips, np.s_[::4], axis=0))
    alone, together = (precision(one.transform(clips), labels) for one in (alone, with_others))
    assert together > alone + 0.2


def test_directions_are_those_of_the_generalised_eigenproblem():
    examples, _ = kinds(5)
    embedding = learned(examples, dimensions=7)
    rows = examples.reshape(-1, 30).astype(float)
    bent = 1.5 * np.tanh((rows - rows.mean(axis=0)) / rows.std(axis=0) / 1.5)
    groups = bent.reshape(examples.shape)
    total = np.cov(bent.T, bias=True)
    within = np.mean([np.cov(group.T, bias=True) for group in groups], axis=0)
    within += 0.05 * np.trace(within) / 30 * np.eye(30)
    values = np.sort(scipy.linalg.eigvals(np.linalg.solve(within, total)).real)[::-1][:7]
    directions = embedding.directions
    np.testing.assert_allclose(total @ directions, within @ directions * values, atol=1e-9)
    spread = np.sum(directions * (within @ directions), axis=0)
    np.testing.assert_allclose(spread, values**-0.25)


def test_embeds_to_unit_vectors_row_by_row_to_the_bit():
    examples, _ = kinds()
    embedding = learned(examples)
    clips = examples[:, 0]
    vectors = embedding.transform(clips)
    assert (vectors.dtype, vectors.shape) == (np.float32, (100, 64))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    alone = np.concatenate([embedding.transform(clips[i : i + 1]) for i in range(100)])
    np.testing.assert_array_equal(vectors, alone)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_examples_give_the_same_bits(threads):
    examples, _ = kinds(30)
    with threadpool_limits(threads):
        again = learned(examples.copy())
    np.testing.assert_array_equal(again.directions, learned(examples).directions)


def test_is_stored_and_read_again():
    examples, _ = kinds()
    embedding = learned(examples, ignored=(3,))
    again = decode(encode(embedding))
    assert isinstance(again, Embedding)
    clips = examples[:, 0]
    np.testing.assert_array_equal(again.transform(clips), embedding.transform(clips))


def test_ignored_columns_change_nothing():
    examples, _ = kinds(30)
    embedding = learned(examples, ignored=(0, 20))
    clips = examples[:, 0].copy()
    before = embedding.transform(clips)
    clips[:, [0, 20]] = 1e6
    np.testing.assert_array_equal(embedding.transform(clips), before)
    louder = examples.copy()
    louder[..., [0, 20]] += np.arange(150, dtype=np.float32)[:, None, None]
    np.testing.assert_array_equal(learned(louder, ignored=(0, 20)).transform(clips), before)


@pytest.mark.parametrize("clips", [1, 2, 30, 49])
def test_few_clips_are_told_of_and_learned_from(clips):
    examples = kinds(50, n_kinds=1)[0][:clips]
    with pytest.warns(UserWarning, match=f"views of {clips} clips only.*from 50 clips on"):
        embedding = Discriminant().fit(examples)
    vectors = embedding.transform(examples[:, 0])
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)


def test_enough_clips_are_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Discriminant().fit(kinds(10)[0])


@pytest.mark.parametrize("size", [1, 60])
def test_clips_and_views_that_are_all_the_same_embed_to_nothing(size):
    embedding = learned(np.full((size, 5, 330), 0.7, np.float32))
    np.testing.assert_array_equal(embedding.transform(np.full((2, 330), 0.7)), np.zeros((2, 64)))
    assert np.isfinite(embedding.transform(np.arange(330.0)[None])).all()


def test_identical_clips_embed_alike():
    one = kinds(1)[0][:1]
    vectors = learned(np.repeat(one, 80, axis=0)).transform(np.repeat(one[:, 0], 3, axis=0))
    np.testing.assert_array_equal(vectors[0], vectors[2])
    assert np.linalg.norm(vectors[0]) == pytest.approx(1)


def test_views_that_equal_their_clip_leave_what_differs_among_clips():
    examples, _ = kinds()
    vectors = learned(np.repeat(examples[:, :1], 3, axis=1)).transform(examples[:, 0])
    assert np.isfinite(vectors).all()
    assert len(np.unique(vectors, axis=0)) == 100


def test_extreme_descriptors_stay_finite():
    examples, _ = kinds()
    examples[3] = 1e30
    vectors = learned(examples).transform(np.full((1, 30), -3e38, np.float32))
    assert np.isfinite(vectors).all()


def test_a_column_of_rounding_errors_is_a_constant():
    rows = np.full((10, 1), 1000, np.float32)
    rows[3] = np.nextafter(rows[3], np.float32(2000))
    assert Moments.of(rows).deviation.tolist() == [1.0]


def test_moments_add_up():
    rows = 100 + np.random.default_rng(0).standard_normal((50, 4))
    parts = Moments.of(rows[:7]) + Moments.of(rows[7:30]) + Moments.of(rows[30:])
    assert parts.count == 50
    np.testing.assert_allclose(parts.mean, rows.mean(axis=0))
    np.testing.assert_allclose(parts.deviation, rows.std(axis=0))


def test_scatters_add_up():
    groups = np.random.default_rng(0).standard_normal((50, 5, 4)) + 2
    parts = Scatter.of(groups[:20]) + Scatter.of(groups[20:])
    rows = groups.reshape(-1, 4)
    np.testing.assert_allclose(parts.mean, rows.mean(axis=0))
    np.testing.assert_allclose(parts.covariance, np.cov(rows.T, bias=True))
    within = np.mean([np.cov(group.T, bias=True) for group in groups], axis=0)
    np.testing.assert_allclose(parts.covariance_within, within)


@pytest.mark.parametrize("shape", [(0, 5, 3), (10, 1, 3), (10, 3), (10, 5, 0)])
def test_examples_without_views_are_told(shape):
    with pytest.raises(LearningError, match="for each clip its own descriptor and those of one"):
        Discriminant().fit(np.zeros(shape))


def test_a_number_that_is_none_is_told():
    examples, _ = kinds()
    examples[2, 1, 7] = np.nan
    with pytest.raises(LearningError, match="nan in column 7"):
        Discriminant().fit(examples)


def test_other_columns_than_were_learned_from_are_told():
    with pytest.raises(LearningError, match="29 columns, and 30 were learned from"):
        learned(kinds()[0]).transform(np.zeros((1, 29)))
    with pytest.raises(LearningError, match="29 columns, and 30 were learned from"):
        Discriminant().fit(kinds()[0], others=np.zeros((1, 29)))


def test_parameters_are_checked():
    with pytest.raises(InvalidParameter, match="dimensions is 0"):
        Discriminant(dimensions=0)
    with pytest.raises(InvalidParameter, match="a column in ignored is -1"):
        Discriminant(ignored=(-1,))
    with pytest.raises(InvalidParameter, match="a number of neighbours is 0"):
        Discriminant(neighbours=(5, 0))
    with pytest.raises(InvalidParameter, match="column 30 is ignored, and examples have 30"):
        Discriminant(ignored=(30,)).fit(kinds()[0])


def test_what_is_learned_does_not_depend_on_what_was_loaded_before():
    program = (
        "import sys, numpy as np, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "exec(sys.argv[1])\n"
        "from zounds.learn.discriminant import Discriminant\n"
        "views = np.random.default_rng(0).standard_normal((200, 3, 330))\n"
        "print(Discriminant().fit(views).directions.tobytes().hex()[:4000])\n"
    )
    before = ("pass", "import scipy.linalg, sklearn.cluster", "import threadpoolctl")
    found = {
        subprocess.run([sys.executable, "-c", program, one], capture_output=True, check=True).stdout
        for one in before
    }
    assert len(found) == 1
