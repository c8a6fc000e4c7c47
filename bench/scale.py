"""What a collection costs, by its size: a model, from constants that were measured.

    python bench/scale.py

prints the table of docs/scale.md.
"""

from __future__ import annotations

# Measured on one core of an AMD EPYC, or counted; see bench/RESULTS.md and docs/scale.md.
CPU_PER_HOUR = 18.0  # s to describe an hour of audio (200x realtime)
CPU_PER_FILE = 0.003  # s for what a file takes besides
SEGMENT = 30 * 1024 / 44100  # s of audio that is a segment: 0.697
VALUES_PER_SEGMENT = 1600  # bytes: 330 numbers of float32, and 64 more with codes
VALUES_PER_FILE = 7400  # bytes, with its part of the journal
INDEX_PER_SEGMENT = 160  # bytes: a code of 16 and a vector of 64, in two ways
WRITES_PER_FILE = 2.3  # requests, when it is added and when it is coded
READS_PER_FILE = 8.0  # requests, from adding to the first index
SCAN = 0.8e9  # codes per second that one core compares

# Assumed: change them to yours.
MINUTES_PER_FILE = 1.0
MEGABYTES_PER_HOUR = 60.0  # of audio, as MP3 of 128 kbit/s
CORES = 64  # of one machine
MEMORY = 256e9  # bytes of one machine
HOURS_WANTED = 24.0  # for reading all of it
EURO_PER_CORE_HOUR = 0.04
EURO_PER_GIGABYTE_MONTH = 0.023
EURO_PER_WRITE, EURO_PER_READ = 5e-6, 4e-7
CODE = 16  # bytes that a scan reads of each segment
MEMORY_RATE = 200e9  # bytes per second that one machine reads from memory
NETWORK = 1.25e9  # bytes per second of one machine


def costs(segments: float) -> dict[str, str]:
    """Return what so many segments cost."""
    hours = segments * SEGMENT / 3600
    files = hours * 60 / MINUTES_PER_FILE
    work = (hours * CPU_PER_HOUR + files * CPU_PER_FILE) / 3600
    machines = max(1, round(work / CORES / HOURS_WANTED + 0.499))
    stored = segments * VALUES_PER_SEGMENT + files * VALUES_PER_FILE
    index = segments * INDEX_PER_SEGMENT
    requests = files * (WRITES_PER_FILE * EURO_PER_WRITE + READS_PER_FILE * EURO_PER_READ)
    traffic = (hours * MEGABYTES_PER_HOUR * 1e6 + stored) / NETWORK / machines / 3600
    holders = max(1, round(index / (0.5 * MEMORY) + 0.499))
    scan = max(segments / SCAN / CORES, segments * CODE / MEMORY_RATE)
    return {
        "hours of audio": f"{hours:,.0f}",
        "files": f"{files:,.0f}",
        "core hours to read it": f"{work:,.1f}",
        f"machines of {CORES} cores": f"{machines}",
        "hours with them": f"{work / CORES / machines:,.2f}",
        "of these, for the network": f"{traffic:,.2f}",
        "gigabytes of features": f"{stored / 1e9:,.1f}",
        "gigabytes of index": f"{index / 1e9:,.2f}",
        "machines that hold the index": f"{holders}",
        "ms for a search, on all their cores": f"{scan / holders * 1e3:,.2f}",
        "euros to read it": f"{work * EURO_PER_CORE_HOUR + requests:,.2f}",
        "euros a month to keep it": f"{(stored + index) / 1e9 * EURO_PER_GIGABYTE_MONTH:,.2f}",
    }


def table() -> str:
    """Return the costs of three sizes, in Markdown."""
    sizes = [costs(segments) for segments in (1e6, 1e8, 1e10)]
    lines = ["| segments | 1e6 | 1e8 | 1e10 |", "|---|---|---|---|"]
    lines += [f"| {name} | {' | '.join(size[name] for size in sizes)} |" for name in sizes[0]]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
