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
    page.lists("!folders.some(one => one.startsWith('long'))")
    assert page.locator("#facets .chip").count() == 1
    page.snap("filtered")
    page.click("#clear-folders")
    page.lists("folders.includes('long') && folders.includes('long/inner')")


def test_what_is_directly_in_a_folder_is_ticked_apart_from_the_folders_in_it(page):
    page.search("plucked")
    page.uncheck("#folders input[aria-label='long/inner']")
    page.lists("folders.includes('long') && !folders.includes('long/inner')")
    assert page.locator("#folders input[aria-label=long]").evaluate("box => box.indeterminate")
    page.check("#folders input[aria-label='long/inner']")
    page.uncheck("#folders input[aria-label='long itself']")
    page.lists("!folders.includes('long') && folders.includes('long/inner')")


def test_the_address_holds_the_filters_for_somebody_else_and_for_the_way_back(page, open_page):
    page.search("plucked")
    first = page.names
    page.uncheck("#folders input[aria-label=plucked]")
    page.lists("!folders.includes('plucked')")
    page.keyboard.press("/")
    page.keyboard.type("a3", delay=300)  # slower than the page waits for the next letter
    page.lists("names.length && names.every(name => name.includes('A3'))")
    second = page.names
    assert page.asked["text"] == ["a3"]
    other = open_page(page.url)
    other.wait_for_selector(".row")
    assert other.names == second
    assert other.input_value("#filter-text") == "a3"
    assert not other.is_checked("#folders input[aria-label=plucked]")
    page.go_back()
    page.lists("names.some(name => !name.includes('A3')) && !folders.includes('plucked')")
    assert page.input_value("#filter-text") == ""
    page.go_back()
    page.lists("folders.includes('plucked')")
    assert page.names == first
    assert page.is_checked("#folders input[aria-label=plucked]")
    page.go_forward()
    page.go_forward()
    page.lists(f"names.join() === {','.join(second)!r}")


def test_words_filter_by_name_and_folder_and_arrow_down_leaves_for_the_list(page):
    page.search("plucked")
    page.keyboard.press("/")
    page.keyboard.type("brass A3")
    page.lists("names.length === 1 && names[0].startsWith('brass_A3')")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("() => document.activeElement.classList.contains('row')")
    page.locator("#facets button").click()
    page.lists("names.length > 1")
    assert page.input_value("#filter-text") == ""


def test_durations_filter(page, open_page):
    page.search("plucked")
    low = page.locator("#duration input").first
    low.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.lists("names.join() === 'minute.wav'")
    other = open_page(page.url)
    other.lists("names.join() === 'minute.wav'")
    assert other.locator("#duration input").first.input_value() == low.input_value()


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
