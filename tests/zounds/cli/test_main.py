"""The commands: what they print, for people and for programs, and what they leave behind."""

import csv
import json
import os
import re
import shutil
import zipfile

import numpy as np
import pytest

import zounds


@pytest.fixture
def query(sounds):
    return sounds / "bright_2.wav"


def test_indexing_reports_what_became_of_each_file(indexed, sounds):
    report = json.loads((sounds.parent / "index.json").read_text())
    assert (report["ok"], report["skipped"], report["others"]) == (13, 0, 1)
    assert [outcome["name"] for outcome in report["failed"]] == ["broken.wav"]
    assert [outcome["name"] for outcome in report["partial"]] == ["short.wav"]
    assert report["indexed"] == 14
    assert report["learned"] is True
    few, line = (sounds.parent / "index.err").read_text().splitlines()
    assert few.startswith("zounds: warning: learned from views of 14 clips")
    assert re.fullmatch(r"zounds: reading: 15/15 files, .*x real time, 1 failed", line)


def test_indexing_again_skips_what_is_there(call, copied, sounds):
    done = call("index", sounds, "--workers", 1, corpus=copied)
    assert done.code == 0
    assert done.out.startswith("0 ok, 14 skipped, 0 partial, 1 failed\n")
    assert f"failed: {sounds}/broken.wav: " in done.out
    assert "14 sounds can be searched" in done.out


def test_strict_indexing_says_that_something_failed(call, copied, sounds):
    assert call("index", sounds, "--strict", "--workers", 1, corpus=copied).code == 3


def test_nothing_but_failures_is_an_error(call, tmp_path):
    done = call("index", tmp_path / "nothing", "--json", corpus=tmp_path / "corpus")
    assert done.code == 1
    assert [outcome["status"] for outcome in done.json["failed"]] == ["failed"]


def test_of_many_failures_twenty_are_listed(call, tmp_path):
    for number in range(23):
        (tmp_path / f"{number}.wav").write_bytes(b"none")
    done = call("index", tmp_path, "--workers", 1, corpus=tmp_path / "corpus")
    assert done.out.count("failed: ") == 20
    assert "… and 3 more: zounds info --failed" in done.out


def test_too_few_sounds_stay_and_the_report_says_how_many_more_it_takes(call, tmp_path, query):
    shutil.copy(query, tmp_path / "a.wav")
    corpus = tmp_path / "corpus"
    alone = ("index", tmp_path / "a.wav", "--preset", "post", "--workers", 1, "--json")
    done = call(*alone, corpus=corpus)
    assert done.code == 0
    assert (done.json["ok"], done.json["indexed"], done.json["learned"]) == (1, 0, False)
    (note,) = done.json["notes"]
    more = int(re.search(r"at least (\d+) more", note)[1])
    assert more == 2  # a second and a fifth has 51 frames, of the 128 that are needed

    searched = call("search", query, corpus=corpus)
    assert searched.code == 1
    assert "zounds index" in searched.err
    for number in range(more):
        shutil.copy(query.parent / f"odd_{2 * number}.wav", tmp_path)
    assert call("index", tmp_path, "--workers", 1, "--json", corpus=corpus).json["indexed"] == 3


def test_sounds_that_are_all_the_same_are_told_in_words_of_the_command(call, tmp_path, query):
    for number in range(4):
        zounds.save(
            zounds.AudioSamples(np.zeros(60_000, np.float32), 44100), tmp_path / f"{number}.wav"
        )
    command = ("index", tmp_path, "--preset", "post", "--workers", 1, "--json")
    (note,) = call(*command, corpus=tmp_path / "corpus").json["notes"]
    assert "4 sounds are too few or too much alike; index more" in note
    assert "centroids" not in note


def test_what_was_learned_from_very_few_is_learned_anew_from_more(
    call, tmp_path, sounds, wav_files
):
    few = sorted(wav_files.iterdir())[:3]
    corpus = tmp_path / "corpus"
    for sources, learned in ((few, True), (few, False), ([sounds], True), ([sounds], False)):
        done = call("index", *sources, "--workers", 1, "--json", corpus=corpus).json
        assert (done["learned"], done["notes"]) == (learned, [])
    assert done["indexed"] == 17


