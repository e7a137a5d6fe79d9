# SPDX-License-Identifier: Apache-2.0
"""Part a: how many packets that other servers serve can one processor drop in a second?

The kernel itself injects them into a veth pair (injector.cpp) and the same processor receives them, so the rates include
the sender. What counts is the share of the rate that a program reaches which does nothing but drop, both taken a
moment apart; each round measures all contenders in turn. With nlbd's pcap datapath sender and judge have a processor
each, and what counts is how many are judged; what finds the ring full is dropped without.
"""

import filter_bench
from table import Table, median

NAME = "drops"
WHAT = "foreign packets dropped per second and processor, millions (and share of XDP_DROP alone)"
REPEATS = 15

_YARDSTICK = "XDP_DROP alone"


def measure(options, say):
    """situation -> contender -> packets a second, one number a repeat"""
    say("every contender in turn, several times")
    return filter_bench.run("drops", options.repeats or REPEATS)


def table(result):
    contenders = sorted({name for one in result.values() for name in one}, key=lambda name: -_rate(result, name))
    made = Table(["median"] + contenders)
    for situation, one in result.items():
        made.add(situation, *[_cell(one, name) for name in contenders])
    return made


def _rate(result, contender):
    return max(median(one[contender]) for one in result.values() if contender in one)


def _cell(one, contender):
    if contender not in one:
        return "-"
    share = median([rate / best for rate, best in zip(one[contender], one[_YARDSTICK])])
    return f"{median(one[contender]) / 1e6:.1f} ({share:.2f})"
