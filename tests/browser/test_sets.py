"""Filters, favourites, collections, and taking them along."""

import csv
import io
import json
import zipfile

import pytest


def folders(page):
    return {one.split("/")[0] for one in page.locator(".row em").all_text_contents()}


def test_a_folder_that_is_not_ticked_is_left_out(page):
    page.search("plucked")
    assert "long" in folders(page)
    page.uncheck("#folders input[aria-label=long]")
    page.wait_for_function(
        "() => ![...document.querySelectorAll('.row em')].some(e => e.textContent === 'long')"
    )
    assert page.locator("#facets .chip").count() == 1
    page.snap("filtered")
    page.click("#clear-folders")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.row em')].some(e => e.textContent === 'long')"
    )


def test_words_filter_by_name_and_folder_and_arrow_down_leaves_for_the_list(page):
    page.search("plucked")
    page.keyboard.press("/")
    page.keyboard.type("brass A3")
    page.wait_for_function("() => document.querySelectorAll('.row').length === 1")
    assert page.names[0].startswith("brass_A3")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("() => document.activeElement.classList.contains('row')")
    page.locator("#facets button").click()
    page.wait_for_function("() => document.querySelectorAll('.row').length > 1")
    assert page.input_value("#filter-text") == ""


def test_durations_filter(page):
    page.search("plucked")
    low = page.locator("#duration input").first
    low.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => document.querySelectorAll('.row').length === 1")
    assert page.names == ["minute.wav"]


def test_filters_that_nothing_passes_say_which(page):
    page.search("plucked")
    page.fill("#filter-text", "no such sound")
    page.wait_for_selector("#panel h2")
    assert page.locator("#panel h2").text_content() == "No sound passes these filters"
    assert "“no such sound”" in page.locator("#panel p").text_content()
    page.snap("none")
    page.click("text=Clear filters")
    page.wait_for_selector(".row")


@pytest.fixture
def kept(page):
    """A page with no collections, before and after."""

    def clear():
        for one in page.request.get(f"{page.origin}/api/collections").json()["collections"]:
            page.request.delete(f"{page.origin}/api/collections/{one['name']}")

    clear()
    page.reload()
    yield page
    clear()


def test_favourites_are_kept_and_shown(kept):
    page = kept
    page.search("plucked")
    page.choose(1)
    name = page.selected
    page.keyboard.press("f")
    page.wait_for_selector(".row .favourite[aria-pressed=true]")
    page.wait_for_selector("#sets small:text-is('1')")
    page.reload()
    page.click("#sets button:has-text('Favourites')")
    page.wait_for_function("() => document.querySelectorAll('.row').length === 1")
    assert page.names == [name]
    assert "in Favourites" in page.locator("#count").text_content()
    page.snap("favourites")
    page.keyboard.press("Escape")
    page.wait_for_function("() => document.querySelectorAll('.row').length > 1")


def saved(page, item):
    """The content of a download that a menu starts."""
    page.click("#export")
    with page.expect_download() as download:
        page.click(f"#menu >> text={item}")
    with open(download.value.path(), "rb") as file:
        return download.value.suggested_filename, file.read()


def test_what_is_found_is_saved_as_a_set_and_taken_along(kept):
    page = kept
    page.search("plucked")
    page.fill("#filter-text", "brass")
    page.wait_for_function("() => document.querySelectorAll('.row').length === 3")
    names = page.names
    page.click("#save-set")
    page.keyboard.type("for bar 9")
    page.keyboard.press("Enter")
    page.click("#sets button:has-text('for bar 9')")
    page.wait_for_selector("#count:has-text('for bar 9')")
    assert page.names == names
    file, table = saved(page, "CSV table")
    assert file.endswith(".csv")
    assert [row["name"] for row in csv.DictReader(io.StringIO(table.decode()))] == names
    _, playlist = saved(page, "M3U playlist")
    lines = [line for line in playlist.decode().splitlines() if not line.startswith("#")]
    assert [line.rsplit("/", 1)[1] for line in lines] == names
    _, archive = saved(page, "Zip of the sounds")
    with zipfile.ZipFile(io.BytesIO(archive)) as members:
        assert sorted(one.rsplit("/", 1)[-1] for one in members.namelist()) == sorted(names)
    page.click("#export")
    page.click("#menu >> text=Delete the collection")
    page.wait_for_selector("#sets button:has-text('for bar 9')", state="detached")


def test_what_is_preferred_is_remembered_and_nothing_else(page):
    page.click("#theme")
    page.reload()
    page.wait_for_selector(".starts button")
    assert page.evaluate("() => document.documentElement.dataset.theme") == "dark"
    assert json.loads(page.evaluate("() => localStorage.zounds"))["theme"] == "dark"
    assert page.evaluate("() => Object.keys(localStorage)") == ["zounds"]
