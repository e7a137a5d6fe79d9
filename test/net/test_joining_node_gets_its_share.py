# SPDX-License-Identifier: Apache-2.0
"""A third node joins two: it gets its share, taken from both; no other flow moves; clients see no failed request.

    client --- bridge --- web1, web2 (+ web3)
"""

import flows
from harness import VIP4, Cluster, check, main
from owners import check_shares, check_tcp


def test():
    with Cluster(nodes=3) as cluster:
        for node in (1, 2):
            cluster.start(node)
        cluster.wait_active([1, 2])
        asked = flows.many(2000, VIP4, 7001)
        before = check_tcp(cluster, asked)
        check_shares(before, nodes=2)

        load = flows.Load(cluster.client, flows.many(300, VIP4, 7002, seed=2))
        load.start()
        cluster.start(3)
        cluster.wait_active([1, 2, 3])
        attempts = load.stop()

        after = check_tcp(cluster, asked)
        check_shares(after, nodes=3)
        moved = {flow for flow in asked if before[flow] != after[flow]}
        check({after[flow] for flow in moved} == {"web3"}, "flows moved between the nodes that were there already")
        check({before[flow] for flow in moved} == {"web1", "web2"}, "the joiner took from one node alone")
        failed = [attempt for attempt in attempts if attempt.answer is None]
        check(not failed, f"{len(failed)} of {len(attempts)} requests failed while a node joined: {failed[:3]}")


main(test)
