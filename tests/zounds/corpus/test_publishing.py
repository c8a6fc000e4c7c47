"""A corpus that was published, to a real Milvus: its hits, and what becomes of it in trouble."""

import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from milvus_server import CannotRun, MilvusServer

import zounds
from zounds.corpus.generation import Generation
from zounds.corpus.known import Fact, Known
from zounds.corpus.milvus import Address, Milvus
from zounds.corpus.publishing import send
from zounds.corpus.spaces import KIND, SAME, BitSpace, Layer

pytestmark = pytest.mark.xdist_group("milvus")

HERE = Path(__file__).parent
CROWD = 40_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    pytest.importorskip("pymilvus")
    found = MilvusServer(tmp_path_factory.mktemp("milvus"))
    try:
        found.start()
    except CannotRun as why:
        pytest.skip(str(why))
    yield found
    found.kill()
    shutil.rmtree(found.folder)


@pytest.fixture
def address(server, request):
    """Where nothing is yet: a name of its own for each test."""
    name = request.node.name.partition("[")[0]
    yield f"milvus://127.0.0.1:{server.port}/{name}"
    client = asking(server)
    for collection in client.list_collections():
        if collection.startswith(f"{name}_"):
            client.drop_collection(collection)


def asking(server):
    import pymilvus

    return pymilvus.MilvusClient(uri=f"http://127.0.0.1:{server.port}", timeout=20)


def there(server, name):
    """The collections under a name, and the rows that people find there, by their fields."""
    client = asking(server)
    names = [one for one in client.list_collections() if one.startswith(f"{name}_")]
    assert client.describe_alias(name)["collection_name"] in names
    fields = ["code", "document", "start", "duration", "name", "folder", "seconds", "channels"]
    rows = client.query(
        *(name, "id >= 0", fields),
        limit=16000,
        consistency_level="Strong",
    )
    return names, rows


@pytest.fixture(scope="module")
def published(tmp_path_factory, wav_files):
    """A corpus in which some sounds are there three times."""
    folder = tmp_path_factory.mktemp("published")
    shutil.copytree(wav_files, folder / "sounds")
    for number in range(3):
        (folder / "sounds" / f"copies {number}").mkdir()
        for path in sorted(wav_files.iterdir())[:4]:
            shutil.copy(path, folder / "sounds" / f"copies {number}" / path.name)
    corpus = zounds.Corpus(folder / "corpus")
    corpus.add(folder / "sounds", workers=1)
    corpus.learn(workers=1)
    corpus.index(workers=1)
    return corpus


@pytest.fixture
def corpus(published, tmp_path):
    """A copy of it, to be changed."""
    shutil.copytree(published.path, tmp_path / "corpus")
    return zounds.Corpus(tmp_path / "corpus")


WAYS = [
    {},
    {"n_results": 36, "rerank": False},
    {"n_results": 36, "rerank": False, "like": SAME},
    {"where": zounds.Where(folder="copies 1"), "others": True},
    {"where": zounds.Where(text="pure"), "unit": "segment", "n_results": 70, "rerank": False},
    {"n_results": 70, "per_file": None, "unit": "segment"},
    {"n_results": 70, "per_file": 1, "unit": "segment", "rerank": False},
    {"n_results": 1000, "per_file": None, "unit": "segment", "like": SAME, "rerank": False},
]


def agrees(corpus, address):
    """Assert that hits are those of the local index, also their order."""
    some = list(corpus)[:3]
    for way in WAYS:
        for query in some:
            assert list(corpus.search(query, backend=address, **way)) == list(
                corpus.search(query, **way)
            )


# ---------------------------------------------------------------------------- what is found


