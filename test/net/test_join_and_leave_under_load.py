# SPDX-License-Identifier: Apache-2.0
"""Nodes join, leave, drain and return while wrk asks nginx all the time, on 200 connections that stay and on new ones,
and 300 more connections are held: not one of them breaks, not one request fails.

    client (wrk) --- bridge (a witness listens) --- web1, web2, web3, web4 (join and leave)
"""

import connections
import flows
import web
from configuration import RULES
from harness import VIP4, VIP6, Cluster, check, main
from witness import Witness


def test():
    with Cluster(nodes=4, rules=RULES + web.RULE, extra="\n[agent]\ndrain_ms = 0\n") as cluster:
        web.serve(cluster)
        cluster.start(1)
        cluster.start(2)
        cluster.wait_active([1, 2])
        held = connections.Held(cluster.client, flows.many(200, VIP4, 7001) + flows.many(100, VIP6, 7002))
        with Witness(cluster.switch) as seen, connections.Talking(held) as talking:
            asking = [web.Wrk(cluster, connections=200, pause_ms=200),
                      web.Wrk(cluster, connections=20, pause_ms=200, keep=False)]

            def change(verb, node, active):
                cluster.start(node) if verb == "join" else cluster.nlbctl(verb, node=node)
                cluster.wait_active(active)
                talking.goes_on(cluster)

            change("join", 3, [1, 2, 3])
            change("join", 4, [1, 2, 3, 4])
            change("stop", 1, [2, 3, 4])  # the leader
            change("drain", 3, [2, 4])
            change("start", 1, [1, 2, 4])
            change("start", 3, [1, 2, 3, 4])
            change("stop", 2, [1, 3, 4])
            change("start", 2, [1, 2, 3, 4])
            for wrk in asking:
                wrk.stop()
        for wrk in asking:
            wrk.check()
        check(not held.broken, f"{len(held.broken)} of {len(held)} connections broke: {list(held.broken.items())[:3]}")
        seen.check_undisturbed(held.owners)


main(test)
