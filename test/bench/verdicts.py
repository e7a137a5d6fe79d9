# SPDX-License-Identifier: Apache-2.0
"""Part b: what does each verdict cost? The loaded program is run on one frame over and over (BPF_PROG_TEST_RUN).

Everything is in the caches then and every branch foreseen: it is the least that a verdict costs. A batch is 20,000
runs; batches alternate with those of a program that does nothing but drop.
"""

import filter_bench
from table import Table, median, percentile

NAME = "verdicts"
WHAT = "nanoseconds a verdict, over a program that does nothing but drop"
REPEATS = 10

_YARDSTICK = "nothing"


def measure(options, say):
    """verdict -> nanoseconds, one number a batch"""
    say("every verdict in turn, several times")
    return filter_bench.run("verdicts", options.repeats or REPEATS)


def table(result):
    base = median(result[_YARDSTICK])
    made = Table(["verdict", "median", "p99"])
    made.add(f"(the program that only drops, {base:.1f} ns)", "0.0", f"{percentile(result[_YARDSTICK], 99) - base:.1f}")
    for name, batches in result.items():
        if name != _YARDSTICK:
            made.add(name, f"{median(batches) - base:.1f}", f"{percentile(batches, 99) - base:.1f}")
    return made
