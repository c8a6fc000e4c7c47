import json
import os
from pathlib import Path

import pytest

from zounds.corpus.outcome import Outcome, Report

OK = Outcome("file:///s/a.wav", "a.wav", "ok", "", "1", [3, 4], 2.0, 44100.0, 2)
PARTIAL = Outcome("file:///s/b.wav", "b.wav", "partial", "b.wav: it ends early", "2", seconds=0.5)
SKIPPED = Outcome("file:///s/c.wav", "c.wav", "skipped", "", "3", seconds=9.0)
FAILED = Outcome("file:///s/d.wav", "d.wav", "failed", "d.wav is no audio")
MISSPELT = Outcome("zip:file:///s/e.zip!/a.txt", "a.txt", "failed", "a.txt is no audio")

REPORT = Report((FAILED, OK, MISSPELT, SKIPPED, PARTIAL), elapsed=4.0, others=7)


def test_a_report_sorts_outcomes_by_what_became_of_them():
    assert REPORT.ok == (OK,)
    assert REPORT.partial == (PARTIAL,)
    assert REPORT.skipped == (SKIPPED,)
    assert REPORT.failed == (FAILED, MISSPELT)
    assert Report(()).ok == Report(()).failed == ()


def test_only_what_was_read_counts_as_audio():
    assert REPORT.seconds == 2.5
    assert Report(()).seconds == 0


def test_as_text_there_is_a_line_for_each_that_is_not_whole():
    assert str(REPORT).splitlines() == [
        "1 ok, 1 skipped, 1 partial, 2 failed; 2.5 s of audio in 4.0 s",
        "failed: a.txt is no audio",
        "failed: d.wav is no audio",
        "partial: b.wav: it ends early",
    ]
    assert str(Report(())) == "0 ok, 0 skipped, 0 partial, 0 failed; 0.0 s of audio in 0.0 s"


def test_in_a_notebook_a_report_is_one_line_however_much_it_holds():
    report = Report((OK,) * 40_000, elapsed=4.0)
    said = "<Report: 40000 ok, 0 skipped, 0 partial, 0 failed; 80000.0 s of audio in 4.0 s>"
    assert repr(report) == said


def test_a_record_is_plain_and_whole():
    record = REPORT.record()
    assert json.loads(json.dumps(record)) == record
    assert (record["ok"], record["skipped"], record["others"]) == (1, 1, 7)
    assert (record["seconds"], record["elapsed"]) == (2.5, 4.0)
    assert record["partial"] == [PARTIAL.record()]
    assert [failed["name"] for failed in record["failed"]] == ["d.wav", "a.txt"]
    assert Outcome(**OK.record()) == OK


@pytest.mark.parametrize(
    ("status", "expected"),
    [("ok", True), ("partial", True), ("failed", False), ("skipped", False), ("removed", False)],
)
def test_what_was_read_has_a_document(status, expected):
    assert Outcome("file:///a", "a", status).is_document is expected


@pytest.mark.skipif(os.name == "nt", reason="its paths begin with a drive")
def test_only_files_of_this_machine_have_a_path():
    assert Outcome("file:///s/a%20%C3%A4%23.wav", "a", "ok").path == Path("/s/a ä#.wav")
    for uri in ("zip:file:///s/a.zip!/b.wav", "https://x.org/a.wav", "data:,bytes#12"):
        assert Outcome(uri, "a", "ok").path is None
