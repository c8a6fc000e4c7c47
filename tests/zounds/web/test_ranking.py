"""The nearest codes to some, and far from others, beside a loop that looks at every code."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from zounds.corpus.view import Coded
from zounds.units import SampleRate
from zounds.web.ranking import agreed, ranked


def snapshot_of(rng, documents):
    counts = rng.integers(1, 4, documents)
    ids = [f"d{number}" for number in range(documents)]
    return Coded(
        16,
        ids,
        [f"{one}.wav" for one in ids],
        [SampleRate(1, 1)] * documents,
        np.cumsum([0, *counts]),
        rng.integers(0, 4, (counts.sum(), 2), np.uint8),
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    documents=st.integers(1, 12),
    near=st.integers(1, 3),
    far=st.integers(0, 2),
    n=st.integers(1, 20),
    per_file=st.sampled_from([None, 1, 2]),
    filtered=st.booleans(),
)
def test_hits_are_those_of_a_loop(seed, documents, near, far, n, per_file, filtered):
    rng = np.random.default_rng(seed)
    snapshot = snapshot_of(rng, documents)
    more, less = (
        [rng.integers(0, 4, (rng.integers(1, 3), 2), np.uint8) for _ in range(count)]
        for count in (near, far)
    )
    among = rng.random(documents) < 0.5 if filtered else None

    def distance(row, codes):
        return min(int(np.unpackbits(snapshot.codes[row] ^ code).sum()) for code in codes)

    costs = []
    for row in range(len(snapshot.codes)):
        document, time = snapshot.place(row)
        if among is not None and not among[document]:
            continue
        cost = np.mean([distance(row, codes) for codes in more])
        if less:
            cost -= 0.5 * np.mean([distance(row, codes) for codes in less])
        costs.append((cost, row, document, time))
    expected = []
    for _, _, document, time in sorted(costs, key=lambda one: one[:2]):
        if per_file is None or sum(one[0] == document for one in expected) < per_file:
            expected.append((document, time.start))
    found = ranked(snapshot, more, less, n, per_file, among)
    assert [(int(hit._id[1:]), hit.time.start) for hit in found] == expected[:n]


def test_the_code_of_several_has_the_bits_that_most_have():
    codes = [np.array([[value]], np.uint8) for value in (0b1100, 0b1010, 0b1001)]
    assert agreed(codes).tolist() == [0b1000]
    assert agreed(codes[:2]).tolist() == [0b1100]  # even: as the first has it
    assert agreed(codes[:1]).tolist() == [0b1100]
