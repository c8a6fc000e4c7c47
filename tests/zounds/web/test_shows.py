"""The page and the REPL of models that were written by hand."""

import zipfile

import pytest

import zounds

MODEL = """
import featureflow as ff, numpy as np, zounds

class Settings(ff.PersistenceSettings):
    database = ff.LmdbDatabase(path="store")

windowing = zounds.HalfLapped()
STFT = zounds.stft(resample_to=zounds.SR22050(), wscheme=windowing)

class Sounds(STFT, Settings):
    bark = zounds.ConstantRateTimeSeriesFeature(zounds.BarkBands, needs=STFT.fft, store=True)
    bfcc = zounds.ConstantRateTimeSeriesFeature(zounds.BFCC, needs=bark, store=True)

@zounds.simple_settings
class Kmeans(ff.BaseModel):
    docs = ff.Feature(ff.IteratorNode, store=False)
    shuffle = ff.NumpyFeature(zounds.ReservoirSampler, nsamples=1e6, needs=docs, store=True)
    unitnorm = ff.PickleFeature(zounds.UnitNorm, needs=shuffle, store=False)
    kmeans = ff.PickleFeature(zounds.KMeans, centroids=64, needs=unitnorm, store=False)
    pipeline = ff.PickleFeature(
        zounds.PreprocessingPipeline, needs=(unitnorm, kmeans), store=True)

class Coded(Sounds):
    codes = zounds.ConstantRateTimeSeriesFeature(
        zounds.Learned, learned=Kmeans(), needs=Sounds.bfcc, store=True)
    windows = zounds.ConstantRateTimeSeriesFeature(
        zounds.SlidingWindow, needs=codes, store=False,
        wscheme=windowing * zounds.Stride(frequency=15, duration=15))
    pooled = zounds.ConstantRateTimeSeriesFeature(
        zounds.Max, needs=windows, axis=1, store=True)

@zounds.simple_settings
class Index(zounds.hamming_index(Coded, Coded.pooled)):
    pass

if not list(Sounds):
    for sound in ff.iter_zip("sounds.zip"):
        Sounds.process(meta=sound)
    Kmeans.process(docs=(sound.bfcc for sound in Sounds))
    Index.build()
index = Index()
"""

SEARCH = """
zounds.ZoundsSearch(
    model=Coded, audio_feature=Coded.ogg, visualization_feature=Coded.bark, search=index,
    n_results=7,
).start(0)
"""

APP = """
secret = 42
def program():
    mine = "of the function"
    zounds.ZoundsApp(
        model=Coded, audio_feature=Coded.ogg, visualization_feature=Coded.bark,
        globals=globals(), locals=locals(),
    ).start(0)
program()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, wav_files):
    folder = tmp_path_factory.mktemp("by-hand")
    with zipfile.ZipFile(folder / "sounds.zip", "w") as archive:
        for path in sorted(wav_files.iterdir())[::2]:
            archive.write(path, f"{path.name.partition('_')[0]}/{path.name}")
    return folder


def test_the_search_page_of_a_model(running, folder, wav_files):
    with running(MODEL + SEARCH, folder) as server:
        info = server.json("/api/info")
        assert (info["kind"], info["name"], info["n"]) == ("model", "Coded", 7)
        assert (info["documents"], info["units"], info["bits"]) == (12, ["segment"], 64)
        (document,) = server.json("/api/documents", text="odd_4")["documents"]
        assert document["folder"].endswith("odd")
        answer = server.json("/api/search", id=document["id"])
        assert len(answer["hits"]) == 7
        assert (answer["hits"][0]["id"], answer["hits"][0]["distance"]) == (document["id"], 0)
        again = server.json("/api/search", query=answer["query"]["code"])
        assert again["hits"][0]["distance"] == 0
        path = f"/api/documents/{document['id']}"
        whole = server.get(f"{path}/audio")
        assert (whole.headers["content-type"], whole.content[:4]) == ("audio/ogg", b"OggS")
        assert server.get(f"{path}/audio?start=0.5&duration=0.1").content[:4] == b"RIFF"
        assert server.get(f"{path}/picture.png").content[:4] == b"\x89PNG"
        assert len(server.json(f"{path}/peaks", columns=10)["low"]) == 10
        sent = server.post("/api/uploads", content=(wav_files / "odd_4.wav").read_bytes()).json()
        found = server.json("/api/search", id=sent["id"], n=1)["hits"]
        assert found[0]["id"] == document["id"]
        server.refused("/api/repl", 404, "no_repl")
        server.refused("/api/search?query=" + "A" * 22, 400, "bad_code")
        assert server.get("/api/map").status_code in (200, 202)
    assert "Traceback" not in server.errors, server.errors


def test_the_repl_of_a_program_has_its_names(running, folder, talk_to):
    with running(MODEL + APP, folder) as server:
        talk = talk_to(server)
        assert talk.result("secret, mine") == "(42, 'of the function')"
        assert talk.run("index.random_search()")[0]["data"]["text/html"].count("<audio") == 5
        assert talk.run("index.random_search()")[-1]["status"] == "ok"
        assert talk.run("import pickle; pickle.dumps(program)")[-1]["status"] == "ok"
        cell = talk.started("while True: pass")
        talk.until(lambda: talk.of(cell, "input"))
        talk.ask("interrupt")
        talk.until(lambda: talk.of(cell, "done"))
        talk.run("secret = 1; new = 2")
        talk.ask("restart")
        talk.until(lambda: talk.state == "idle")
        assert talk.result("secret") == "42"
        assert talk.run("new")[0]["name"] == "NameError"
        assert len(server.json("/api/search", id=_any(server))["hits"]) > 1
    assert server.process.returncode == 0, server.errors


def _any(server):
    return server.json("/api/random")["documents"][0]["id"]


def test_what_is_no_feature_of_the_model_is_refused():
    class Sounds(zounds.stft()):
        pass

    with pytest.raises(ValueError, match="audio_feature='sound' is not a feature of Sounds"):
        zounds.ZoundsSearch(Sounds, "sound", Sounds.fft, None)
    with pytest.raises(ValueError, match="n_results=0"):
        zounds.ZoundsSearch(Sounds, Sounds.ogg, Sounds.fft, None, n_results=0)


def test_the_repl_listens_to_this_machine_only():
    class Sounds(zounds.stft()):
        pass

    app = zounds.ZoundsApp(Sounds, Sounds.ogg, Sounds.fft, globals={}, locals={})
    with pytest.raises(zounds.CorpusError, match="host="):
        app.start(0, host="0.0.0.0")
