# SPDX-License-Identifier: Apache-2.0
"""Two of five nodes crash at once, the leader among them: the others take over, their own clients notice nothing.

    client --- bridge --- web1 (leads), web4: crash at once; web2, web3, web5
"""

import flows
import netns
from harness import VIP4, Cluster, check, main
from owners import check_shares, check_tcp
from watched import Watched


def test():
    with Cluster(nodes=5) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3, 4, 5])
        leader = cluster.status(2)["view"]["leader"]
        other = 4 if leader != 4 else 5
        with Watched(cluster) as watch:
            netns.ip(cluster.switch, f"""
                link set web{leader} down
                link set web{other} down""")
            cluster.crash(leader)
            cluster.crash(other)
            left = [node for node in cluster.ids if node not in (leader, other)]
            cluster.wait_active(left)
            check(cluster.status(left[0])["view"]["leader"] in left, "a dead node leads")
        watch.check_one_owner(changes=1)
        watch.check_served([f"web{leader}", f"web{other}"])
        check_shares(check_tcp(cluster, flows.many(2000, VIP4, 7001)), nodes=3)
        cluster.revive(leader)
        cluster.revive(other)
        cluster.wait_active([1, 2, 3, 4, 5])


main(test)
