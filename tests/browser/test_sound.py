"""What is heard: the right second of the right sound, at once, under one hand."""

import numpy as np
import pytest
import soundfile


def loudest_pitch(samples, rate):
    """The frequency of the strongest partial [Hz]."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 17))
    return np.argmax(spectrum) * rate / (1 << 17)


def of_file(document, start, end):
    """The same stretch, as the file has it."""
    samples, rate = soundfile.read(document["path"], always_2d=True)
    return samples[round(start * rate) : round(end * rate), 0], rate


def same_sound(played, expected):
    """Whether two stretches have the same length and the same strongest partial."""
    seconds = [len(samples) / rate for samples, rate in (played, expected)]
    pitches = [loudest_pitch(*one) for one in (played, expected)]
    return seconds == pytest.approx([seconds[0]] * 2, abs=0.011) and pitches == pytest.approx(
        [pitches[0]] * 2, rel=0.02
    )


def test_arrow_keys_play_the_matching_second_of_each_sound(page):
    page.search("long/steps", "~2~3")
    page.choose(0)
    for place in range(1, 6):
        page.keyboard.press("ArrowDown")
        played = page.heard(place)
        document = page.find(page.selected)
        assert page.selected == page.names[place]
        assert same_sound(played, of_file(document, *page.times(place)))


def test_a_click_on_a_wave_plays_that_stretch_and_shows_where_it_is(page):
    page.search("long/steps", "~1~2")
    place = page.names.index("other steps.wav")
    page.click("#loop")
    page.row(place).locator(".c-wave").click()
    played = page.heard(1)
    document = page.find("other steps")
    start, end = page.times(place)
    assert 0 < end - start < document["seconds"]
    assert same_sound(played, of_file(document, start, end))
    page.wait_for_function("() => document.querySelector('#now-time').textContent")
    assert page.locator("#now").text_content() == "other steps.wav"
    shown = float(page.locator("#now-time").text_content().split()[0])
    assert start - 0.02 <= shown <= end + 0.02
    assert page.row(place).locator(".play").get_attribute("aria-pressed") == "true"
    page.snap("playing")


def test_space_plays_and_stops(page):
    page.search("plucked")
    page.click("#loop")  # it does not end by itself
    page.choose(2)
    page.keyboard.press("Space")
    page.heard(1)
    page.wait_for_selector(".row .play[aria-pressed=true]")
    page.keyboard.press("Space")
    page.wait_for_selector(".row .play[aria-pressed=false]")
    assert page.locator("#now").text_content() == "Nothing playing"


def test_the_keys_go_to_either_end_and_j_and_k_beside_it(page):
    page.search("plucked")
    page.choose(0)
    page.keyboard.press("End")
    assert page.selected == page.names[-1]
    page.keyboard.press("k")
    assert page.selected == page.names[-2]
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    assert page.selected == page.names[0]


def test_without_autoplay_moving_is_silent(page):
    page.search("plucked")
    page.choose(0)
    page.keyboard.press("a")
    assert page.locator("#autoplay").get_attribute("aria-checked") == "false"
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(400)
    assert page.evaluate("() => heard.length") == 0
    page.keyboard.press("Space")
    page.heard(1)


def test_a_loop_goes_round_until_it_is_stopped(page):
    page.search("plucked")
    page.click("#loop")
    page.row(0).locator(".c-wave").click()
    samples, rate = page.heard(1)
    page.wait_for_timeout(1000 * len(samples) / rate + 600)
    assert page.evaluate("() => heard.length === 1 && heard[0].loop")
    assert page.locator(".row .play[aria-pressed=true]").count() == 1
    page.keyboard.press("Escape")
    page.wait_for_selector(".row .play[aria-pressed=true]", state="detached")


def test_a_long_sound_is_streamed_from_where_it_is_clicked(page):
    document = page.search("minute")
    strip = page.locator("#strip").bounding_box()
    page.mouse.click(strip["x"] + strip["width"] * 0.2, strip["y"] + 40)
    page.wait_for_function("() => window.element?.currentTime > 0.2")
    address, at, words = page.evaluate(
        "() => [element.src, element.currentTime, document.querySelector('#now-time').textContent]"
    )
    start = float(address.split("start=")[1].split("&")[0])
    assert start == pytest.approx(0.2 * document["seconds"], abs=0.1)
    assert float(words.split()[0]) == pytest.approx(start + at, abs=0.5)
    assert page.evaluate("() => heard.length") == 0


def test_the_query_is_heard_by_its_button_and_its_key(page):
    document = page.search("long/steps", "~1~2")
    page.click("#query-play")
    assert same_sound(page.heard(1), of_file(document, 1, 2))
    page.wait_for_selector("#query-play[aria-pressed=false]")
    page.keyboard.press("q")
    page.heard(2)


def test_a_sound_that_is_gone_says_so(open_page, address, corpus, sounds):
    page = open_page(f"{address}/", allowed=["410"])
    page.search("plucked")
    name = page.names[20]  # not one that is made ready
    path = next(sounds.rglob(name))
    try:
        path.rename(path.with_suffix(".away"))
        page.row(20).locator(".play").click()
        page.wait_for_selector("#now.bad")
        assert page.locator("#now").text_content().startswith(f"{name} cannot be played")
    finally:
        path.with_suffix(".away").rename(path)
