"""Files for other programs: what stands in them, and that nothing goes missing unsaid."""

import csv
import os
import shutil
import sys
import zipfile
from dataclasses import fields

import numpy as np
import pyarrow.parquet
import pytest

import featureflow as ff
import zounds
from zounds.corpus.export import FORMATS, Row, export_csv, export_m3u, export_npz, export_parquet

ODD = 'a "quoted",\nwell\tnaïve 音 \udcff=1.wav'


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, wav_files):
    """Files, one with an odd name, a member of an archive, and one that ends early."""
    folder = tmp_path_factory.mktemp("export")
    sounds = folder / "sounds"
    sounds.mkdir()
    for path in sorted(wav_files.iterdir())[:4]:
        os.link(path, sounds / path.name)
    os.link(wav_files / "odd_0.wav", sounds / ODD)
    whole = (wav_files / "odd_1.wav").read_bytes()
    (sounds / "short.wav").write_bytes(whole[: len(whole) // 2])
    with zipfile.ZipFile(sounds / "set.zip", "w") as archive:
        archive.write(wav_files / "odd_2.wav", "deep/kick.wav")
    corpus = zounds.Corpus(folder / "corpus")
    corpus.add(sounds, workers=1)
    corpus.learn()
    corpus.index(workers=1)
    return corpus


@pytest.fixture
def copy(corpus, tmp_path):
    """A copy of the corpus."""
    return zounds.Corpus(shutil.copytree(corpus.path, tmp_path / "copy"))


@pytest.fixture
def damaged(copy):
    """A copy of which one document has a damaged feature; and its id."""
    store = copy._home.store
    key = next(key for key in store.keys("values/") if "/clip_timbre/" in key)
    store.write({key: b"something else"})
    return copy, key.split("/")[1]


def code_of(corpus, _id):
    """The code of a whole sound, as a search has it."""
    return corpus.search(_id).query


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_has_a_row_for_each_document(corpus, tmp_path):
    done = export_csv(corpus, tmp_path / "a.csv")
    rows = table(tmp_path / "a.csv")
    assert (done.documents, done.left_out, done.unreadable) == (7, 0, {})
    assert list(rows[0]) == [column.name for column in fields(Row)]
    assert [row["uri"] for row in rows] == sorted(row["uri"] for row in rows)
    for row in rows:
        document = corpus[row["id"]]
        assert row["uri"] == document.meta.uri
        assert float(row["seconds"]) == document.facts["seconds"]
        assert (row["samplerate"], row["channels"]) == ("44100.0", "1")
        assert bytes.fromhex(row["code"]) == code_of(corpus, row["id"]).tobytes()
    by_name = {row["name"]: row for row in rows}
    assert by_name["short.wav"]["status"] == "partial"
    assert by_name["deep/kick.wav"]["path"].endswith("/set.zip/deep/kick.wav")


def test_odd_names_survive_a_table(corpus, tmp_path):
    export_csv(corpus, tmp_path / "a.csv")
    (row,) = (row for row in table(tmp_path / "a.csv") if row["name"].startswith('a "quoted"'))
    assert row["name"] == ODD.replace("\udcff", "\ufffd")
    # the URI is exact, where the name cannot be
    exact = ff.sources.Source.of(row["uri"])
    assert exact.path.name == ODD
    assert exact.path.exists()


def test_parquet_has_the_same_rows(corpus, tmp_path):
    export_csv(corpus, tmp_path / "a.csv")
    done = export_parquet(corpus, tmp_path / "a.parquet")
    rows = pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert done.documents == 7
    plain = [{key: str(value) for key, value in row.items()} for row in rows]
    assert plain == table(tmp_path / "a.csv")


def test_parquet_without_its_package_says_what_to_install(corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(zounds.CorpusError, match=r"pip install 'zounds\[parquet\]'"):
        export_parquet(corpus, tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_playlist_has_what_a_player_can_open(corpus, tmp_path):
    done = export_m3u(corpus, tmp_path / "a.m3u")
    lines = (tmp_path / "a.m3u").read_bytes().decode().splitlines()
    # a member of an archive, and a file whose name has two lines
    assert (done.documents, done.left_out) == (5, 2)
    assert lines[0] == "#EXTM3U"
    assert len(lines) == 11
    paths = [line for line in lines if not line.startswith("#")]
    assert all(os.path.isabs(path) and os.path.exists(path) for path in paths)
    assert lines[lines.index(paths[0]) - 1] == "#EXTINF:1.200,bright_0.wav"


def test_a_path_that_is_no_text_is_played_from_its_bytes(tmp_path, wav_files):
    odd = tmp_path / "na\udcefve.wav"
    os.link(wav_files / "odd_0.wav", odd)
    corpus = zounds.Corpus(tmp_path / "corpus")
    corpus.add(odd, workers=1)
    export_m3u(corpus, tmp_path / "a.m3u")
    lines = (tmp_path / "a.m3u").read_bytes().splitlines()
    assert lines[1:] == [b"#EXTINF:1.200,na\xef\xbf\xbdve.wav", os.fsencode(odd)]


def test_arrays_hold_the_codes_and_the_stored_features(corpus, tmp_path):
    done = export_npz(corpus, tmp_path / "a.npz")
    assert (done.documents, done.unreadable) == (7, {})
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["bits"] == 128
        assert arrays["clip_codes"].dtype == arrays["segment_codes"].dtype == np.uint8
        assert arrays["clip_timbre"].dtype == np.float32
        assert arrays["has_code"].all()
        assert "clip" not in arrays
        for number, _id in enumerate(arrays["ids"]):
            document = corpus[_id]
            assert arrays["uris"][number] == document.meta.uri
            for name in ("clip_timbre", "segment_timbres"):
                series = getattr(document, name)
                first, last = arrays[f"{name}_offsets"][number : number + 2]
                assert np.array_equal(arrays[name][first:last], series)
                assert arrays[f"{name}_frequency"][number] == float(series.frequency)
                assert arrays[f"{name}_duration"][number] == float(series.duration)
            assert np.array_equal(arrays["clip_codes"][number], code_of(corpus, _id))
            first, last = arrays["segment_offsets"][number : number + 2]
            moments = corpus.search(_id, 99, unit="segment", per_file=None)
            own = sorted((hit.start, hit.duration) for hit in moments if hit.id == _id)
            starts = arrays["segment_starts"][first:last].tolist()
            assert own == list(zip(starts, arrays["segment_durations"][first:last], strict=True))
            for code, start in zip(arrays["segment_codes"][first:last], starts, strict=True):
                query = corpus.search(_id, unit="segment", start=start).query
                assert np.array_equal(code, query)
        assert last == len(arrays["segment_codes"]) == corpus.info().segments


def test_codes_of_the_article_are_the_bits_of_a_document(tmp_path, wav_files):
    corpus = zounds.Corpus(tmp_path / "corpus", preset="post")
    corpus.add(wav_files, workers=1)
    corpus.learn()
    corpus.index(workers=1)
    export_npz(corpus, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as arrays:
        for number, _id in enumerate(arrays["ids"]):
            document = corpus[_id]
            assert np.array_equal(np.unpackbits(arrays["clip_codes"][number]), document.clip[0])
            first, last = arrays["segment_offsets"][number : number + 2]
            codes = np.unpackbits(arrays["segment_codes"][first:last], axis=1)
            assert np.array_equal(codes, document.segments)
            first, last = arrays["bfcc_offsets"][number : number + 2]
            assert np.array_equal(arrays["bfcc"][first:last], document.bfcc)


def test_sounds_that_were_added_since_the_index_was_built_have_no_code(copy, tmp_path, wav_files):
    (new,) = copy.add(zounds.encode(zounds.decode(wav_files / "odd_3.wav"), "wav"), workers=1).ok
    export_npz(copy, tmp_path / "a.npz")
    export_csv(copy, tmp_path / "a.csv")
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["ids"][~arrays["has_code"]].tolist() == [new.id]
        number = arrays["ids"].tolist().index(new.id)
        assert not arrays["clip_codes"][number].any()
        assert np.diff(arrays["segment_offsets"])[number] == 0
    assert [row["id"] for row in table(tmp_path / "a.csv") if not row["code"]] == [new.id]


def test_codes_of_an_index_that_is_out_of_date_are_not_given(copy, tmp_path):
    copy.learn(seed=5)
    export_npz(copy, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as arrays:
        assert "clip_codes" not in arrays


def test_the_same_corpus_gives_the_same_bytes(corpus, tmp_path):
    for name, export in FORMATS.items():
        for copy in "ab":
            export(corpus, tmp_path / copy)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes(), name


def test_some_documents_come_in_the_order_they_were_asked_for(corpus, tmp_path):
    every = [document._id for document in corpus]
    asked = [every[4], every[1], every[4]]
    for name, export in FORMATS.items():
        assert export(corpus, tmp_path / name, ids=asked).documents <= 2
    assert [row["id"] for row in table(tmp_path / "csv")] == asked[:2]
    with np.load(tmp_path / "npz") as arrays:
        assert list(arrays["ids"]) == asked[:2]
        assert len(arrays["clip_timbre_offsets"]) == len(arrays["segment_offsets"]) == 3
        assert len(arrays["clip_codes"]) == 2
    with pytest.raises(ff.DocumentNotFound, match="nobody"):
        export_csv(corpus, tmp_path / "other", ids=["nobody"])
    assert not (tmp_path / "other").exists()


def test_before_anything_was_learned_there_are_no_codes(tmp_path, wav_files):
    corpus = zounds.Corpus(tmp_path / "corpus")
    corpus.add(wav_files / "odd_0.wav", workers=1)
    export_csv(corpus, tmp_path / "a.csv")
    assert [row["code"] for row in table(tmp_path / "a.csv")] == [""]
    export_npz(corpus, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as arrays:
        assert "clip_codes" not in arrays
        assert arrays["clip_timbre"].shape == (1, 330)
        assert arrays["segment_timbres"].shape == (2, 330)


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_corpus_gives_an_empty_file(name, tmp_path):
    done = FORMATS[name](zounds.Corpus(tmp_path / "corpus"), tmp_path / "a")
    assert done.documents == 0
    assert (tmp_path / "a").exists()


def test_sounds_that_share_their_uri_are_all_there(tmp_path, wav_files):
    corpus = zounds.Corpus(tmp_path / "corpus")
    for name in ("odd_0", "odd_1"):
        corpus.add((wav_files / f"{name}.wav").read_bytes(), workers=1)
    assert export_csv(corpus, tmp_path / "a.csv").documents == len(corpus)


def test_a_damaged_feature_is_named_and_the_others_are_there(damaged, tmp_path):
    corpus, hurt = damaged
    done = export_npz(corpus, tmp_path / "a.npz")
    assert list(done.unreadable) == [hurt]
    assert "not what was written" in done.unreadable[hurt]
    with np.load(tmp_path / "a.npz") as arrays:
        number = list(arrays["ids"]).index(hurt)
        lengths = np.diff(arrays["clip_timbre_offsets"])
        assert lengths[number] == 0
        assert (np.delete(lengths, number) > 0).all()
        assert len(arrays["clip_timbre"]) == lengths.sum()
        assert arrays["has_code"][number]


def test_a_damaged_document_is_named(corpus, damaged, tmp_path):
    corpus, hurt = damaged
    corpus._home.store.write({f"documents/{hurt}/entry": b"something else"})
    for name, export in FORMATS.items():
        done = export(corpus, tmp_path / name)
        assert list(done.unreadable) == [hurt], name
        assert done.documents + done.left_out == 7


def test_a_file_that_cannot_be_written_leaves_nothing_behind(corpus, tmp_path):
    with pytest.raises(zounds.CorpusError, match="nowhere"):
        export_csv(corpus, tmp_path / "nowhere" / "a.csv")
    with pytest.raises(zounds.CorpusError, match="is a folder"):
        export_npz(corpus, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_fails_leaves_the_file_that_was_there(corpus, tmp_path):
    (tmp_path / "a.csv").write_text("as it was")
    with pytest.raises(ff.DocumentNotFound):
        export_csv(corpus, tmp_path / "a.csv", ids=["nobody"])
    assert (tmp_path / "a.csv").read_text() == "as it was"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
