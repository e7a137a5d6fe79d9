# SPDX-License-Identifier: Apache-2.0
"""Part g: how many packets a second does a cluster take in, when its nodes' processors are the limit?

One processor is a node and gets packets as the node would, injected as in part a; what is its own goes through the stack
to a socket. Of n nodes each serves 1/n of the packets. With flooding every node receives all of them, and each is as
busy as any other. With forwarding one node receives all and sends on what is not its own; or there are as many virtual
IPs as nodes, and each receives its part from clients and its share of the others' parts from the other nodes. The sender's
own time (a receiver that only drops) is taken off, so the numbers are one processor's whole work.
"""

import filter_bench
from table import Table, median

NAME = "capacity"
WHAT = "packets that a cluster takes in by one processor of each node, millions a second (nanoseconds of the busiest node for each)"
REPEATS = 9

_ALL_RECEIVE = ", all receive"


def measure(options, say):
    """delivery -> nodes -> packets a second that come to the busiest node, one number a repeat"""
    say("every delivery in turn, several times")
    return filter_bench.run("capacity", options.repeats or REPEATS)


def _nanoseconds(name, nodes, rates, sender):
    """Of the busiest node's processor, for each packet that comes to the cluster."""
    of_each = median([1e9 / rate - 1e9 / alone for rate, alone in zip(rates, sender)])
    return of_each * (2 * nodes - 1) / nodes ** 2 if name.endswith(_ALL_RECEIVE) else of_each


def table(result):
    sender = result["nothing"]["alone"]
    names = [name for name in result if name != "nothing"]
    sizes = sorted({int(nodes) for nodes in result[names[0]]})
    made = Table(["median (ns)"] + [f"{nodes} nodes" for nodes in sizes])
    for name in names:
        spent = [_nanoseconds(name, nodes, result[name][str(nodes)], sender) for nodes in sizes]
        made.add(name, *[f"{1e3 / one:.2f} ({one:.0f})" for one in spent])
    return made
