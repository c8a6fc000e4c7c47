"""Searching: with a sound of the corpus, of one's own, a region, several; and the address."""

import re

import pytest

import zounds


def test_a_click_on_a_proposed_sound_searches_with_it(page):
    page.snap("start")
    name = page.locator(".starts strong").first.text_content()
    page.click(".starts button >> nth=0")
    page.wait_for_selector(".row")
    assert page.locator("#query-name").text_content() == name
    assert name not in page.names
    assert page.title().startswith(name)
    shown = page.locator(".c-like b").all_text_contents()
    assert shown == sorted(shown, key=lambda percent: -int(percent.split()[0]))
    page.snap("results")


def test_the_address_finds_the_same_for_somebody_else(page, open_page):
    page.search("plucked")
    page.wait_for_url(re.compile(r"query="))
    other = open_page(page.url)
    other.wait_for_selector(".row")
    assert other.names == page.names


def test_a_bare_code_finds_its_sound_and_its_like(page, open_page, address):
    document = page.search("plucked")
    other = open_page(f"{address}/?query={page.asked['query'][0].replace('=', '%253D')}")
    other.wait_for_selector(".row")
    assert other.locator("#query-name").text_content() == document["name"]
    assert page.names[0] in other.names[:3]


def test_an_address_with_no_code_in_it_says_so(open_page, address):
    page = open_page(f"{address}/?query=nonsense", allowed=["400", "404"])
    assert "leads to no sound" in page.content()


def test_every_result_is_the_next_query_and_back_and_forward_return(page):
    first = page.search("plucked")
    second = page.names[1]
    page.row(1).dblclick(position={"x": 60, "y": 8})
    page.wait_for_function("name => document.title.startsWith(name)", arg=second)
    page.settle()
    assert second not in page.names
    assert page.selected == page.names[0]
    page.go_back()
    page.wait_for_function("name => document.title.startsWith(name)", arg=first["name"])
    page.wait_for_function(
        "name => document.querySelector('.row[aria-selected=true] strong').title === name",
        arg=second,
    )
    page.go_forward()
    page.wait_for_function("name => document.title.startsWith(name)", arg=second)


def test_a_random_sound_is_searched_with_and_heard(page):
    page.keyboard.press("x")
    page.wait_for_selector(".row")
    page.wait_for_function("() => heard.length === 1")
    assert page.locator("#query-name").text_content()


def test_a_region_is_dragged_and_searched_for(page):
    page.search("steps")
    strip = page.locator("#strip").bounding_box()
    y = strip["y"] + 40
    page.mouse.move(strip["x"] + strip["width"] * 0.25, y)
    page.mouse.down()
    page.mouse.move(strip["x"] + strip["width"] * 0.5, y, steps=5)
    page.mouse.up()
    page.wait_for_url(re.compile(r"unit=segment"))
    assert page.locator(".region b").text_content() == "1.00 to 2.00 s"
    sound = page.asked["sound"][0]
    start, end = map(float, sound.split("~")[1:])
    assert (start, end) == pytest.approx((1, 2), abs=0.02)
    page.wait_for_selector(".row")
    page.snap("region")
    page.locator(".handle >> nth=1").focus()
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_url(re.compile(r"~2\.1&"))
    assert page.locator(".handle >> nth=1").get_attribute("aria-valuetext") == "2.10 seconds"
    page.click("#scope [value=whole]")
    page.wait_for_url(lambda url: "unit=" not in url)
    assert page.locator(".region").is_hidden()


def test_more_like_and_less_like_change_what_is_found(page, open_page):
    page.search("plucked")
    before = page.names
    page.choose(4)
    liked = page.selected
    page.keyboard.press("+")
    page.wait_for_url(re.compile(r"more="))
    page.wait_for_function("() => document.querySelectorAll('.chip').length === 1")
    assert page.selected == liked  # it stays under the hand
    page.keyboard.press("ArrowDown")
    page.keyboard.press("-")
    page.wait_for_url(re.compile(r"less="))
    page.wait_for_selector(".chip.less")
    assert page.names != before
    page.snap("mix")
    again = open_page(page.url)
    again.wait_for_selector(".row")
    assert again.locator(".chip").count() == 2
    assert again.names == page.names
    page.locator(".chip button").first.click()
    page.wait_for_url(lambda url: "more=" not in url)


