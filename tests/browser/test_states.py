"""What the page shows when there is nothing to show, or something goes wrong."""

import subprocess

import numpy as np
import pytest

import zounds


@pytest.fixture
def empty(tmp_path, serve):
    """A server of a corpus without sounds, and the path of the corpus."""
    path = tmp_path / "corpus"
    zounds.Corpus(path)
    with serve(path) as address:
        yield address.rstrip("/"), path


def test_an_empty_corpus_says_what_to_do_and_fills_by_itself(
    empty, open_page, sounds, zounds_command
):
    address, path = empty
    page = open_page(f"{address}/")
    page.wait_for_selector("#panel h2")
    assert page.locator("#panel h2").text_content() == "There are no sounds in this corpus yet"
    command = page.locator(".command span").first.text_content()
    assert command.startswith("zounds ")
    assert str(path) in command
    assert page.locator("#ask-random").is_disabled()
    page.snap("empty")
    running = subprocess.Popen(
        zounds_command(path, "index", sounds), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        page.wait_for_selector(".note[role=status]:not([hidden])", timeout=60_000)
        page.snap("ingest")
        page.wait_for_selector(".starts button", timeout=120_000)
        assert running.wait(120) == 0
    finally:
        running.kill()
        running.wait()
    page.wait_for_selector(".note[role=status]", state="hidden", timeout=60_000)
    page.click(".starts button >> nth=0")
    page.wait_for_selector(".row")


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(page, tmp_path):
    large = tmp_path / "drum loops.wav"
    samples = np.zeros(800_000, np.float32)
    zounds.save(zounds.AudioSamples(samples, 44100), large)
    page.set_input_files("#file", large)
    page.wait_for_selector(".note.bad")
    told = page.locator(".note.bad").text_content()
    assert "drum loops.wav was not searched." in told
    assert "takes up to 1 MB" in told
    assert "--max-upload" in told
    page.snap("upload_refused")
    page.click(".note.bad button")
    page.wait_for_selector(".note.bad", state="detached")


def test_what_is_no_sound_is_refused_in_the_words_of_the_server(open_page, address, tmp_path):
    page = open_page(f"{address}/", allowed=["415"])
    page.wait_for_selector(".starts button")
    text = tmp_path / "notes.wav"
    text.write_text("these are no samples")
    page.set_input_files("#file", text)
    page.wait_for_selector(".note.bad")
    assert "notes.wav was not searched." in page.locator(".note.bad strong").text_content()
    assert len(page.locator(".note.bad p").text_content()) > 20


def test_a_server_that_is_gone_is_told_and_tried_again(open_page, corpus, serve):
    with serve(corpus) as address:
        page = open_page(address, allowed=["ERR_"])
        page.search("plucked")
        here = page.url
    page.row(2).dblclick(position={"x": 60, "y": 8})
    page.wait_for_selector("#panel h2")
    assert page.locator("#panel h2").text_content() == "The server did not answer"
    assert "sound=" in page.url
    assert page.url != here
    page.snap("gone")
    port = address.rstrip("/").rsplit(":", 1)[1]
    with serve(corpus, "--port", port):
        page.get_by_role("button", name="Try again").click()
        page.wait_for_selector(".row")


def test_a_sound_that_is_not_there_is_told(open_page, address):
    page = open_page(f"{address}/?sound=nothing", allowed=["404"])
    page.wait_for_selector("#panel h2")
    assert page.locator("#panel h2").text_content() == "This sound is not in the corpus"
    page.click("text=Start page")
    page.wait_for_selector(".starts button")


def test_an_upload_that_the_server_has_forgotten_is_found_by_its_code(page, open_page, address):
    page.search("plucked")
    code = page.asked["query"][0]
    other = open_page(f"{address}/?query={code}&sound=upload-gone", allowed=["404"])
    other.wait_for_selector(".row")
    assert "sound=" not in other.url
