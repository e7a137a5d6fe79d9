# SPDX-License-Identifier: Apache-2.0
"""An agent is told to vanish, as at an upgrade, and started again at once: it is back within its right to serve, with the
default times, and resumes. Every time, the leader's as well.

    bridge --- web1 (leads), web2, web3

Between two of them the cluster comes to rest: a leader that has just been elected grants leases a beat or two later, and
an agent that is started again before that has less than 400 ms.

A start is ordinary work: it has 400 ms, and takes 100 to 250. How quick the machine is at ordinary work is measured beside
it, by a program that starts, reads a configuration and ends. A round in which that took long is played again.
"""

import signal
import time

from harness import NLBCTL, Cluster, Stalled, check, main
import netns

ROUNDS = 6
QUICK = 2.0  # times what the quickest of these took
STALL = 0.02
DEAD_AFTER = 0.5


def reference(cluster):
    """Seconds that a short program takes."""
    began = time.monotonic()
    netns.run(None, NLBCTL, "check", cluster.config_file)
    return time.monotonic() - began


def restart(cluster, node):
    """Whether it resumes, and how long nobody was there."""
    before = cluster.log(node).count("agent: resumes")
    agent = cluster.agents.pop(node)
    agent.send_signal(signal.SIGUSR2)
    check(agent.wait(20) == 0, "SIGUSR2 did not end in exit code 0")
    began = time.monotonic()
    cluster.start(node)
    cluster.wait_until(lambda: cluster.status(node), "it answers", every=0.01)
    took = time.monotonic() - began
    cluster.wait_active(cluster.ids)
    return cluster.log(node).count("agent: resumes") > before, took


def at_rest(cluster):
    views = [cluster.status(node)["view"] for node in cluster.ids]
    time.sleep(DEAD_AFTER)
    return views == [cluster.status(node)["view"] for node in cluster.ids]


def test():
    with Cluster(nodes=3, servers=False) as cluster:
        cluster.start_all()
        cluster.wait_active(cluster.ids)
        quickest = min(reference(cluster) for _ in range(5))
        counted, slow = [], 0
        for number in range(3 * ROUNDS):
            if len(counted) == ROUNDS:
                break
            cluster.wait_until(lambda: at_rest(cluster), "the views of all stay as they are")
            since = time.monotonic()
            first = reference(cluster)
            resumed, took = restart(cluster, number % 3 + 1)
            took_longest = max(first, reference(cluster))
            if resumed or (took_longest <= QUICK * quickest and cluster.stalls.worst(since)[0] <= STALL):
                counted.append((resumed, round(1000 * took)))
            else:
                slow += 1
        print(f"ms without an agent: {[took for _, took in counted]}; {slow} rounds of a slow machine not counted")
        late = [took for resumed, took in counted if not resumed]
        check(not late, f"{len(late)} of {len(counted)} agents were not back within their right to serve, after {late} ms")
        if len(counted) < ROUNDS:
            raise Stalled(f"the machine was slow in {slow} rounds")


main(test)
