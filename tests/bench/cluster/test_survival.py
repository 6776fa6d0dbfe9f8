"""Where the time goes, in words: the medians of each process, and what differs most first."""

from __future__ import annotations

from bench.cluster.survival import differences, told


def test_what_differs_most_comes_first_whichever_way() -> None:
    runs = {
        "with": [{"gcs": 5.0, "journal": 3.0, "sampler": 9.0}, {"gcs": 7.0, "journal": 3.0, "sampler": 9.5}],
        "without": [{"gcs": 5.0, "sampler": 20.0}, {"gcs": 5.0, "sampler": 19.0, "driver": 0.5}],
    }
    found = differences(runs)
    assert found == {"sampler": -10.25, "journal": 3.0, "gcs": 1.0, "driver": -0.25}
    assert told(found, most=2) == "sampler -10.2, journal +3.0"