def test_a_corpus_that_has_grown_is_told_to_learn_anew(call, tmp_path):
    corpus, random = tmp_path / "corpus", np.random.default_rng(0)
    few, many = tmp_path / "many" / "few", tmp_path / "many"
    few.mkdir(parents=True)
    for number in range(200):
        noise = random.uniform(-0.5, 0.5, 2205).astype(np.float32)
        folder = few if number < 50 else many
        zounds.save(zounds.AudioSamples(noise, 22050), folder / f"{number}.wav")
    command = ("--preset", "post", "--workers", 1, "--json")
    assert call("index", few, *command, corpus=corpus).json["notes"] == []
    grown = call("index", many, *command, corpus=corpus).json
    assert (grown["indexed"], grown["learned"]) == (200, False)
    (note,) = grown["notes"]
    assert "learned from 50 sounds, and there are 200 now: zounds index --learn" in note
    again = call("index", many, "--learn", *command, corpus=corpus).json
    assert (again["learned"], again["notes"]) == (True, [])


def test_a_search_prints_lines_that_other_programs_read(call, indexed, query):
    done = call("search", query, "-n", 9, corpus=indexed)
    rows = [line.split("\t") for line in done.out.splitlines()]
    assert len(rows) == 9
    assert ["1.0000", "0.000", str(query)] in [[row[0], row[1], row[3]] for row in rows]
    scores = [float(row[0]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert all(row[3].startswith(str(query.parent)) for row in rows)


def test_a_search_as_json_gives_a_code_that_can_be_searched_with(call, indexed, query):
    done = call("search", query, "--json", "-n", 3, corpus=indexed).json
    assert done["hits"][0]["distance"] == 0
    again = call("search", done["code"], "--json", "-n", 3, corpus=indexed).json
    assert again["hits"] == done["hits"]
    by_id = call("search", done["hits"][0]["id"], "--json", "-n", 3, corpus=indexed).json
    assert by_id["code"] == done["code"]


def test_a_search_for_moments_says_where_they_are(call, indexed, query):
    one = call(
        *("search", query, "--start", 0.7, "--unit", "segment", "-n", 40, "--json"), corpus=indexed
    ).json
    every = call(
        *("search", query, "--start", 0.7, "--unit", "segment", "-n", 40, "--json"),
        *("--per-file", 0),
        corpus=indexed,
    ).json
    assert len(one["hits"]) == 14
    assert len(every["hits"]) > 14
    own = [hit for hit in every["hits"] if hit["path"] == str(query)]
    assert round(own[0]["start"], 1) == 0.7


def test_a_random_sound_is_the_same_for_the_same_seed_and_not_near_itself(call, indexed):
    once = call("random", "--seed", 5, "-n", 3, "--json", corpus=indexed).json
    assert call("random", "--seed", 5, "-n", 3, "--json", corpus=indexed).json == once
    assert len(once["hits"]) == 3
    assert once["sound"]["id"] not in {hit["id"] for hit in once["hits"]}
    lines = call("random", "--seed", 5, "-n", 3, corpus=indexed).out.splitlines()
    assert lines[0].startswith("1.0000\t0.000\t")
    assert len(lines) == 4


def test_the_corpus_may_be_named_before_the_command_too(call, indexed, tmp_path):
    assert call("--corpus", indexed, "info", "--json", corpus=tmp_path).json["documents"] == 14
    both = call("--corpus", tmp_path, "info", "--corpus", indexed, "--json")
    assert both.json["documents"] == 14


def test_info_says_what_there_is_and_what_is_not_whole(call, indexed, sounds):
    info = call("info", "--json", "--failed", "--partial", corpus=indexed).json
    counts = {key: info[key] for key in ("documents", "partial", "failed", "indexed", "bits")}
    assert counts == {"documents": 14, "partial": 1, "failed": 1, "indexed": 14, "bits": 128}
    assert info["segments"] > 14
    assert info["seconds"] == pytest.approx(13 * 1.2 + 0.6, abs=0.01)
    assert info["bytes"] > 10_000
    assert [outcome["name"] for outcome in info["failures"]] == ["broken.wav"]
    assert [outcome["name"] for outcome in info["partials"]] == ["short.wav"]
    listed = call("info", "--failed", corpus=indexed).out
    assert listed.startswith(f"{sounds}/broken.wav: ")
    assert len(listed.splitlines()) == 1
    assert "documents    14\n" in call("info", corpus=indexed).out


def test_a_rescan_reads_what_is_new_and_makes_it_searchable(call, tmp_path, wav_files):
    folder, corpus = tmp_path / "sounds", tmp_path / "corpus"
    folder.mkdir()
    for path in sorted(wav_files.iterdir())[:4]:
        shutil.copy(path, folder)
    call("index", folder, "--workers", 1, corpus=corpus)
    fresh = shutil.copy(wav_files / "pure_7.wav", folder)
    changes = call("rescan", "--workers", 1, "--json", corpus=corpus).json
    assert [outcome["name"] for outcome in changes["new"]] == ["pure_7.wav"]
    assert (changes["unchanged"], changes["indexed"]) == (4, 5)
    assert fresh in call("search", fresh, "-n", 5, corpus=corpus).out

    os.remove(fresh)
    kept = call("rescan", "--workers", 1, corpus=corpus).out
    assert kept.startswith("0 new, 0 changed, 0 moved, 1 missing, 0 failed, 4 unchanged\n")
    assert f"missing: {fresh}: it is not there any more\n" in kept
    forgotten = call("rescan", "--forget", "--workers", 1, "--json", corpus=corpus).json
    assert (len(forgotten["missing"]), forgotten["indexed"]) == (1, 4)


def test_what_is_removed_is_not_found_any_more(call, copied, query):
    removed = call("remove", query, "--json", corpus=copied).json
    assert [outcome["name"] for outcome in removed["removed"]] == [query.name]
    assert removed["indexed"] == 13
    assert query.exists()
    assert str(query) not in call("search", query, "-n", 20, corpus=copied).out
    again = call("remove", query.parent / "nothing.wav", corpus=copied)
    assert (again.code, again.out) == (1, "")
    assert "nothing.wav" in again.err


def test_a_file_in_an_archive_is_named_as_it_is_printed(call, copied, tmp_path, query, serve):
    with zipfile.ZipFile(tmp_path / "kit.zip", "w") as archive:
        archive.write(query, "drums/snare.wav")
    call("index", tmp_path / "kit.zip", "--workers", 1, corpus=copied)
    name = f"{tmp_path}/kit.zip/drums/snare.wav"
    lines = call("search", name, "-n", 2, corpus=copied).out.splitlines()
    assert sorted(line.split("\t")[3] for line in lines) == sorted([name, str(query)])
    assert {line.split("\t")[0] for line in lines} == {"1.0000"}
    assert call("remove", name, "--json", corpus=copied).json["removed"][0]["name"] == (
        "drums/snare.wav"
    )
    with serve(tmp_path) as url:
        call("index", f"{url}/kit.zip", "--workers", 1, corpus=copied)
    name = f"{url}/kit.zip/drums/snare.wav"
    lines = call("search", name, "-n", 2, corpus=copied).out.splitlines()
    assert name in [line.split("\t")[3] for line in lines]
    assert call("remove", name, corpus=copied).out.startswith("1 sounds removed")


def test_removing_everything_leaves_an_empty_corpus(call, copied, sounds):
    done = call("remove", sounds, corpus=copied)
    assert done.code == 0
    assert done.out.startswith("14 sounds removed")
    info = call("info", "--json", corpus=copied).json
    assert (info["documents"], info["indexed"], info["segments"]) == (0, 0, 0)


def test_a_check_names_what_is_damaged_and_ends_with_1(call, copied):
    whole = call("check", "--json", corpus=copied)
    assert (whole.code, whole.json) == (0, {"documents": 14, "problems": []})
    corpus = zounds.Corpus(copied)
    store = corpus._home.store
    key = next(key for key in store.keys("values/") if "/clip_timbre/" in key)
    store.write({key: b"something else"})
    damaged = call("check", corpus=copied)
    assert damaged.code == 1
    assert damaged.out.splitlines()[-1] == "14 sounds, 1 problems"


def test_compacting_keeps_every_answer(call, copied, query):
    before = call("search", query, "--json", corpus=copied).json
    done = call("compact", "--json", corpus=copied).json
    assert done["after"] <= done["before"]
    assert call("search", query, "--json", corpus=copied).json == before


def test_an_export_is_of_the_format_that_its_ending_or_the_first_argument_names(
    call, indexed, tmp_path
):
    done = call("export", tmp_path / "a.csv", corpus=indexed)
    assert done.out == f"14 sounds in {tmp_path / 'a.csv'}\n"
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == 15
    named = call("export", "npz", tmp_path / "arrays", "--json", corpus=indexed)
    assert named.json["documents"] == 14
    with np.load(tmp_path / "arrays") as arrays:
        assert len(arrays["ids"]) == 14
    unknown = call("export", tmp_path / "a.xls", corpus=indexed)
    assert unknown.code == 2
    assert not (tmp_path / "a.xls").exists()


def test_tables_and_playlists_go_to_stdout_too(call, indexed, tmp_path):
    call("export", tmp_path / "a.csv", corpus=indexed)
    for stdout in ("-", "/dev/stdout"):
        printed = call("export", "csv", stdout, corpus=indexed)
        assert (printed.code, printed.err) == (0, "")
        assert len(printed.out.splitlines()) == 15
    assert call("export", "m3u", "-", corpus=indexed).out.startswith("#EXTM3U\n")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("csv",), "there is no FILE: give one after csv, or - for stdout"),
        (("-",), "stdout takes csv or m3u"),
        (("npz", "-"), "stdout takes csv or m3u"),
        (("csv", "-", "--json"), "name a file"),
        (("sounds",), "sounds has no ending: name the format before it (csv, m3u, npz, parquet)"),
        (("a.xls",), "'xls' is no format: give one of csv, m3u, npz, parquet"),
    ],
)
def test_an_export_that_cannot_be_understood_says_what_to_type(
    call, indexed, in_folder, wrong, said
):
    done = call("export", *wrong, corpus=indexed)
    assert (done.code, done.out) == (2, "")
    assert said in " ".join(done.err.replace("│", " ").split())
    assert list(in_folder.iterdir()) == []


