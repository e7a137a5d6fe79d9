# SPDX-License-Identifier: Apache-2.0
"""Beats of web3 do not get out, or none reach it: it falls silent before the others take over. Mended, it returns.

    client --- bridge (beats are lost between its ports, one way) --- web1, web2 | web3

With `partition = "serve"` a node that hears nobody serves, for the others may be dead: there only the first half holds.
"""

import cuts
from harness import Cluster, check, main
from watched import Watched


def one_way(cluster, incoming, outgoing):
    with Watched(cluster) as watch:
        cuts.cut(cluster, incoming, outgoing)
        cluster.wait_active([1, 2])
        cluster.wait_until(lambda: cluster.status(3)["state"] != "active", "web3 serves no more")
        cluster.wait_until(lambda: watch.moved() > 30, "its clients are answered by the others")
        check(cluster.status(3)["reason"], "web3 does not say why it does not serve")
        cuts.mend(cluster)
        cluster.wait_active([1, 2, 3])
    watch.check_one_owner(changes=2)
    watch.check_answered(lambda owner: owner != "web3")


def test():
    inside, outside = ["web3"], ["web1", "web2"]
    for partition in ("serve", "quorum"):
        with Cluster(nodes=3, heartbeat=f'partition = "{partition}"') as cluster:
            cluster.start_all()
            cluster.wait_active([1, 2, 3])
            one_way(cluster, inside, outside)
            if partition == "quorum":
                one_way(cluster, outside, inside)


main(test)
