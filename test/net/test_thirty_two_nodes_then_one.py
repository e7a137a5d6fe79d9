# SPDX-License-Identifier: Apache-2.0
"""32 nodes are started at once and share evenly; 31 are killed at once: the one that is left serves all clients, keeps its
own connections, and resets those of the dead. No request is answered by two nodes.

    client --- bridge (a witness listens) --- web1 ... web32    (web17 is left)
"""

import flows
import netns
from configuration import RULES
from harness import VIP4, Cluster, check, main
from owners import check_shares, check_tcp
from watched import Watched

LEFT = 17


def test():
    # 32 agents share this machine's processors: at 50 ms the 23,000 beats a second that they hear take more than one.
    with Cluster(nodes=32, rules=RULES, heartbeat="interval_ms = 200\ndead_after_ms = 2000") as cluster:
        cluster.start_all()
        cluster.wait_active(cluster.ids, seconds=120)
        asked = flows.many(3200, VIP4, 7001)
        check_shares(check_tcp(cluster, asked), nodes=32)

        dead = [node for node in cluster.ids if node != LEFT]
        with Watched(cluster, clients=640, per_second=200, held=320, pause=1) as watch:
            kept = watch.held.of(f"web{LEFT}")
            check(kept, "no connection is with the node that is left")
            netns.ip(cluster.switch, "\n".join(f"link set web{node} down" for node in dead))
            for node in dead:
                cluster.crash(node)
            cluster.wait_active([LEFT], seconds=60)
            lost = len(watch.held) - len(kept)
            cluster.wait_until(lambda: len(watch.held.broken) >= lost, "the connections of the dead are gone", seconds=60)
        watch.check_one_owner(changes=1)
        watch.check_served([f"web{node}" for node in dead])
        silent = [flow for flow, how in watch.held.broken.items() if "reset" not in how]
        check(not silent, f"{len(silent)} of {lost} connections of the dead were not reset")
        got = check_tcp(cluster, asked)
        check(set(got.values()) == {f"web{LEFT}"}, f"answered by {set(got.values())}")


main(test)
