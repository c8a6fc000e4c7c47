"""The map: hover to hear, click to search, lasso for a set."""

import math

import pytest


@pytest.fixture
def atlas(page):
    """The start page, with the map in its place."""
    page.keyboard.press("v")
    page.keyboard.press("v")
    page.wait_for_selector("#work[data-view=map]")
    page.wait_for_selector(".legend button")
    return page


# the first pixel that is not of the ground, away from the buttons and the legend
A_DOT = """
() => {
  const canvas = document.querySelector('.map canvas');
  const { width, height } = canvas;
  const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
  const pixels = new Uint32Array(data.buffer);
  for (let y = 70; y < height - 150; y++)
    for (let x = 20; x < width - 20; x++)
      if (pixels[y * width + x] !== pixels[0])
        return [(x / width) * canvas.clientWidth, (y / height) * canvas.clientHeight];
}
"""


def over_a_dot(page):
    """Move the pointer until it is at a dot; returns the name of its sound."""
    page.wait_for_function(A_DOT)
    x, y = page.evaluate(A_DOT)
    box = page.locator(".marks").bounding_box()
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.wait_for_selector(".tip:not([hidden]) strong:not(:empty)")
    return page.locator(".tip strong").text_content()


def test_the_map_is_loaded_when_it_is_looked_at(page):
    def scripts():
        loaded = page.evaluate("() => performance.getEntriesByType('resource').map(e => e.name)")
        return sum(name.endswith(".js") for name in loaded)

    before = scripts()
    page.keyboard.press("v")
    page.wait_for_selector(".legend button")
    assert scripts() > before


def test_a_dot_is_heard_under_the_pointer_and_searched_with_by_a_click(atlas):
    atlas.mouse.click(5, 5)  # sound needs a gesture first
    name = over_a_dot(atlas)
    atlas.heard(1)
    assert atlas.locator("#now").text_content() in (name, "Nothing playing")
    atlas.snap("map_hover")
    atlas.mouse.down()
    atlas.mouse.up()
    atlas.wait_for_selector("#work[data-view=both] .row")
    assert atlas.locator("#query-name").text_content() == name
    atlas.snap("both")


def test_a_lasso_makes_a_set(atlas):
    box = atlas.locator(".marks").bounding_box()
    cx, cy = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    atlas.keyboard.press("l")
    assert atlas.locator(".map-tools button").first.get_attribute("aria-pressed") == "true"
    rx, ry = box["width"] * 0.49, box["height"] * 0.49
    atlas.mouse.move(cx + rx, cy)
    atlas.mouse.down()
    for step in range(1, 40):
        angle = step / 40 * 2 * math.pi
        atlas.mouse.move(cx + rx * math.cos(angle), cy + ry * math.sin(angle))
    atlas.mouse.up()
    atlas.wait_for_selector(".lassoed:not([hidden])")
    count = int(atlas.locator(".lassoed strong").text_content().split()[0])
    assert count > 10
    atlas.snap("lasso")
    atlas.click("text=Show as list")
    atlas.wait_for_selector("#count:has-text('in the lasso')")
    assert len(atlas.names) == min(count, 60)
    atlas.click("text=Search with set")
    atlas.wait_for_selector("#count:has-text('nearest first')")
    assert atlas.locator(".chip").count() == count - 1
    atlas.locator(".marks").focus()
    atlas.keyboard.press("Escape")
    atlas.wait_for_selector(".lassoed", state="hidden")


def test_keys_go_from_dot_to_dot(atlas):
    atlas.locator(".marks").focus()
    for key in ("ArrowRight", "ArrowLeft", "ArrowUp"):
        atlas.keyboard.press(key)
        if atlas.locator(".tip").is_visible():
            break
    name = atlas.locator(".tip strong").text_content()
    atlas.keyboard.press("Enter")
    atlas.wait_for_selector(".row")
    assert atlas.locator("#query-name").text_content() == name


def test_the_legend_singles_out_a_folder(atlas):
    first = atlas.locator(".legend button").first
    first.click()
    assert first.get_attribute("aria-pressed") == "true"
    assert atlas.locator(".legend button[aria-pressed=true]").count() == 1
    first.click()
    assert atlas.locator(".legend button[aria-pressed=true]").count() == 0


def test_the_wheel_zooms_and_a_drag_moves(atlas):
    box = atlas.locator(".marks").bounding_box()
    picture = atlas.locator(".map").screenshot()
    atlas.mouse.move(box["x"] + 300, box["y"] + 200)
    atlas.mouse.wheel(0, -400)
    atlas.wait_for_timeout(300)
    zoomed = atlas.locator(".map").screenshot()
    assert zoomed != picture
    atlas.mouse.down()
    atlas.mouse.move(box["x"] + 400, box["y"] + 260, steps=4)
    atlas.mouse.up()
    atlas.wait_for_timeout(300)
    assert atlas.locator(".map").screenshot() != zoomed
    assert atlas.locator("#query").is_hidden()
