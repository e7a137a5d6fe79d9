# SPDX-License-Identifier: Apache-2.0
"""A node with connections crashes: their next packet gets a reset from the new owner, all others go on.

    client --- bridge --- web1, web2 (crashes), web3
"""

import connections
import flows
from harness import VIP4, VIP6, Cluster, check, main
from witness import RST, Witness


def test():
    with Cluster(nodes=3) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        held = connections.Held(cluster.client, flows.many(100, VIP4, 7001) + flows.many(50, VIP6, 7002))
        lost = set(held.of("web2"))
        check(len(lost) > 20, "web2 got too few connections to say anything")
        cluster.crash(2)
        cluster.wait_active([1, 3])
        with Witness(cluster.switch) as seen:
            broken = held.talk()
        check(set(broken) == lost, f"{len(set(broken) - lost)} connections of other nodes broke, "
                                   f"{len(lost - set(broken))} of the dead one's did not")
        silent = [flow for flow, how in broken.items() if "reset" not in how]
        check(not silent, f"{len(silent)} of {len(lost)} were not reset: {broken[silent[0]] if silent else ''}")
        resets = seen.tcp_answers(RST, RST)
        for flow in lost:
            ports = resets.get((flow.destination, flow.dport, flow.source, flow.sport), set())
            check(len(ports) == 1 and ports <= {"web1", "web3"}, f"{flow}: resets from {ports}")


main(test)
