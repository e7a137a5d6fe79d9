# SPDX-License-Identifier: Apache-2.0
"""SIGKILL of an agent alone (link and server stay up): its node falls silent, and a plain start brings it back.

    client --- bridge --- web1, web2 (agent killed), web3
"""

import flows
import snapshot
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_shares, check_tcp, check_udp


def test():
    with Cluster(nodes=3) as cluster:
        pristine = snapshot.take(cluster, 2)
        cluster.start_all()
        cluster.wait_active([1, 2, 3])

        cluster.kill(2)
        cluster.wait_active([1, 3])
        # Its server still listens on the virtual IP: only the filter keeps it from answering.
        check_shares(check_tcp(cluster, flows.many(2000, VIP4, 7001)), nodes=2)

        for _ in range(3):
            cluster.start(2)
            cluster.wait_active([1, 2, 3])
            cluster.kill(2)
        cluster.start(2)  # at once, while the others still count on the killed one
        cluster.wait_active([1, 2, 3])
        check_shares(check_tcp(cluster, flows.many(2000, VIP4, 7001)), nodes=3)
        check_shares(check_udp(cluster, flows.many(2000, VIP6, 7001)), nodes=3)

        check(cluster.terminate(2) == 0, "SIGTERM did not end in exit code 0")
        snapshot.check_same(pristine, snapshot.take(cluster, 2))


main(test)
