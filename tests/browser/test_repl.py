"""Python in the page."""

import pytest


@pytest.fixture(scope="module")
def python(corpus, serve):
    """The address of a server with a REPL, and its token."""
    with serve(corpus, "--repl") as address:
        yield address.split("#token=")


@pytest.fixture
def repl(python, open_page):
    """The REPL on a page of its own, ready."""
    address, token = python
    page = open_page(f"{address}repl#token={token}", allowed=["inline event handler"])
    page.wait_for_selector(".repl-state.idle", timeout=120_000)
    page.locator(".prompt textarea").fill("")
    return page


def run(page, code):
    """Type and run something, and wait for what comes of it; returns its last cell's text."""
    cells = page.locator(".cell.in").count()
    page.locator(".prompt textarea").fill(code)
    page.keyboard.press("Enter")
    page.wait_for_function(
        "cells => document.querySelectorAll('.cell.in').length > cells", arg=cells
    )
    page.wait_for_selector(".repl-state.idle", timeout=120_000)
    return page.locator(".transcript .cell").last


def test_searches_are_run_and_heard(repl):
    out = run(repl, "index.search(corpus.random(seed=1), n_results=3)")
    assert out.locator("li").count() == 3
    repl.wait_for_selector(".cell:last-child li .play")
    out.locator(".play").first.click()
    repl.wait_for_function("() => window.element?.src.startsWith('data:audio/wav')")
    repl.snap("repl")


def test_random_searches_show_players(repl):
    assert run(repl, "corpus.search(corpus.random(), n_results=2)").locator("audio").count() == 2


def test_text_numbers_and_errors_are_shown(repl):
    assert run(repl, "6 * 7").locator("pre").text_content() == "42"
    assert "one\ntwo" in run(repl, "print('one'); print('two')").text_content()
    error = run(repl, "corpus.titel")
    assert "error" in error.get_attribute("class")
    assert "AttributeError" in error.text_content()


def test_pictures_and_tables_are_shown_and_scripts_are_not(repl):
    html = "<table><tr><td>7</td></tr></table><img src=x onerror=ran=1><script>ran=1</script>"
    out = run(repl, f"from IPython.display import HTML; HTML({html!r})")
    assert out.locator("td").text_content() == "7"
    assert out.locator("script").count() == 0
    assert out.locator("img").get_attribute("onerror") is None
    assert repl.evaluate("() => window.ran") is None


def test_a_block_is_several_lines_and_an_empty_one_ends_it(repl):
    box = repl.locator(".prompt textarea")
    box.fill("for i in range(3):")
    box.press("Enter")
    repl.wait_for_function("() => document.querySelector('textarea').value.endsWith('\\n    ')")
    box.press_sequentially("print(i * 11)")
    box.press("Enter")
    repl.wait_for_function("() => document.querySelector('textarea').value.endsWith(')\\n    ')")
    box.press("Enter")
    repl.wait_for_selector("text=22")
    assert box.input_value() == ""


def test_what_was_run_comes_back_with_arrow_up(repl):
    run(repl, "first = 1")
    run(repl, "second = 2")
    box = repl.locator(".prompt textarea")
    box.press_sequentially("draft")
    for key, text in [("Up", "second = 2"), ("Up", "first = 1"), ("Down", "second = 2")]:
        box.press(f"Arrow{key}")
        assert box.input_value() == text
    box.press("ArrowDown")
    assert box.input_value() == "draft"


def test_names_are_completed(repl):
    box = repl.locator(".prompt textarea")
    box.press_sequentially("corpus.")
    repl.wait_for_selector(".completions li")
    box.press_sequentially("sea")
    repl.wait_for_function("() => document.querySelectorAll('.completions li').length === 1")
    repl.snap("repl_completion")
    box.press("Enter")
    assert box.input_value() == "corpus.search"
    box.press("Escape")


def test_what_runs_for_ever_is_interrupted(repl):
    box = repl.locator(".prompt textarea")
    box.fill("while True: pass")
    box.press("Enter")
    repl.wait_for_selector(".repl-state.busy")
    repl.click("[aria-label=Interrupt]")
    repl.wait_for_selector(".repl-state.idle", timeout=30_000)
    assert "KeyboardInterrupt" in repl.locator(".cell.error").last.text_content()


def test_a_restart_forgets_what_was_made_and_keeps_what_was_given(repl):
    run(repl, "made = 1")
    repl.click("[aria-label=Restart]")
    repl.wait_for_selector("text=Kernel restarted")
    repl.wait_for_selector(".repl-state.idle", timeout=60_000)
    assert run(repl, "'made' in globals(), 'corpus' in globals()").locator(
        "pre"
    ).text_content() == ("(False, True)")


def test_a_wrong_token_is_refused(python, open_page):
    page = open_page(f"{python[0]}repl#token=wrong", allowed=["401"])
    page.wait_for_selector(".repl-state.dead")
    assert "token" in page.locator(".repl-state").text_content().lower()
    assert "wrong" not in page.url


def test_the_repl_opens_beside_the_search_and_closes_again(python, open_page):
    address, token = python
    page = open_page(f"{address}#token={token}", allowed=["inline event handler"])
    page.wait_for_selector(".prompt textarea")
    assert token not in page.url
    page.wait_for_selector(".repl-state.idle", timeout=120_000)
    page.snap("repl_panel")
    page.click("[aria-label='Close REPL']")
    assert page.locator("#repl").is_hidden()
    page.keyboard.press("`")
    assert page.locator("#repl").is_visible()


def test_a_server_without_it_does_not_offer_it(page):
    assert page.locator("#repl-toggle").is_hidden()
    page.keyboard.press("`")
    assert page.locator("#repl").is_hidden()
