# SPDX-License-Identifier: Apache-2.0
"""32 nodes are started at once and share evenly; 31 are killed at once: the one that is left serves everybody, keeps its
own connections, and resets those of the dead.

    client --- bridge --- web1 ... web32    (web17 is left)
"""

import connections
import flows
import netns
from harness import VIP4, Cluster, check, main
from owners import check_shares, check_tcp

RULE = """
[[rule]]
name = "all"
protocol = "both"
ports = "7001"
affinity = "none"
"""
LEFT = 17


def test():
    with Cluster(nodes=32, rules=RULE) as cluster:
        cluster.start_all()
        cluster.wait_active(cluster.ids, seconds=120)
        asked = flows.many(3200, VIP4, 7001)
        check_shares(check_tcp(cluster, asked), nodes=32)
        held = connections.Held(cluster.client, flows.many(400, VIP4, 7001, seed=2))
        kept = held.of(f"web{LEFT}")
        check(kept, "no connection is with the node that is left")

        dead = [node for node in cluster.ids if node != LEFT]
        netns.ip(cluster.switch, "\n".join(f"link set web{node} down" for node in dead))
        for node in dead:
            cluster.crash(node)
        cluster.wait_active([LEFT], seconds=60)
        got = check_tcp(cluster, asked)
        check(set(got.values()) == {f"web{LEFT}"}, f"answered by {set(got.values())}")
        broken = held.talk()
        silent = [flow for flow, how in broken.items() if "reset" not in how]
        check(not set(broken) & set(kept), "connections of the node that is left broke")
        check(len(broken) == len(held) - len(kept) and not silent, f"{len(silent)} connections of the dead were not reset")


main(test)
