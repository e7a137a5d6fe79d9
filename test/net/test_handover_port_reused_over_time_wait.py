# SPDX-License-Identifier: Apache-2.0
"""A client uses a port again whose last connection left a TIME_WAIT socket at the bucket's old owner.

    client --- bridge --- web1 (has the TIME_WAIT sockets), web2 (takes the buckets)

The old owner's stack would answer the SYN; a lingering bucket passes none.
"""

import select

import flows
from configuration import RULES
from harness import VIP4, Cluster, check, check_one_owner, main
from owners import expected
from pairs import PORT, RULE, Pairs, end_orderly, says
from witness import ACK, RST, SYN, Witness


def test():
    with Cluster(nodes=2, rules=RULES + RULE) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2])
        asked = flows.many(60, VIP4, PORT)
        moving = [flow for flow, owner in expected(cluster, "tcp", asked).items() if owner == "web2"]
        cluster.nlbctl("stop", node=2)
        cluster.wait_active([1])
        pairs = Pairs(cluster)
        for pair in [pairs.connect(flow) for flow in moving]:
            check(pair.node == 1, "web1 is alone and does not serve")
            end_orderly(pair.server)  # the side that closes first has the TIME_WAIT
            check(select.select([pair.client], [], [], 20)[0], "the server's end does not arrive")
            end_orderly(pair.client)
        cluster.nlbctl("start", node=2)
        cluster.wait_active([1, 2])
        with Witness(cluster.switch) as seen:
            again = [pairs.connect(flow) for flow in moving]
        check({pair.node for pair in again} == {2}, "the new owner does not serve a port that is used again")
        for pair in again:
            check(says(pair.client, pair.server, b"hello"), "a connection over a TIME_WAIT socket stalls")
        answered = seen.tcp_answers(SYN | ACK, SYN | ACK)
        for flow in moving:
            ports = answered.get((flow.destination, flow.dport, flow.source, flow.sport), set())
            check_one_owner(ports, flow)
            check(ports == {"web2"}, f"SYN-ACKs from {ports}, the owner is web2")
        check(not seen.tcp_answers(RST, RST), "somebody has sent a reset")


main(test)
