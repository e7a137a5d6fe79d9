# SPDX-License-Identifier: Apache-2.0
"""`interval_ms = 10, dead_after_ms = 100`: the cluster forms, no node is taken for dead while nothing happens, a node
crashes and returns, and no request is ever answered by two nodes.

    client --- bridge (a witness listens) --- web1, web2 (crashes, returns), web3

A machine that stalls for longer than such a lease makes nodes fall silent, and rightly so: a quiet while counts only when
the machine was never late.
"""

import time

import flows
from harness import VIP4, Cluster, Failed, check, main
from watched import Watched

QUIET, LATE = 5.0, 0.02


def history(cluster):
    """What changes when a node is taken for dead or loses its lease."""
    return [(cluster.status(node)["view"], cluster.log(node).count("new life")) for node in cluster.ids]


def stays_as_it_is(cluster):
    for _ in range(12):
        before = history(cluster)
        since = time.monotonic()
        time.sleep(QUIET)  # that nothing happens is what is tested
        after = history(cluster)
        if after == before:
            return
        check(cluster.stalls.worst(since)[0] > LATE, f"with nothing going on, from {before} to {after}")
        cluster.wait_active(cluster.ids)
    raise Failed("the machine stalls all the time")


def all_served_by(cluster, names):
    got = flows.ask_tcp(cluster.client, flows.many(500, VIP4, 7001))
    return set(got.values()) == set(names)


def test():
    with Cluster(nodes=3, heartbeat="interval_ms = 10\ndead_after_ms = 100") as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        stays_as_it_is(cluster)
        with Watched(cluster) as watch:
            cluster.crash(2)
            cluster.wait_active([1, 3])
            cluster.wait_until(lambda: all_served_by(cluster, ["web1", "web3"]), "the others serve everybody")
            cluster.revive(2)
            cluster.wait_active([1, 2, 3])
        watch.check_none_twice()
        cluster.wait_until(lambda: all_served_by(cluster, ["web1", "web2", "web3"]), "all serve")


main(test)
