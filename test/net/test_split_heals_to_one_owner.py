# SPDX-License-Identifier: Apache-2.0
"""The heartbeat network falls apart: each side goes on serving. It heals: one cluster, each flow has one owner again.

    client --- bridge0 --- web1, web2, web3 --- bridge1 | bridge2   (heartbeats: web1 | web2, web3)
"""

import flows
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_shares, check_tcp, check_udp


def test():
    with Cluster(nodes=3, heartbeat_network=True) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        for lonely in (1, 3):  # the leader's side may be either
            cluster.split(lonely)
            others = [node for node in cluster.ids if node != lonely]
            cluster.wait_active([lonely])
            cluster.wait_active(others)
            cluster.heal()
            cluster.wait_active([1, 2, 3])
            check_shares(check_tcp(cluster, flows.many(2000, VIP4, 7001)), nodes=3)
            check_shares(check_udp(cluster, flows.many(2000, VIP6, 7002)), nodes=3)
        check(all(agent.poll() is None for agent in cluster.agents.values()), "an agent has ended")


main(test)
