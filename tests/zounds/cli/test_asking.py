"""What searches may be told, and how good they are: `zounds search` and `zounds eval`."""

import csv
import shutil
import zipfile

import pytest

import zounds


@pytest.fixture
def query(sounds):
    return sounds / "odd_2.wav"


@pytest.fixture
def kinds(sounds, tmp_path):
    """A table of what kind the sounds are, one of which has an odd name."""
    with (tmp_path / "kinds.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label"])
        for path in sorted(sounds.glob("*_*.wav")):
            table.writerow([path, path.name.partition("_")[0].replace("odd", "[red]odd")])
    return tmp_path / "kinds.csv"


def found(searched):
    return [(hit.id, hit.distance, hit.score) for hit in searched]


def printed(done):
    assert done.code == 0, done
    return [(hit["id"], hit["distance"], hit["score"]) for hit in done.json["hits"]]


# ---------------------------------------------------------------------------- search


def test_bits_only_ranks_by_the_bits_that_differ(call, indexed, query):
    hits = printed(call("search", query, "--bits-only", "-n", 14, "--json", corpus=indexed))
    assert len(hits) == 14
    distances = [distance for _, distance, _ in hits]
    assert distances == sorted(distances)
    corpus = zounds.Corpus(indexed)
    assert hits == found(corpus.search(query, n_results=14, rerank=False))
    vectors = printed(call("search", query, "-n", 14, "--json", corpus=indexed))
    assert [score for *_, score in vectors] != [score for *_, score in hits]


def test_copies_are_compared_in_a_way_of_their_own(call, indexed, query):
    same = call("search", query, "--like", "same", "-n", 5, "--json", corpus=indexed)
    assert printed(same) == found(zounds.Corpus(indexed).search(query, n_results=5, like="same"))
    assert same.json["hits"][0]["path"] == str(query)
    kind = call("search", query, "--like", "kind", "-n", 5, "--json", corpus=indexed)
    assert printed(kind) == printed(call("search", query, "-n", 5, "--json", corpus=indexed))
    assert same.json["code"] != kind.json["code"]


def test_hits_are_like_several_sounds_and_unlike_others(call, indexed, sounds, query):
    bright, pure, other = (sounds / f"{name}.wav" for name in ("bright_2", "pure_2", "bright_6"))

    def ranks(*options):
        done = call("search", query, "-n", 14, *options, "--json", corpus=indexed).json
        return [hit["path"] for hit in done["hits"]].index

    alone, more = ranks(), ranks("--more", bright, "--more", other)
    assert more(str(bright)) < alone(str(bright))
    assert more(str(other)) < alone(str(other))
    assert ranks("--more", bright, "--less", other)(str(other)) > more(str(other))
    options = ("--more", bright, "--less", pure, "--less", other)
    hits = printed(call("search", query, *options, "--json", corpus=indexed))
    corpus = zounds.Corpus(indexed)
    assert hits == found(corpus.search(query, more=[bright], less=[pure, other]))


def test_what_is_liked_is_named_in_every_way_that_a_query_is(call, copied, tmp_path, query, serve):
    with zipfile.ZipFile(tmp_path / "kit.zip", "w") as archive:
        archive.write(query.with_name("bright_2.wav"), "snare.wav")
    with serve(tmp_path) as url:
        call("index", f"{url}/kit.zip", "--workers", 1, corpus=copied)
    hits = [
        printed(call("search", query, "--more", sound, "--json", corpus=copied))
        for sound in (f"{url}/kit.zip/snare.wav", query.with_name("bright_2.wav"))
    ]
    assert hits[0] == hits[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--more", "nowhere.wav"), "'nowhere.wav' is no sound to search with"),
        (("--less", ""), "'' is no sound to search with"),
        (("--like", "same", "--less", "a.wav"), "several sounds are compared by kind"),
    ],
)
def test_what_cannot_be_liked_is_one_line(call, indexed, query, in_folder, options, said):
    done = call("search", query, *options, corpus=indexed)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"zounds: {said}")
    assert done.err.count("\n") == 1


# ---------------------------------------------------------------------------- eval


def test_the_quality_is_a_table_for_people_and_numbers_for_programs(call, indexed, kinds):
    judged = call("eval", "--labels", kinds, "--workers", 1, "--json", corpus=indexed).json
    assert (judged["sounds"], judged["queries"], judged["alone"]) == (12, 12, 0)
    assert set(judged["kinds"]) == {"bright", "[red]odd", "pure"}
    assert judged["ways"][0]["name"] == "chance"
    best = judged["ways"][-1]
    assert best["name"] == "timbre"
    # four of each kind: of the eleven others, three are right
    assert judged["ways"][0]["scores"]["precision"] == pytest.approx(3 / 11)
    assert best["scores"]["average_precision"] > 0.6

    done = call("eval", "--labels", kinds, "--workers", 1, corpus=indexed)
    assert done.code == 0, done
    first, header, *rows = done.out.splitlines()
    assert first == "12 sounds of 3 kinds, 12 of them searched for"
    assert header.split() == ["bytes", "P@10", "R-precision", "mAP"]
    names = ("precision", "r_precision", "average_precision")
    expected = [(way["name"], way["scores"]) for way in judged["ways"]]
    # those that are found worst come first
    expected += sorted(judged["kinds"].items(), key=lambda item: item[1]["precision"])
    for row, (name, scores) in zip(rows, expected, strict=True):
        assert row.strip().startswith(name)
        assert row.split()[-3:] == [f"{scores[key]:.3f}" for key in names]


