# SPDX-License-Identifier: Apache-2.0
"""The packets' thread of a pcap node is behind, with frames in its ring that came before the tables changed: it answers
none of those that another node has answered.

    client --- bridge --- web1 (pcap; its packets' thread gets what the others leave), web2 (leaves and comes back)
"""

import starving
from harness import Cluster, main
from watched import Watched


def test():
    with Cluster(nodes=2, heartbeat="dead_after_ms = 2000", cluster='datapath = "pcap"') as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2])
        with Watched(cluster, clients=200, per_second=400, held=4) as watch:
            with starving.packets_thread(cluster.agents[1]):
                for _ in range(6):
                    cluster.nlbctl("stop", node=2)
                    cluster.wait_active([1], 60)
                    cluster.nlbctl("start", node=2)
                    cluster.wait_active([1, 2], 60)
        watch.check_one_owner(changes=12)


main(test)
