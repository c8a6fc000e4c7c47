"""Filling a corpus: nobody else changes it in between."""

import subprocess
import sys

import zounds
from zounds.cli.filling import fill
from zounds.cli.progress import Meter

INTRUDER = """
import sys, zounds
try:
    zounds.Corpus(sys.argv[1]).remove(sys.argv[2])
except zounds.CorpusError as error:
    print(error)
"""


class Intruded(Meter):
    """Lets another process try to change the corpus whenever a stage begins."""

    def __init__(self, *arguments):
        super().__init__()
        self.tried = {}
        self._arguments = arguments

    def stage(self, task):
        super().stage(task)
        command = [sys.executable, "-c", INTRUDER, *map(str, self._arguments)]
        self.tried[task.split()[0]] = subprocess.check_output(command, text=True)


def test_no_other_process_changes_the_corpus_until_all_is_done(tmp_path, sounds):
    corpus = zounds.Corpus(tmp_path / "corpus")
    meter = Intruded(corpus.path, sounds)
    filled = fill(corpus, [str(sounds)], meter, workers=1)
    assert list(meter.tried) == ["looking", "reading", "learning", "coding"]
    for said in meter.tried.values():
        assert said == f"another process is changing {corpus.path}: wait until it is done\n"
    assert filled.indexed == len(corpus) == 14
    with corpus.changing():
        pass  # it was let go
