# SPDX-License-Identifier: Apache-2.0
"""Eight nodes started at once: one cluster, every flow has one owner, shares are even.

    client --- bridge --- web1 ... web8
"""

import flows
from harness import VIP4, VIP6, Cluster, main
from owners import check_shares, check_tcp, check_udp


def test():
    nodes = list(range(1, 9))
    with Cluster(nodes=8) as cluster:
        cluster.start_all()
        cluster.wait_active(nodes, seconds=60)
        check_shares(check_tcp(cluster, flows.many(2000, VIP4, 7001)), nodes=8)
        check_shares(check_tcp(cluster, flows.many(2000, VIP6, 7002)), nodes=8)
        check_shares(check_udp(cluster, flows.many(2000, VIP4, 7002)), nodes=8)


main(test)
