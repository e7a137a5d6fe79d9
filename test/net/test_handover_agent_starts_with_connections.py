# SPDX-License-Identifier: Apache-2.0
"""An agent is started anew on a host whose service has kept its connections: they live on, wherever the buckets went.

    client --- bridge --- web1, web2 (agent ends, or is killed, and starts), web3 (joins meanwhile)
"""

import connections
import flows
from harness import VIP4, Cluster, check, main


def test():
    with Cluster(nodes=4, extra="\n[agent]\ndrain_ms = 0\n") as cluster:
        cluster.start(1)
        cluster.start(2)
        cluster.wait_active([1, 2])
        held = connections.Held(cluster.client, flows.many(200, VIP4, 7001))
        check(cluster.terminate(2) == 0, "SIGTERM did not end in exit code 0")
        cluster.start(3)
        cluster.wait_active([1, 3])
        cluster.start(2)
        cluster.wait_active([1, 2, 3])
        broken = held.talk()
        check(not broken, f"ended and started: {len(broken)} connections broke, {list(broken.items())[:3]}")

        cluster.kill(2)
        cluster.start(4)
        cluster.wait_active([1, 3, 4])
        cluster.start(2)
        cluster.wait_active([1, 2, 3, 4])
        broken = held.talk()
        check(not broken, f"killed and started: {len(broken)} connections broke, {list(broken.items())[:3]}")


main(test)
