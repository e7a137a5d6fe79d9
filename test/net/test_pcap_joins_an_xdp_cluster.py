# SPDX-License-Identifier: Apache-2.0
"""One node of three filters in user space, the others with XDP: the cluster sees no difference.

    client --- bridge --- web1, web2 (pcap), web3 (joins)

Every flow has one owner, whichever it is; connections, bulk in both directions among them, live on over joins and leaves
of either kind, and over a restart of all with the other datapath; what the former one has left is gone in the end.
"""

import connections
import flows
import snapshot
from configuration import RULES
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_shares, check_tcp, check_udp
from pairs import PORT, RULE, Bulk, Pairs

MODES = {1: "generic", 2: "tap", 3: "generic"}


def modes(cluster):
    return {node: cluster.status(node)["datapath"]["mode"] for node in cluster.ids}


def exchange(cluster):
    """Every agent is killed and starts with the other datapath, while connections are open."""
    for node in cluster.ids:
        cluster.kill(node)
    cluster.write_config(cluster.config_file, datapaths={1: "pcap", 3: "pcap"})
    cluster.start_all()
    cluster.wait_active([1, 2, 3])


def test():
    with Cluster(nodes=3, rules=RULES + RULE, cluster='datapath = "xdp"', datapaths={2: "pcap"},
                 heartbeat="dead_after_ms = 3000", extra="\n[agent]\ndrain_ms = 0\n") as cluster:
        pristine = {node: snapshot.take(cluster, node) for node in cluster.ids}
        cluster.start(1)
        cluster.start(2)
        cluster.wait_active([1, 2])
        held = connections.Held(cluster.client, flows.many(150, VIP4, 7001) + flows.many(50, VIP6, 7002))
        check(set(held.owners.values()) == {"web1", "web2"}, "one node has no connection at all")
        through = Pairs(cluster)
        bulk = Bulk([through.connect(flow) for flow in flows.many(16, VIP4, PORT)], pause=0.02)

        def talk(when):
            bulk.all_flow()
            broken = held.talk()
            check(not broken, f"{when}: {len(broken)} of {len(held)} connections broke, {list(broken.items())[:3]}")

        cluster.start(3)
        cluster.wait_active([1, 2, 3])
        check(modes(cluster) == MODES, f"the nodes filter in {modes(cluster)}")
        talk("web3 joined")
        for node in (2, 1):
            cluster.nlbctl("stop", node=node)
            cluster.wait_active([other for other in cluster.ids if other != node])
            talk(f"web{node} left")
            cluster.nlbctl("start", node=node)
            cluster.wait_active([1, 2, 3])
            talk(f"web{node} came back")
        check_shares(check_tcp(cluster, flows.many(2000, VIP4, 7001, seed=2)), nodes=3)
        check_shares(check_udp(cluster, flows.many(2000, VIP6, 7001)), nodes=3)

        exchange(cluster)
        check(modes(cluster) == {1: "tap", 2: "generic", 3: "tap"}, f"the nodes filter in {modes(cluster)}")
        talk("the datapaths were exchanged")
        bulk.stop()
        held.close()
        check_shares(check_tcp(cluster, flows.many(2000, VIP6, 7001)), nodes=3)
        for node in cluster.ids:
            check(cluster.terminate(node) == 0, "SIGTERM did not end in exit code 0")
            snapshot.check_same(pristine[node], snapshot.take(cluster, node))


main(test)
