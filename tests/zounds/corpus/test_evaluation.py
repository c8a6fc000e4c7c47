"""How good a search is: labels, and scores that a few lines of numpy give as well."""

import csv
import json

import numpy as np
import pytest

import featureflow as ff
import zounds
from zounds.corpus.evaluation import Judge, labels_of
from zounds.quality import Scores

WAYS = [
    "chance",
    "20 MFCC, mean and deviation",
    "the article's pipeline",
    "timbre, codes alone",
    "timbre",
]


def documents(corpus):
    return [outcome for outcome in corpus.outcomes() if outcome.is_document]


def kind_of(name):
    return name.rpartition("_")[0]


@pytest.fixture(scope="module")
def evaluation(notes):
    return notes.evaluate(workers=1)


def scores_of(rankings, kinds):
    """The mean over queries; a ranking has the kinds of all other sounds."""
    table = []
    for kind, ranking in zip(kinds, rankings, strict=True):
        right = np.array([other == kind for other in ranking])
        count = right.sum()
        average = np.mean([right[: place + 1].mean() for place in np.flatnonzero(right)])
        table.append((right[:10].mean(), right[:count].mean(), average))
    return Scores(*np.mean(table, axis=0))


def assert_equal(made, expected):
    for name in ("precision", "r_precision", "average_precision"):
        assert getattr(made, name) == pytest.approx(getattr(expected, name), abs=1e-9), name


# ---------------------------------------------------------------------------- scores


def test_ways_are_listed_from_chance_to_the_best(evaluation, notes):
    assert (evaluation.sounds, evaluation.queries, evaluation.alone) == (60, 60, 0)
    assert [way.name for way in evaluation.ways] == WAYS
    assert [way.bytes for way in evaluation.ways] == [None, 40, 16, 16, 80]
    best = evaluation.ways[-1].scores
    assert best.r_precision > 0.95
    for way in evaluation.ways[:3]:
        assert best.precision > way.scores.precision + 0.3
    kinds = {kind_of(outcome.name) for outcome in documents(notes)}
    assert evaluation.kinds.keys() == kinds
    mean = np.mean([scores.precision for scores in evaluation.kinds.values()])
    assert mean == pytest.approx(best.precision)


@pytest.mark.parametrize(("way", "rerank"), [("timbre", True), ("timbre, codes alone", False)])
def test_the_scores_are_those_of_what_a_search_finds(evaluation, notes, way, rerank):
    rankings, kinds = [], []
    for outcome in documents(notes):
        hits = notes.search(outcome.id, 99, rerank=rerank)
        rankings.append([kind_of(hit.name) for hit in hits if hit.id != outcome.id])
        kinds.append(kind_of(outcome.name))
    (made,) = (one.scores for one in evaluation.ways if one.name == way)
    # codes that are equally near may stand in another order
    tolerance = 1e-9 if rerank else 0.02
    expected = scores_of(rankings, kinds)
    assert made.precision == pytest.approx(expected.precision, abs=tolerance)
    assert made.average_precision == pytest.approx(expected.average_precision, abs=tolerance)


