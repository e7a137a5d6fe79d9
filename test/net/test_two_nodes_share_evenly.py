# SPDX-License-Identifier: Apache-2.0
"""Two nodes: half of the flows each.

    client --- bridge --- web1, web2
"""

import flows
from harness import VIP4, VIP6, Cluster, main
from owners import check_shares, check_tcp, check_udp


def test():
    with Cluster(nodes=2) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2])
        check_shares(check_tcp(cluster, flows.many(2000, VIP4, 7001)), nodes=2)
        check_shares(check_udp(cluster, flows.many(2000, VIP6, 7002)), nodes=2)


main(test)
