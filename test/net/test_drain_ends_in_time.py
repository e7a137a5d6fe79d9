# SPDX-License-Identifier: Apache-2.0
"""A drain with connections that do not end: --timeout stops anyway, SIGTERM waits for drain_ms, a second one does not.

    client --- bridge --- web1, web2, web3
"""

import time

import connections
import flows
from harness import VIP4, Cluster, check, main

DRAIN_MS = 60000


def drains(cluster, node):
    return cluster.status(node)["state"] == "draining"


def test():
    with Cluster(nodes=3, extra=f"\n[agent]\ndrain_ms = {DRAIN_MS}\n") as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        held = connections.Held(cluster.client, flows.many(90, VIP4, 7001))

        for wrong, code in (("-1", 2), ("x", 2), ("604801", 2)):
            check(cluster.nlbctl("drain", "--timeout", wrong, node=3, check_exit=False).returncode == code,
                  f"--timeout {wrong} is taken")
        check(cluster.nlbctl("drain", "web9", node=3, check_exit=False).returncode == 4, "a drain of no node is taken")
        check(cluster.status(3)["state"] == "active", "a refused drain has drained")
        cluster.nlbctl("drain", "--timeout", 4, node=3)
        cluster.wait_until(lambda: drains(cluster, 3), "web3 drains")
        time.sleep(2)  # a drain without connections ends sooner
        check(drains(cluster, 3), "the drain has ended with connections left, and before its time")
        check(not held.talk(), f"connections broke during the drain: {held.broken}")
        cluster.wait_until(lambda: cluster.status(3)["state"] == "stopped", "web3 stops with connections left")
        check(not held.talk(), f"a stopped node has let go of its connections: {held.broken}")

        # The agent ends as soon as no connection is left, and long before drain_ms.
        agent = cluster.agents.pop(2)
        agent.terminate()
        cluster.wait_until(lambda: drains(cluster, 2), "web2 drains on SIGTERM")
        check(cluster.nlbctl("start", node=2, check_exit=False).returncode == 4, "an agent that ends was started")
        time.sleep(2)
        check(not held.talk(), f"SIGTERM broke connections: {held.broken}")
        check(agent.poll() is None, "the agent has ended with connections left")
        held.close(held.of("web2"))
        started = time.monotonic()
        check(agent.wait(30) == 0, "SIGTERM did not end in exit code 0")
        check(time.monotonic() - started < DRAIN_MS / 1000 / 2, "the agent has waited for nobody")

        # Asked twice.
        agent = cluster.agents.pop(1)
        agent.terminate()
        cluster.wait_until(lambda: drains(cluster, 1), "web1 drains on SIGTERM")
        check(agent.poll() is None, "the agent has ended with connections left")
        agent.terminate()
        check(agent.wait(30) == 0, "a second SIGTERM did not end in exit code 0")


main(test)
