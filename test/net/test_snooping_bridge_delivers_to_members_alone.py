# SPDX-License-Identifier: Apache-2.0
"""A bridge that snoops, with a querier: clients' frames reach every node and no other port. igmp and multicast mode.

    client --- bridge (snoops, asks every second) --- web1, web2, web3
                  |
                other (member of nothing)

A Linux bridge looks at the IP destination, which is not a group, and gives such frames to multicast routers' ports alone:
the nodes advertise themselves as such. In igmp mode they are also members of the cluster's group, for switches that
look at the MAC address; the kernel renews that, whether an agent lives or not.
"""

import json

import flows
import netns
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_tcp, check_udp
from witness import watcher

MODES = {"multicast": "03:bf:c0:00:02:64", "igmp": "01:00:5e:7f:02:64"}
GROUP = "239.255.2.100"
NODE_PORTS = {"web1", "web2", "web3"}


def snooped(cluster):
    return json.loads(netns.run(cluster.switch, "bridge", "-j", "-d", "-s", "mdb", "show").stdout)[0]


def router_ports(cluster):
    return {entry["port"] for entry in snooped(cluster)["router"].get("bridge0", [])}


def members(cluster):
    """Port of each member of the cluster's group -> seconds until the bridge forgets it."""
    return {entry["port"]: float(entry["timer"]) for entry in snooped(cluster)["mdb"] if entry["grp"] == GROUP}


def frames_to(mac, eavesdropper):
    """How many of the frames that wait in the socket are to this MAC address, and how many there are."""
    counted = total = 0
    try:
        while True:
            counted += eavesdropper.recv(128)[:6].hex(":") == mac
            total += 1
    except TimeoutError:
        return counted, total


def check_delivery(cluster, mac):
    eavesdropper = watcher(cluster.namespace("other"), "eth0")
    for address in (VIP4, VIP6):
        netns.run(cluster.client, "ip", "neighbour", "flush", "dev", "eth0")
        answers = check_tcp(cluster, flows.many(300, address, 7001))
        check(set(answers.values()) == NODE_PORTS, f"only {set(answers.values())} answer")
        check_udp(cluster, flows.many(300, address, 7001))
    counted, total = frames_to(mac, eavesdropper)
    eavesdropper.close()
    check(counted == 0, f"{counted} of the cluster's frames came to a port that is no member")
    check(total > 0, "the eavesdropper heard nothing at all, not even ARP")


def check_renewal_without_an_agent(cluster):
    """The group's member stays one as long as its host lives."""
    cluster.kill(2)
    cluster.wait_active([1, 3])
    last = [members(cluster).get("web2", 0.0)]

    def renewed():
        before, last[0] = last[0], members(cluster).get("web2", 0.0)
        return last[0] > before

    cluster.wait_until(renewed, "the kernel of a node whose agent was killed answers the querier")
    cluster.start(2)
    cluster.wait_active([1, 2, 3])


def test_mode(mode, mac):
    with Cluster(nodes=3, snooping=True, cluster=f'mac_mode = "{mode}"') as cluster:
        cluster.add_host("other")
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        cluster.wait_until(lambda: router_ports(cluster) == NODE_PORTS, "the bridge takes the nodes for routers")
        check_delivery(cluster, mac)
        if mode == "igmp":
            cluster.wait_until(lambda: set(members(cluster)) == NODE_PORTS, "the nodes are members of the group")
            check_renewal_without_an_agent(cluster)
        # The bridge forgets a port that goes down.
        netns.ip(cluster.switch, "link set web3 down")
        cluster.wait_until(lambda: "web3" not in router_ports(cluster), "the bridge forgets a port that is down")
        netns.ip(cluster.switch, "link set web3 up")
        cluster.wait_until(lambda: router_ports(cluster) == NODE_PORTS, "it is told anew when the link is back")
        cluster.wait_active([1, 2, 3])
        check_delivery(cluster, mac)


def test():
    for mode, mac in MODES.items():
        test_mode(mode, mac)


main(test)