def test_an_export_names_what_it_could_not_read(call, copied, tmp_path):
    store = zounds.Corpus(copied)._home.store
    key = next(key for key in store.keys("values/") if "/clip_timbre/" in key)
    store.write({key: b"something else"})
    done = call("export", tmp_path / "a.npz", corpus=copied)
    assert done.code == 0
    assert done.err.startswith(f"zounds: warning: {key.split('/')[1]} is not whole in a.npz: ")


@pytest.mark.parametrize(
    "command",
    [
        *(("search", "a.wav"), ("random",), ("info",), ("rescan",), ("remove", "a.wav")),
        *(("check",), ("compact",), ("export", "a.csv"), ("eval",)),
    ],
)
def test_where_there_is_no_corpus_none_is_made(call, in_folder, command):
    done = call(*command, "--corpus", "nowhere")
    assert (done.code, done.out) == (1, "")
    assert str(in_folder / "nowhere") in done.err
    assert "zounds index SOURCE" in done.err
    assert not (in_folder / "nowhere").exists()


def test_the_corpus_is_where_the_environment_says(call, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert f"{tmp_path}/data/zounds/corpus" in call("info").err
    assert f"{tmp_path}/other" in call("info", corpus=tmp_path / "other").err
    monkeypatch.setenv("XDG_DATA_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert f"{tmp_path}/.local/share/zounds/corpus" in call("info").err


@pytest.mark.parametrize(
    "wrong",
    [
        *(("foo",), ("search",), ("index", ""), ("remove", "", "a.wav")),
        *(("search", "a", "-n", "0"), ("search", "a", "--unit", "word"), ("index", "a", "--bad")),
        *(("search", "a", "--start", "-1"), ("search", "a", "--duration", "0")),
    ],
)
def test_what_cannot_be_understood_ends_with_2(call, in_folder, wrong):
    done = call(*wrong)
    assert (done.code, done.out) == (2, "")
    assert list(in_folder.iterdir()) == []


def test_the_demo_finds_like_with_like_and_says_what_to_type(call, in_folder):
    done = call("demo", "here", "--pitches", 3, "--workers", 2)
    assert done.code == 0, done
    assert len(list((in_folder / "here" / "sounds").rglob("*.wav"))) > 100
    kinds = [line.split("/")[-2] for line in done.out.splitlines() if "\t" in line]
    assert len(kinds) == 10
    assert kinds[:5].count("plucked") + kinds[5:].count("snare") >= 4  # by chance, two or three
    typed = re.search(r"zounds (search .*)", done.out)[1].split()
    assert call(*typed, "--json").json["hits"][0]["distance"] == 0


def test_the_demo_is_told_to_programs_too(call, in_folder):
    done = call("demo", "here", "--pitches", 2, "--workers", 2, "--json")
    assert done.json["indexed"] == done.json["ok"] > 60
    assert done.json["corpus"] == str(in_folder / "here" / "corpus")
    for search in done.json["searches"]:
        assert search["hits"][0]["path"] == str(in_folder / search["query"])


def test_help_lists_the_commands_with_examples(call):
    for arguments in (("--help",), ("-h",), ("search", "--help")):
        done = call(*arguments)
        assert done.code == 0
        assert "zounds search kick.wav" in done.out
    assert call("--version").out == f"zounds {zounds.__version__}\n"
