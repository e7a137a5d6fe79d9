# SPDX-License-Identifier: Apache-2.0
"""Weights 100, 50 and 0: two thirds, one third, nothing.

    client --- bridge --- web1 (100), web2 (50), web3 (0)
"""

import flows
from harness import VIP4, Cluster, check, main
from owners import check_tcp, spread


def test():
    with Cluster(nodes=3, weights={2: 50, 3: 0}) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        counts = spread(check_tcp(cluster, flows.many(3000, VIP4, 7001)))
        check(set(counts) == {"web1", "web2"}, f"a node of weight 0 takes part, or one of the others does not: {counts}")
        # 2000 and 1000, give or take six standard deviations of 26
        check(abs(counts["web1"] - 2000) < 156, f"not two to one: {counts}")


main(test)