def test_the_same_sound_is_looked_for_in_place_of_its_kind(page, open_page):
    page.search("plucked")
    kind = page.names
    code = page.asked["query"]
    page.keyboard.press("s")
    page.wait_for_url(re.compile("like=same"))
    page.wait_for_url(lambda url: "query=" in url)
    page.lists("names.length")
    same = page.names
    assert same != kind
    assert page.asked["query"] != code
    page.snap("same")
    page.choose(0)
    bits = page.row(0).locator(".c-like").get_attribute("title").split()[0]
    assert page.locator("#code p").text_content().startswith(f"{bits} of 128")
    other = open_page(page.url)
    other.lists("names.length")
    assert other.names == same
    assert other.locator("#like [aria-checked=true]").text_content() == "Same sound"
    page.go_back()
    page.lists(f"names.join() === {','.join(kind)!r}")
    page.click("#like [value=same]")
    page.wait_for_url(re.compile("like=same"))
    page.keyboard.press("+")  # several sounds are compared by kind
    page.wait_for_url(lambda url: "more=" in url and "like=" not in url)
    page.wait_for_selector(".chip")


def test_a_file_of_ones_own_is_searched_with(page, tones, tmp_path):
    own = tmp_path / "my pluck.wav"
    zounds.save(tones([440], 0.8), own)
    page.set_input_files("#file", own)
    page.wait_for_selector(".row")
    assert page.locator("#query-name").text_content() == "my pluck.wav"
    assert "not in the corpus" in page.locator("#query-facts").text_content()
    page.wait_for_url(re.compile(r"query="))
    page.snap("upload")


DROP = """
([name, bytes, side]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name));
  const send = (kind, target) => target.dispatchEvent(
    new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
  send('dragenter', document.body);
  const over = document.querySelectorAll('#over > div')[side];
  send('dragover', over);
  if (side < 0) return;
  window.drop = () => send('drop', over);
}
"""


def test_a_file_is_dropped_to_search_and_another_to_add_it(page, tones, tmp_path):
    for side, name in enumerate(["one.wav", "two.wav"]):
        zounds.save(tones([300 * (side + 1)], 0.5), tmp_path / name)
        page.evaluate(DROP, [name, list((tmp_path / name).read_bytes()), side])
        assert page.locator("#over").is_visible()
        page.snap(f"drop_{side}")
        page.evaluate("() => drop()")
        page.wait_for_selector("text=two.wav" if side else "h2:has-text('one.wav')")
    assert page.locator("#over").is_hidden()
    assert page.locator("#query-name").text_content() == "one.wav"
    assert page.locator(".chip").text_content() == "two.wav"


def test_the_microphone_is_searched_with(page):
    page.keyboard.press("r")
    page.wait_for_selector("#recording:not([hidden])")
    page.wait_for_timeout(1500)
    page.snap("recording")
    page.click("text=Stop and search")
    page.wait_for_selector(".row")
    assert page.locator("#query-name").text_content().startswith("recording")
    assert page.locator("#recording").is_hidden()


def test_a_recording_can_be_given_up(page):
    page.keyboard.press("r")
    page.wait_for_selector("#recording:not([hidden])")
    page.locator("#recording >> text=Cancel").focus()
    page.keyboard.press("Escape")
    page.wait_for_selector("#recording", state="hidden")
    assert page.locator("#query").is_hidden()


def test_names_that_hold_markup_are_shown_as_text(page, nasty):
    page.fill("#filter-text", "onerror")
    document = page.find("onerror")
    assert document["name"] == nasty
    page.search("onerror")
    assert page.locator("#query-name").text_content() == nasty
    assert page.locator("#query img").count() == 0
    page.keyboard.press("+")  # and in chips, menus, the REPL's history
    assert page.locator("main img").count() == 0


def test_the_code_differs_where_the_page_says_it_does(page):
    page.search("plucked")
    bits = page.row(2).locator(".c-like").get_attribute("title")
    page.choose(2)
    assert bits.split()[0] == page.locator("#code p").text_content().split()[0]


def test_links_and_paths_are_copied(page):
    document = page.search("plucked")
    clipboard = "() => navigator.clipboard.readText()"
    page.click("#query-link")
    page.wait_for_selector("#toast:not([hidden])")
    assert page.evaluate(clipboard) == page.url
    page.choose(0)
    page.keyboard.press("c")
    page.wait_for_selector("text=Path copied")
    assert page.evaluate(clipboard).endswith(page.selected)
    assert document["path"] not in page.evaluate(clipboard)


DRAG = """
row => {
  const data = new DataTransfer();
  row.dispatchEvent(new DragEvent('dragstart', { dataTransfer: data, bubbles: true }));
  return Object.fromEntries([...data.types].map(type => [type, data.getData(type)]));
}
"""


def test_a_row_dragged_out_is_the_file_itself(page):
    page.search("plucked")
    row = page.row(0)
    carried = row.evaluate(DRAG)
    # a browser hands out DownloadURL at a real drag only: its other types have the same address
    link = carried["text/uri-list"]
    answer = page.request.get(link)
    assert answer.headers["content-disposition"].startswith("attachment")
    with open(carried["text/plain"], "rb") as file:
        assert answer.body() == file.read()