def test_hits_are_those_of_the_local_index_and_all_is_sent_once(published, server, address):
    done = published.publish(address)
    generation = published._home.indexed()
    codes = sum(
        len(layer) for unit in ("clip", "segment") for layer in generation.layers(unit).values()
    )
    assert (done.documents, done.codes, done.sent) == (36, codes, codes)
    agrees(published, address)

    name = Address.of(address).collection
    before = there(server, name)
    again = published.publish(address)
    assert (again.codes, again.sent) == (codes, 0)
    assert there(server, name) == before
    (_,), rows = before
    assert len(rows) == codes
    known = {outcome.id: outcome for outcome in published.outcomes()}
    for row in rows:
        outcome = known[row["document"]]
        assert row["name"] == outcome.name
        assert row["folder"] == str(outcome.path.parent)
        assert (row["seconds"], row["channels"]) == (outcome.seconds, 1)
        assert 0 <= row["start"] < row["start"] + row["duration"] <= outcome.seconds + 1e-9
    assert {row["document"] for row in rows} == set(generation.ids)
    # for other programs: what Milvus can filter by
    folder = published.path.parent / "sounds" / "copies 1"
    short = asking(server).search(
        name,
        [rows[0]["code"][0]],
        limit=100,
        filter=f'folder like "{folder}%" and channels == 1',
        output_fields=["folder"],
        consistency_level="Strong",
    )
    assert {hit["entity"]["folder"] for hit in short[0]} == {str(folder)}