def test_a_few_sounds_may_be_searched_for_which_a_seed_draws(call, indexed, kinds):
    command = ("eval", "--labels", kinds, "--queries", 3, "--workers", 1, "--json")
    once, again, other = (call(*command, "--seed", s, corpus=indexed).json for s in (1, 1, 2))
    assert (once["sounds"], once["queries"]) == (12, 3)
    assert once == again != other


def test_labels_that_judge_nothing_are_one_line_and_no_work(call, indexed, sounds, tmp_path):
    said = {
        (): "zounds: all sounds have the label 'sounds', and every search finds only these",
        ("--labels", tmp_path / "nothing.csv"): f"zounds: there is no file {tmp_path}/nothing.csv",
    }
    for options, why in said.items():
        done = call("eval", *options, corpus=indexed)
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith(why)  # and nothing is said of sounds that were read
        assert done.err.count("\n") == 1


# ---------------------------------------------------------------------------- which sounds


def names(done):
    assert done.code == 0, done
    return sorted(hit["name"] for hit in done.json["hits"])


def test_only_sounds_that_are_wanted_are_found(call, indexed, query, sounds):
    def search(*options):
        return call("search", query, "-n", 99, "--json", *options, corpus=indexed)

    every = names(search())
    assert names(search("--others")) == [name for name in every if name != query.name]
    odd = [name for name in every if name.startswith("odd")]
    assert names(search("--text", "ODD")) == names(search("--text", "odd_ .wav")) == odd
    assert names(search("--folder", sounds)) == names(search("--folder", "sounds")) == every
    assert names(search("--folder", "elsewhere", "--folder", sounds)) == every
    corpus = zounds.Corpus(indexed)
    lengths = {outcome.name: outcome.seconds for outcome in corpus.outcomes()}
    middle = sorted(lengths[name] for name in every)[len(every) // 2]
    longer = [name for name in every if lengths[name] >= middle]
    assert names(search("--seconds", f"{middle:.6f}..")) == longer
    shorter = [name for name in every if lengths[name] <= middle]
    assert names(search("--seconds", f"..{middle:.6f}")) == shorter
    assert names(search("--samplerate", 44100, "--channels", 1, "--channels", 2)) == every


def test_where_nothing_passes_it_is_told(call, indexed, query):
    done = call("search", query, "--samplerate", 8000, corpus=indexed)
    assert (done.code, done.out) == (0, "")
    assert done.err == "zounds: no sound passes Where(samplerate=8000.0)\n"
    done = call("random", "--text", "tuba", corpus=indexed)
    assert done.code == 1
    assert "holds no sound that passes Where(text='tuba')" in done.err


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--seconds", "2", "--seconds 2: give the shortest and the longest"),
        ("--seconds", "..", "--seconds ..: give the shortest"),
        ("--seconds", "a..b", "--seconds a..b: give the shortest"),
        ("--seconds", "2..1", "none is that long; give the lower one first"),
        ("--seconds", "nan..", "give numbers of 0 or more"),
        ("--samplerate", "-1", "Invalid value for '--samplerate'"),
        ("--channels", "x", "Invalid value for '--channels'"),
        ("--folder", "", "one is empty"),
    ],
)
def test_what_cannot_be_wanted_is_refused(call, indexed, query, option, value, said):
    for command in (("search", query), ("random",), ("export", "csv", "-")):
        done = call(*command, option, value, corpus=indexed)
        assert (done.code, done.out) == (2, "")
        assert said in " ".join(done.err.replace("\u2502", " ").split())


def test_some_of_the_sounds_are_shown_at_random_and_exported(call, indexed, in_folder):
    for seed in range(5):
        done = call("random", "--text", "pure", "--seed", seed, "--json", corpus=indexed).json
        named = [done["sound"]["name"], *(hit["name"] for hit in done["hits"])]
        assert len(named) == len(set(named)) == 4
        assert all(name.startswith("pure") for name in named)
    call("export", "some.csv", "--text", "bright", corpus=indexed)
    with open("some.csv", newline="") as file:
        exported = [row["name"] for row in csv.DictReader(file)]
    assert exported == sorted(exported)
    assert {name.partition("_")[0] for name in exported} == {"bright"}


# ---------------------------------------------------------------------------- duplicates


def test_duplicates_are_listed_in_groups_and_kept(call, copied, query, tmp_path):
    copy = shutil.copy(query, tmp_path / "copy [bold].wav")
    call("index", copy, "--workers", 1, corpus=copied)
    listed = call("duplicates", "--json", corpus=copied).json
    assert listed["distance"] == 0
    paths = [[one["path"] for one in group] for group in listed["groups"]]
    (group,) = (group for group in paths if str(copy) in group)
    assert set(group) == {str(query), str(copy)}
    lines = call("duplicates", corpus=copied).out.splitlines()
    fields = [line.split("\t") for line in lines]
    assert [path for *_, path in fields] == [path for group in paths for path in group]
    assert {number for number, *_ in fields} == {str(n + 1) for n in range(len(paths))}
    assert {bits for _, bits, *_ in fields} == {"0"}
    assert query.exists()


def test_duplicates_are_a_table_for_people(call, copied, query, tmp_path, monkeypatch):
    copy = shutil.copy(query, tmp_path / "copy [bold].wav")
    call("index", copy, "--workers", 1, corpus=copied)
    monkeypatch.setattr("zounds.cli.printing.to_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "300")
    done = call("duplicates", corpus=copied)
    header, *rows, said = done.out.splitlines()
    assert header.split() == ["bits", "seconds", "sound"]
    assert sum(row.rstrip().endswith((str(query), str(copy))) for row in rows) == 2
    assert said.endswith("groups")


def test_a_distance_below_0_is_refused(call, indexed):
    assert call("duplicates", "--distance", -1, corpus=indexed).code == 2
