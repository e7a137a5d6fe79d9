# SPDX-License-Identifier: Apache-2.0
"""An agent is told to vanish, as at an upgrade, and started again at once: it is back within its right to serve, with the
default times, and resumes. Every time, the leader's as well.

    bridge --- web1 (leads), web2, web3

They are restarted one after another, each as soon as all are active again.

A start is ordinary work: it has 250 ms at least and 400 at most, and takes 100 to 250. How quick the machine is at ordinary work is measured beside
it, by a program that starts, reads a configuration and ends. A round in which that took long is played again.
"""

import signal
import time

from harness import NLBCTL, Cluster, Stalled, check, main
import netns

ROUNDS = 6
QUICK = 2.0  # times what the quickest of these took
STALL = 0.02


def reference(cluster):
    """Seconds that a short program takes."""
    began = time.monotonic()
    netns.run(None, NLBCTL, "check", cluster.config_file)
    return time.monotonic() - began


def restart(cluster, node):
    """Whether it resumes, and how long no agent answered, in seconds."""
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


def test():
    with Cluster(nodes=3, servers=False) as cluster:
        cluster.start_all()
        cluster.wait_active(cluster.ids)
        quickest = min(reference(cluster) for _ in range(5))
        counted, slow = [], 0
        for number in range(3 * ROUNDS):
            if len(counted) == ROUNDS:
                break
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
