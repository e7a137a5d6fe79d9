# SPDX-License-Identifier: Apache-2.0
"""`nlbctl doctor` in front of networks that are ill, each in one way: it names that and nothing else, and with the illness gone
it finds nothing.

    client --- bridge0 --- web1, web2, web3      (bridge1, for beats, where beats must not fall ill as well)

- Ports that are isolated from each other.
- A switch that holds the cluster MAC at one port; one that floods it to no port; one port that does not get it.
- A bridge that snoops and delivers by IP address; a group of heartbeats that is not delivered.
- A port that does not carry packets of the interface's MTU.
"""

import netns
from doctor import consult, port
from harness import VIP4, Cluster, check, main

UNICAST_MAC = "02:bf:c0:00:02:64"
NODES = (1, 2, 3)


def started(cluster):
    cluster.start_all()
    cluster.wait_active(list(NODES))
    well = consult(cluster, [])
    for sender in NODES:
        for receiver in NODES:
            check(sender == receiver or well.heard(sender, receiver) == "all", f"web{sender} to web{receiver}:\n{well}")
    return cluster


def test_isolated_ports():
    with Cluster(heartbeat_network=True) as cluster:
        started(cluster)
        for node in (2, 3):
            port(cluster, node, "isolated on")
        said = consult(cluster, ["isolated"])
        check((said.heard(2, 3), said.heard(3, 2), said.heard(1, 2)) == ("nothing", "nothing", "all"), str(said))
        port(cluster, 1, "isolated on")
        said = consult(cluster, ["isolated"], also=["clients_path_dead", "virtual_ip_unanswered"])
        check(said.findings["isolated"]["nodes"] == ["web1", "web2", "web3"], str(said))
        for node in NODES:
            port(cluster, node, "isolated off")
        consult(cluster, [])


def test_cluster_mac():
    with Cluster(heartbeat_network=True, cluster='mac_mode = "unicast"') as cluster:
        started(cluster)
        entry = ("bridge", "fdb")
        netns.run(cluster.switch, *entry, "replace", UNICAST_MAC, "dev", "web2", "master", "static")
        said = consult(cluster, ["cluster_mac_learned"])
        check(said.findings["cluster_mac_learned"]["nodes"] == ["web2"], str(said))
        check((said.heard(1, 2), said.heard(1, 3)) == ("all", "broadcasts"), str(said))
        netns.run(cluster.switch, *entry, "del", UNICAST_MAC, "dev", "web2", "master")
        consult(cluster, [])
        port(cluster, 3, "flood off")
        said = consult(cluster, ["cluster_mac_filtered"])
        check(said.findings["cluster_mac_filtered"]["nodes"] == ["web3"], str(said))
        for node in (1, 2):
            port(cluster, node, "flood off")
        consult(cluster, ["cluster_mac_blocked"])


def test_delivery_by_ip_address():
    with Cluster(heartbeat_network=True, snooping=True) as cluster:
        for node in NODES:
            port(cluster, node, "mcast_router 0")
        cluster.start_all()
        cluster.wait_active(list(NODES))
        consult(cluster, ["snooping_by_address"])
        for node in NODES:
            port(cluster, node, "mcast_router 2")
        consult(cluster, [])


def test_heartbeat_group():
    """Its members have been forgotten, because no querier asks for them. Where the nodes are is known from before."""
    with Cluster(cluster='mac_mode = "unicast"', virtual_ips=(VIP4,)) as cluster:
        for node in NODES:
            netns.sysctl(cluster.namespace(node), "net.ipv6.conf.eth0.disable_ipv6", 1)
            netns.ip(cluster.namespace(node), "route replace 198.18.0.0/15 via 192.0.2.254")
        started(cluster)
        for node in NODES:
            port(cluster, node, "mcast_flood off")
        said = consult(cluster, ["group_not_delivered"], also=["peers_lost_together", "not_serving"])
        check(said.findings["group_not_delivered"]["severity"] == "fault", str(said))


def test_size():
    with Cluster() as cluster:
        started(cluster)
        netns.ip(cluster.switch, "link set web3 mtu 1400")
        said = consult(cluster, ["mtu_not_carried"])
        check((said.heard(1, 3), said.heard(1, 2)) == ("short", "all"), str(said))


def test():
    test_isolated_ports()
    test_cluster_mac()
    test_delivery_by_ip_address()
    test_heartbeat_group()
    test_size()


main(test)
