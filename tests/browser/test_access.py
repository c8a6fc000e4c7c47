"""Everybody can use it: by keyboard, with a screen reader, on a phone, in the dark."""

import pytest

WIDTHS = [360, 390, 760, 820, 1000, 1080, 1280, 1440, 1920, 2560]
AXE = """
async () => {
  const { violations } = await axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'],
  });
  return violations
    .filter(one => ['serious', 'critical'].includes(one.impact))
    .map(one => `${one.id}: ${one.nodes.map(node => node.html).slice(0, 3).join(' ')}`);
}
"""
OUTSIDE = """
() => [...document.querySelectorAll('button, input, .row, .chip, h2, .panel, .query')]
  .filter(one => one.checkVisibility() && !one.closest('.side, .aloud, .facets, .legend, .mix'))
  .filter(one => {
    const box = one.getBoundingClientRect();
    return box.width && (box.right > innerWidth + 1 || box.left < -1);
  })
  .map(one => one.outerHTML.slice(0, 120))
"""


def start(page):
    page.wait_for_selector(".starts button")


def results(page):
    start(page)
    # a few rows are enough: one is like the other
    page.search("long/steps", "~1~2", "&folder=long&folder=odd names")
    page.choose(1)
    page.keyboard.press("+")
    page.wait_for_selector("#mix .chip")


def cards(page):
    results(page)
    page.click("#layout [value=cards]")


def world(page):
    start(page)
    page.search("plucked")
    page.click("#phone-map" if page.locator("#phone-map").is_visible() else "#view [value=map]")
    page.wait_for_selector(".legend button")


def nothing(page):
    start(page)
    page.search("plucked")
    page.fill("#filter-text", "no such sound")
    page.wait_for_selector("#panel h2")


def recording(page):
    start(page)
    page.keyboard.press("r")
    page.wait_for_selector("#recording:not([hidden])")


def keys(page):
    start(page)
    page.keyboard.press("?")


def menu(page):
    results(page)
    page.row(1).locator("[aria-haspopup=menu]").click()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "state",
    [start, results, cards, world, nothing, recording, keys, menu],
    ids=lambda f: f.__name__,
)
def test_axe_finds_no_serious_fault(open_page, address, state, theme):
    page = open_page(f"{address}/", color_scheme=theme)
    state(page)
    page.snap(f"{state.__name__}_{theme}")
    assert page.evaluate(AXE) == []


@pytest.mark.parametrize("state", [start, results, world], ids=lambda f: f.__name__)
def test_axe_finds_no_serious_fault_on_a_phone(open_page, address, state):
    page = open_page(f"{address}/", 390, 844, has_touch=True, device_scale_factor=2)
    state(page)
    page.snap(f"{state.__name__}_phone")
    assert page.evaluate(AXE) == []


@pytest.mark.parametrize("state", [start, results], ids=lambda f: f.__name__)
def test_nothing_is_outside_the_window_at_any_width(open_page, address, state):
    page = open_page(f"{address}/")
    state(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(200)
        if width in (360, 820, 1000, 1920, 2560):
            page.snap(f"{state.__name__}_{width}")
        assert page.evaluate(OUTSIDE) == [], width
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), width


def test_the_keyboard_alone_goes_from_nothing_to_the_sound_of_a_result(open_page, address):
    page = open_page(f"{address}/")
    start(page)
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("() => !!document.activeElement.closest('.starts')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector(".row")
    page.keyboard.press("ArrowDown")
    page.heard(1)
    assert page.evaluate("() => document.activeElement.matches('.row[aria-selected=true]')")
    name = page.selected
    page.keyboard.press("Enter")
    page.wait_for_function("name => document.title.startsWith(name)", arg=name)
    page.settle()
    # what was focused is gone with the old list, and the new one is as near
    page.keyboard.press("ArrowDown")
    page.heard(2)


def test_the_list_is_one_tab_stop_and_says_what_a_row_is(page):
    page.search("long/steps", "~1~2")
    assert page.locator(".row[tabindex='0']").count() == 1
    assert page.locator(".row button:not([tabindex='-1'])").count() == 0
    label = page.row(0).get_attribute("aria-label")
    assert label.startswith(f"1, {page.names[0]}, ")
    assert "percent" in label


def test_keys_do_nothing_while_one_types(page):
    page.search("plucked")
    page.fill("#filter-text", "")
    page.locator("#filter-text").press_sequentially("xrv-")
    assert page.locator("#recording").is_hidden()
    assert page.locator("#work").get_attribute("data-view") == "list"
    assert page.locator(".chip.less").count() == 0


def test_a_finger_selects_and_plays(open_page, address):
    page = open_page(f"{address}/", 390, 844, has_touch=True)
    start(page)
    page.search("plucked")
    page.row(1).locator(".c-name").tap()
    page.heard(1)
    assert page.selected == page.names[1]
    acts = page.row(1).locator(".c-acts button:visible")
    assert acts.count() == 5
    for box in (acts.nth(i).bounding_box() for i in range(5)):
        assert box["width"] >= 44
        assert box["height"] >= 44


def test_the_policy_of_the_page_forbids_what_it_does_not_need(open_page, address):
    page = open_page(f"{address}/", allowed=["Content Security Policy"])
    start(page)
    page.evaluate(
        "() => { const s = document.createElement('script'); s.text = 'window.ran = 1';"
        " document.body.append(s); }"
    )
    assert page.evaluate("() => window.ran") is None
