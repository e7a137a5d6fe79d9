# SPDX-License-Identifier: Apache-2.0
"""A node crashes (link down, everything killed): the others take over, their own clients notice nothing; it returns.

    client --- bridge --- web1, web2 (crashes), web3
"""

import flows
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_shares, check_tcp, check_udp, expected


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        clients = flows.many(300, VIP4, 7002, seed=2)
        owners = {flow.source: owner for flow, owner in expected(cluster, "tcp", clients).items()}
        load = flows.Load(cluster.client, clients)
        load.start()

        cluster.crash(2)
        cluster.wait_active([1, 3])
        check_shares(check_tcp(cluster, flows.many(2000, VIP4, 7001)), nodes=2)
        check_shares(check_udp(cluster, flows.many(2000, VIP6, 7001)), nodes=2)

        cluster.revive(2)
        cluster.wait_active([1, 2, 3])
        attempts = load.stop()
        check_shares(check_tcp(cluster, flows.many(2000, VIP4, 7001)), nodes=3)

        survivors = [attempt for attempt in attempts if owners[attempt.flow.source] != "web2"]
        failed = [attempt for attempt in survivors if attempt.answer is None]
        check(len(survivors) > 100, "too few requests to say anything")
        check(not failed, f"{len(failed)} of {len(survivors)} requests to surviving nodes failed: {failed[:3]}")


main(test)