def test_the_scores_of_plain_mfcc_are_those_of_numpy(evaluation, notes):
    outcomes = documents(notes)
    rows = np.array([np.asarray(notes[o.id].clip_timbre)[0, :40] for o in outcomes], float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    kinds = [kind_of(outcome.name) for outcome in outcomes]
    rankings = []
    for query in range(len(rows)):
        order = np.argsort(-(rows @ rows[query]), kind="stable")
        rankings.append([kinds[place] for place in order if place != query])
    made = evaluation.ways[1].scores
    # there, each number is a byte
    assert made.precision == pytest.approx(scores_of(rankings, kinds).precision, abs=0.02)


def test_chance_is_the_share_of_the_kind(evaluation):
    assert evaluation.ways[0].scores.precision == pytest.approx(9 / 59)
    assert evaluation.ways[0].scores.r_precision == pytest.approx(9 / 59)


def test_a_corpus_of_the_article_is_judged_beside_the_same_ways(tmp_path, notes):
    corpus = zounds.Corpus(tmp_path / "corpus", preset="post")
    corpus.add(notes.path.parent / "sounds", workers=1)
    corpus.learn()
    corpus.index(workers=1)
    before = sorted(corpus.path.rglob("*"))
    told = []
    made = corpus.evaluate(workers=1, progress=told.append)
    assert [way.name for way in made.ways] == WAYS
    assert made.ways[-1].scores.r_precision > 0.95
    assert sorted(corpus.path.rglob("*")) == before
    assert {"studying", "coding"} <= {progress.task for progress in told}


def test_few_sounds_are_judged_without_the_article(tmp_path, save):
    for seed in range(4):
        save(tmp_path / "sounds" / f"{seed % 2}" / f"{seed}.wav", seed, seconds=0.2)
    save(tmp_path / "sounds" / "alone" / "4.wav", 4, seconds=0.2)
    corpus = zounds.Corpus(tmp_path / "corpus")
    corpus.add(tmp_path / "sounds", workers=1)
    corpus.learn(workers=1)
    corpus.index(workers=1)
    made = corpus.evaluate(workers=1)
    assert [way.name for way in made.ways] == [name for name in WAYS if "article" not in name]
    assert (made.sounds, made.queries, made.alone) == (5, 4, 1)
    assert json.loads(json.dumps(made.record()))["ways"][-1]["name"] == "timbre"
    for way in made.ways:
        assert 0 <= way.scores.precision <= 1


def test_the_record_is_plain_values(evaluation):
    record = json.loads(json.dumps(evaluation.record()))
    assert record["queries"] == 60
    assert record["ways"][-1]["scores"]["precision"] == evaluation.ways[-1].scores.precision
    assert record["kinds"]["organ"]["r_precision"] == evaluation.kinds["organ"].r_precision


def test_there_may_be_fewer_queries_than_sounds(notes):
    labels = {o.id: kind_of(o.name) for o in documents(notes)}
    one, again = (notes.evaluate(labels, queries=7, seed=1, workers=1) for _ in range(2))
    assert (one.sounds, one.queries) == (60, 7)
    assert one == again


# ---------------------------------------------------------------------------- what is judged


@pytest.mark.parametrize("queries", [0, -1, 1.5, True, "3"])
def test_a_number_of_queries_that_cannot_be_is_refused(notes, queries):
    with pytest.raises(zounds.SearchError, match="queries=.*: give a whole number, 1 or more"):
        notes.evaluate(queries=queries)


def test_what_has_no_index_cannot_be_judged(corpus, sounds):
    with pytest.raises(zounds.SearchError, match="holds no sounds yet"):
        corpus.evaluate()
    corpus.add(sounds, workers=1)
    with pytest.raises(zounds.SearchError, match=r"call learn\(\) and index\(\)"):
        corpus.evaluate()


def test_a_kind_of_one_is_no_query_and_no_two_of_a_kind_are_an_error(notes):
    outcomes = documents(notes)
    with pytest.raises(zounds.SearchError, match="no two of 60 sounds have the same label"):
        notes.evaluate({o.id: o.name for o in outcomes})
    with pytest.raises(zounds.SearchError, match="all sounds have the label 'x', and every search"):
        notes.evaluate({o.id: "x" for o in outcomes})
    judge = Judge(["a", "b", "a", "c"], queries=99, seed=0)
    assert (judge.queries, judge.alone) == ([0, 2], 2)


@pytest.mark.parametrize("seed", range(5))
def test_a_judge_gives_what_numpy_gives(seed):
    random = np.random.default_rng(seed)
    labels = [f"{label}" for label in random.integers(0, 5, 40)]
    similarity = random.random((40, 40))
    judge = Judge(labels, queries=99, seed=0)
    judged = judge.judged(lambda query: similarity[query])
    kinds = [labels[query] for query in judge.queries]
    rankings = [
        [labels[i] for i in np.argsort(-similarity[query]) if i != query] for query in judge.queries
    ]
    table = [scores_of([r], [k]) for r, k in zip(rankings, kinds, strict=True)]
    for made, expected in zip(judged.values(), table, strict=True):
        assert_equal(made, expected)
    for kind, scores in judge.kinds(judged).items():
        own = [t.precision for t, k in zip(table, kinds, strict=True) if k == kind]
        assert scores.precision == pytest.approx(np.mean(own))


def test_queries_are_drawn_by_a_seed_among_those_with_company():
    labels = [f"{number // 2}" for number in range(100)] + ["alone"]
    drawn = [Judge(labels, 10, seed).queries for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(len(set(queries)) == 10 and max(queries) < 100 for queries in drawn)


# ---------------------------------------------------------------------------- labels


def test_labels_are_the_names_of_folders(notes):
    labels = labels_of(documents(notes), None)
    assert labels == {o.id: kind_of(o.name) for o in documents(notes)}


def test_members_of_archives_are_labelled_by_their_folders(tmp_path, sounds):
    import zipfile

    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for number in range(2):
            archive.write(sounds / "a.wav", f"kicks/{number}.wav")
    corpus = zounds.Corpus(tmp_path / "corpus")
    corpus.add(tmp_path / "set.zip", workers=1)
    assert set(labels_of(documents(corpus), None).values()) == {"kicks"}


NAMINGS = {
    "id": lambda outcome: outcome.id,
    "uri": lambda outcome: outcome.uri,
    "path": lambda outcome: str(outcome.path),
    "name": lambda outcome: outcome.name,
}


@pytest.mark.parametrize("column", NAMINGS)
def test_labels_are_given_by_whatever_names_a_sound(notes, tmp_path, column):
    given = {NAMINGS[column](o): o.name[-5] for o in documents(notes)[::2]}
    expected = {o.id: o.name[-5] for o in documents(notes)[::2]}
    assert labels_of(documents(notes), given) == expected
    for encoding in ("utf-8", "utf-8-sig"):  # as spreadsheets write it
        with (tmp_path / "labels.csv").open("w", encoding=encoding, newline="") as file:
            table = csv.writer(file)
            table.writerow(["remark", "label", column])
            table.writerows(["", label, name] for name, label in given.items())
            table.writerow(["of nobody", "x", "no such sound"])
            table.writerow(["without a label", "", documents(notes)[1].name])
        assert labels_of(documents(notes), tmp_path / "labels.csv") == expected
        assert labels_of(documents(notes), str(tmp_path / "labels.csv")) == expected


def test_paths_in_labels_may_be_relative(notes, monkeypatch):
    monkeypatch.chdir(notes.path.parent)
    monkeypatch.setenv("HOME", str(notes.path.parent))
    for path in ("sounds/reed/reed_3.wav", "~/sounds/reed/reed_3.wav"):
        assert list(labels_of(documents(notes), {path: "x"}).values()) == ["x"]


def test_a_table_as_it_was_exported_needs_a_label_only(notes, tmp_path):
    from zounds.corpus.export import export_csv

    export_csv(notes, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (tmp_path / "b.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, [*rows[0], "label"])
        table.writeheader()
        table.writerows({**row, "label": kind_of(row["name"])} for row in rows)
    made = notes.evaluate(tmp_path / "b.csv", queries=5, workers=1)
    assert (made.sounds, made.queries) == (60, 5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name,kind\na.wav,x\n", "has the columns name, kind: give a header with 'label' and"),
        (b"label\nx\n", "has the columns label: give a header"),
        (b"", r"has the columns \(none\): give a header"),
        (b"name,label\nnothing.wav,x\n", "no sound of the corpus is named in it: give ids, paths"),
        (b"name,label\n", "no sound of the corpus is named in it"),
        (b"name,label\n\xff\xfe,x\n", "cannot be read as a table"),
        (None, "there is no file"),
    ],
)
def test_a_table_that_labels_nothing_is_refused(notes, tmp_path, content, message):
    path = tmp_path / "labels.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ff.InvalidParameter, match=message) as raised:
        notes.evaluate(path)
    assert str(path) in str(raised.value)


def test_a_name_of_several_sounds_is_refused(tmp_path, save):
    for kind in ("x", "y"):
        save(tmp_path / "sounds" / kind / "a.wav", 1)
    corpus = zounds.Corpus(tmp_path / "corpus")
    corpus.add(tmp_path / "sounds", workers=1)
    with pytest.raises(ff.InvalidParameter, match=r"'a\.wav' is the name of 2 sounds: give paths"):
        labels_of(documents(corpus), {"a.wav": "x"})
    path = tmp_path / "sounds" / "x" / "a.wav"
    assert list(labels_of(documents(corpus), {str(path): "x"}).values()) == ["x"]


def test_labels_of_nothing_are_refused(notes):
    with pytest.raises(ff.InvalidParameter, match="the labels: no sound of the corpus is named"):
        notes.evaluate({"nobody": "x"})
