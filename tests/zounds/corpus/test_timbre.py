"""The preset that compares timbre: how well it tells kinds of sounds apart, and how surely."""

import numpy as np
import pytest

import featureflow as ff
import zounds
from zounds.corpus.export import export_npz
from zounds.corpus.presets import preset


def model_of(base, database=None):
    database = database or ff.InMemoryDatabase()
    return type("Model", (base,), {"database": database, "__doc__": "For a test."})


@pytest.fixture(scope="module")
def sounds(make):
    """A model of nine sounds."""
    model = model_of(preset("timbre").sounds())
    for seed in range(9):
        model.process(_id=f"{seed}", meta=zounds.encode(make(seed, 0.6), "wav"))
    return model


def learned_from(documents):
    return preset("timbre").learn(documents, 0)


def kind_and_number(name):
    kind, _, number = name.removesuffix(".wav").rpartition("_")
    return kind, int(number)


def share_of_the_right_kind(corpus, apart, depth, unit="clip"):
    """Of the first sounds that are at least so many notes from the query, how many are right."""
    shares = []
    for document in corpus:
        kind, number = kind_and_number(document._name)
        hits = corpus.search(document, 999, unit=unit)
        names = [kind_and_number(hit.name) for hit in hits if hit.id != document._id]
        right = [k == kind for k, n in names if abs(n - number) >= apart]
        shares.append(np.mean(right[: min(depth, sum(right))]))
    return np.mean(shares)


@pytest.mark.parametrize(("unit", "share"), [("clip", 0.95), ("segment", 0.85)])
@pytest.mark.parametrize("apart", [0, 2, 4])
def test_the_same_instrument_is_found_also_at_other_pitches(notes, unit, share, apart):
    """By chance it would be a sixth; 4 notes are an octave."""
    assert share_of_the_right_kind(notes, apart, 10, unit) > share


def test_kinds_are_found_far_better_than_by_the_article(notes):
    post = zounds.Corpus(notes.path.parent / "post", preset="post")
    post.add(notes.path.parent / "sounds", workers=1)
    post.learn()
    post.index(workers=1)
    assert share_of_the_right_kind(post, 2, 10) < 0.5
    assert share_of_the_right_kind(notes, 2, 10) > 0.95


def test_the_same_sounds_and_seed_give_the_same_bytes_whoever_does_the_work(tmp_path, save):
    for seed in range(12):
        save(tmp_path / "sounds" / f"{seed}.wav", seed, seconds=0.3)
    made = []
    for name, workers, seed in (("a", 1, 0), ("b", 2, 0), ("c", 1, 1)):
        corpus = zounds.Corpus(tmp_path / name)
        corpus.add(tmp_path / "sounds", workers=workers)
        corpus.learn(seed=seed, workers=workers)
        corpus.index(workers=workers)
        export_npz(corpus, tmp_path / f"{name}.npz")
        layers = corpus._home.indexed().space.clips.values()
        vectors = b"".join(layer.vectors.tobytes() for layer in layers)
        made.append((vectors, (tmp_path / f"{name}.npz").read_bytes()))
    assert made[0] == made[1]
    assert made[0][0] != made[2][0]


def test_few_sounds_are_learned_from_with_a_warning(tmp_path, save):
    for seed in range(3):
        save(tmp_path / "sounds" / f"{seed}.wav", seed)
    corpus = zounds.Corpus(tmp_path / "corpus")
    corpus.add(tmp_path / "sounds", workers=1)
    with pytest.warns(
        UserWarning, match="views of 3 clips only: .* will be better from 50 clips on"
    ):
        corpus.learn(workers=1)
    assert corpus.index(workers=1) == 3


def test_nothing_to_learn_from_is_told():
    with pytest.raises(zounds.LearningError, match="there are no sounds to learn from: add"):
        learned_from([])


def test_a_sound_that_cannot_be_read_is_left_out_with_a_warning(sounds):
    studied = model_of(preset("timbre").study(0), sounds.database)
    expected = learned_from([studied(f"{seed}") for seed in range(9) if seed != 4])
    store = sounds.database
    part = next(k for k in store.keys("values/4/") if "/clip_timbre/" in k)
    before = store.read(part)
    store.write({part: b"damaged"})
    with pytest.warns(UserWarning, match="is not learned from"):
        learned = learned_from(list(studied))
    store.write({part: before})
    rows = np.random.default_rng(0).standard_normal((50, 330))
    # the others are drawn in another order, which decides how sums are rounded
    apart = learned.transform(rows) - expected.transform(rows)
    assert np.abs(apart).max() <= 1e-5


def test_a_sound_is_64_numbers_that_do_not_depend_on_the_level(sounds):
    studied = model_of(preset("timbre").study(0), sounds.database)
    learned = learned_from(list(studied))
    coded = model_of(preset("timbre").coded(learned), sounds.database)
    for document in coded:
        assert (document.clip.dtype, document.clip.shape) == (np.float32, (1, 64))
        louder = np.asarray(document.clip_timbre).copy()
        louder[:, [0, 98]] += 226  # by 20 dB
        np.testing.assert_array_equal(learned.transform(louder), document.clip)


def test_more_sounds_than_there_are_views_of_take_part_in_the_pairs(monkeypatch):
    timbre = type(preset("timbre"))()
    monkeypatch.setattr(timbre, "viewed", 60, raising=False)

    class Document:
        def __init__(self, seed):
            random = np.random.default_rng(seed)
            kind = np.random.default_rng(seed % 4).standard_normal((1, 330))
            self.clip_timbre = (3 * kind + random.standard_normal((1, 330))).astype("f4")
            self.seed = seed

        @property
        def views(self):
            seen.add(self.seed)
            return self.clip_timbre + np.random.default_rng(9).standard_normal((4, 330))

    seen = set()
    documents = [Document(seed) for seed in range(90)]
    learned = timbre.learn(documents, 0)
    assert seen == set(timbre.studied(90, 0))
    assert len(seen) == 60
    of_these = [documents[place] for place in timbre.studied(90, 0)]
    rows = np.concatenate([document.clip_timbre for document in documents])
    assert (learned.transform(rows) != timbre.learn(of_these, 0).transform(rows)).any()