def crowd(count=CROWD, seed=0):
    """A generation of clips of which most are equal to another, in runs and here and there."""
    random = np.random.default_rng(seed)

    def layer(count):
        codes = random.integers(0, 256, (count, 2), np.uint8)
        codes[count // 4 : count // 2] = codes[0]
        codes[::3] = codes[1]
        return Layer(codes, None)

    hop = Fraction(1, 2)
    return Generation(
        fingerprint="print",
        bits=16,
        known=Known.of(
            Fact(f"{n:09}", f"{n}.wav", f"file:///s/{n}.wav", 0.5, 44100, 1) for n in range(count)
        ),
        rate=zounds.SampleRate(hop, hop),
        offsets=np.arange(count + 1),
        space=BitSpace({KIND: layer(count)}),
        segments={KIND: layer(count)},
    )


@pytest.fixture(scope="module")
def crowded(server):
    generation, address = crowd(), Address("127.0.0.1", server.port, "crowded")
    send(generation, address)
    return generation, Milvus(address)


@pytest.mark.parametrize("unit", ["clip", "segment"])
@pytest.mark.parametrize("k", [1, 700, 16384, CROWD + 1])
def test_of_equal_codes_the_first_are_found_however_many_there_are(crowded, unit, k):
    generation, milvus = crowded
    codes = generation.layers(unit)[KIND].codes
    queries = np.array([codes[0], codes[1], ~codes[1], [1, 2]], np.uint8)
    found = milvus.codes(generation, unit, KIND).nearest(queries, k)
    apart = np.bitwise_count(queries[:, None] ^ codes).sum(axis=2, dtype=np.uint64)
    expected = np.sort(apart << np.uint64(48) | np.arange(len(codes), dtype=np.uint64))[:, :k]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("share", [0, 0.0001, 0.01, 0.3, 0.9, 1])
@pytest.mark.parametrize("k", [3, 20_000])
def test_of_the_rows_that_count_the_first_are_found_however_few_they_are(crowded, share, k):
    generation, milvus = crowded
    codes = generation.layers("clip")[KIND].prepared
    queries = codes.take(np.array([0, 1, 5]))
    live = np.random.default_rng(1).random(CROWD) < share
    found = milvus.codes(generation, "clip", KIND).nearest(queries, k, live)
    np.testing.assert_array_equal(found, codes.nearest(queries, k, live))


# ---------------------------------------------------------------------------- kept in step


def test_what_was_added_and_removed_is_so_there_once_it_is_published(
    corpus, server, address, save, tmp_path
):
    name = Address.of(address).collection
    corpus.publish(address)
    before = corpus._home.indexed()
    codes = Milvus(Address.of(address)).codes(before, "segment", KIND)
    gone = next(iter(corpus))._id
    corpus.remove(gone)
    corpus.add(save(tmp_path / "new.wav", 1), workers=1)
    corpus.index(workers=1)

    # until then, hits are right nevertheless, and it is told
    with pytest.warns(UserWarning, match=f"has another state of this corpus.*publish {address}"):
        found = corpus.search(tmp_path / "new.wav", backend=address)
    assert list(found) == list(corpus.search(tmp_path / "new.wav"))

    # while it is sent, people find what was there
    seen = []

    def look(progress):
        if progress.task == "publishing" and progress.done:
            seen.append({row["document"] for row in there(server, name)[1]})

    corpus.publish(address, progress=look)
    assert seen
    assert all(gone in ids and len(ids) == 36 for ids in seen)
    (_,), rows = there(server, name)
    assert {row["document"] for row in rows} == {document._id for document in corpus}
    agrees(corpus, address)

    # a search that had begun with what has been replaced ends with it
    queries, here = before.layers("segment")[KIND].codes[:2], before.layers("segment")[KIND]
    with pytest.warns(UserWarning, match="has another state"):
        found = codes.nearest(queries, 50)
    np.testing.assert_array_equal(found, here.prepared.nearest(queries, 50))


def test_a_collection_of_somebody_else_is_left_alone(corpus, server, address):
    from pymilvus import DataType

    client, name = asking(server), Address.of(address).collection
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("v", DataType.BINARY_VECTOR, dim=8)
    client.create_collection(name, schema=schema)
    with pytest.raises(zounds.BackendError, match="zounds did not make: give another name"):
        corpus.publish(address)
    with pytest.raises(zounds.BackendError, match="zounds did not make: give another name"):
        corpus.search(next(iter(corpus)), backend=address)
    assert client.describe_collection(name)["description"] == ""
    client.drop_collection(name)


# ---------------------------------------------------------------------------- what dies

PUBLISH = """
import sys
sys.path[:0] = [{tests!r}, {servers!r}]
from test_publishing import crowd
from zounds.corpus.known import Fact, Known
from zounds.corpus.milvus import Address
from zounds.corpus.publishing import send
generation = crowd()
def tell(progress):
    print(progress.done, flush=True)
print("begins", flush=True)
print(send(generation, Address.of({address!r}), tell).sent, flush=True)
"""


def test_a_publisher_that_is_killed_is_gone_on_with(server, address):
    program = PUBLISH.format(
        tests=str(HERE),
        servers=str(HERE.parents[1] / "servers"),
        address=address,
    )
    for lines in (2, 8):
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        for _ in range(lines):
            assert process.stdout.readline()
        process.kill()
        process.wait()
        process.stdout.close()
    generation, place = crowd(), Address.of(address)
    assert 0 < send(generation, place).sent < 2 * CROWD
    client = asking(server)
    ours = [name for name in client.list_collections() if name.startswith(f"{place.collection}_")]
    assert len(ours) == 1
    (count,) = client.query(place.collection, "", ["count(*)"], consistency_level="Strong")
    assert count["count(*)"] == 2 * CROWD
    query = generation.layers("clip")[KIND].codes[1:2]
    codes = Milvus(place).codes(generation, "clip", KIND)
    np.testing.assert_array_equal(
        codes.nearest(query, 30_000),
        generation.layers("clip")[KIND].prepared.nearest(query, 30_000),
    )


def test_a_server_that_dies_is_named_and_what_it_has_is_gone_on_with(
    corpus, server, address, save, tmp_path
):
    corpus.publish(address)
    query = list(corpus)[1]
    corpus.add(save(tmp_path / "new.wav", 1), workers=1)
    corpus.index(workers=1)

    def kill(progress):
        if progress.task == "publishing" and progress.done:
            server.kill()

    where = f"{address} does not answer.*see that Milvus runs there, then do the same again"
    try:
        with pytest.raises(zounds.BackendError, match=where):
            corpus.publish(address, progress=kill)
        with pytest.raises(zounds.BackendError, match=where):
            corpus.search(query, backend=address)
    finally:
        server.start()
    with pytest.warns(UserWarning, match="has another state"):
        assert list(corpus.search(query, backend=address)) == list(corpus.search(query))
    corpus.publish(address)
    (_,), rows = there(server, Address.of(address).collection)
    assert sorted({row["document"] for row in rows}) == [document._id for document in corpus]
    assert len(rows) == corpus.publish(address).codes
    agrees(corpus, address)
