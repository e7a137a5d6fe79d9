# SPDX-License-Identifier: Apache-2.0
"""A node crashes right after it gave buckets away: what it said to hold there must not keep the others silent.

    client --- bridge --- web1, web2 (all connections are its own; crashes), web3 (has just joined)

(Where web1 or web3 hold connections in the same group of buckets they do stay silent: it might be the other's.)
"""

import connections
import flows
from harness import VIP4, Cluster, check, main


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start(1)
        cluster.start(2)
        cluster.wait_active([1, 2])
        held = connections.Held(cluster.client, flows.many(100, VIP4, 7001))
        held.close(held.of("web1"))
        cluster.start(3)
        cluster.wait_active([1, 2, 3])
        check(not held.talk(), f"the join broke {held.broken}")
        check(cluster.status(2)["connections"]["lingering_groups"] > 0, "web2 has nothing that lingers")
        cluster.crash(2)
        cluster.wait_active([1, 3])
        broken = held.talk()
        check(len(broken) == len(held), f"{len(held) - len(broken)} connections of a dead node live")
        silent = [flow for flow, how in broken.items() if "reset" not in how]
        check(not silent, f"{len(silent)} of {len(broken)} were not reset")


main(test)
