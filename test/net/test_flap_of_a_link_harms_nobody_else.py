# SPDX-License-Identifier: Apache-2.0
"""The link of a node goes down and up 20 times, some shorter than dead_after and some longer: no request is answered by
two nodes, clients of the other nodes notice nothing, and in the end all serve.

    client --- bridge --- web1, web2 (its link flaps), web3
"""

import random
import time

import flows
import netns
from harness import VIP4, Cluster, main
from owners import check_shares, check_tcp
from watched import Watched


def test():
    dice = random.Random(1)
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        with Watched(cluster, per_second=200) as watch:
            for flap in range(20):
                netns.ip(cluster.switch, "link set web2 down")
                time.sleep(dice.uniform(0.05, 0.9))  # not waiting for anything: these are the faults
                netns.ip(cluster.switch, "link set web2 up")
                time.sleep(dice.uniform(0.05, 0.9))
            cluster.wait_active([1, 2, 3])
        watch.check_one_owner(changes=40)
        watch.check_served(["web2"])
        check_shares(check_tcp(cluster, flows.many(2000, VIP4, 7001)), nodes=3)


main(test)
