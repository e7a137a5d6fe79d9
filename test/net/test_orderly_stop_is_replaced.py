# SPDX-License-Identifier: Apache-2.0
"""`nlbctl stop` and SIGTERM: the others take over, `nlbctl start` brings the node back, no request fails meanwhile.

    client --- bridge --- web1, web2, web3
"""

import flows
from harness import VIP4, Cluster, check, main
from owners import check_shares, check_tcp


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        asked = flows.many(2000, VIP4, 7001)
        load = flows.Load(cluster.client, flows.many(300, VIP4, 7002, seed=2), per_second=100, patience=8)
        load.start()

        cluster.nlbctl("stop", node=3)
        cluster.wait_active([1, 2])
        stopped = cluster.wait_until(lambda: (status := cluster.status(3))["state"] == "stopped" and status,
                                     "web3 calls itself stopped")
        check(all(rule["buckets"] == 0 for rule in stopped["rules"]), "a stopped node still counts buckets")
        check_shares(check_tcp(cluster, asked), nodes=2)

        cluster.nlbctl("start", node=3)
        cluster.wait_active([1, 2, 3])
        check_shares(check_tcp(cluster, asked), nodes=3)

        check(cluster.terminate(1) == 0, "SIGTERM did not end in exit code 0")
        cluster.wait_active([2, 3])
        check_shares(check_tcp(cluster, asked), nodes=2)

        attempts = load.stop()
        failed = [attempt for attempt in attempts if attempt.answer is None]
        check(not failed, f"{len(failed)} of {len(attempts)} requests failed: {failed[:3]}")


main(test)
