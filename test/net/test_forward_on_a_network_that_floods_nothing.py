# SPDX-License-Identifier: Apache-2.0
"""delivery = "forward": the bridge delivers to learned addresses alone, and every flow is answered by its owner all the same.

    client --- bridge (floods nothing) --- web1, web2, web3 (dies)

The receiver answers for its virtual IP with its own MAC, and sends on what is another's; when it dies, the address moves with
the view that removes it. Only the receiver and the owner see a packet of a flow. A node whose filter is gone is
silent, also when the lock behind it was taken away and put back; one whose XDP program in front of the filter is gone is not.
"""

import json
import signal

import flows
import netns
import snapshot
from harness import VIP4, VIP6, Cluster, check, main
from owners import check_shares, check_tcp, check_udp, explained, expected
from test_detached_filter_is_silence import detach


def mac_at_client(cluster, address):
    """What the client believes."""
    shown = json.loads(netns.run(cluster.client, "ip", "-j", "neigh", "show", address).stdout)
    return shown[0].get("lladdr") if shown else None


def mac_of(cluster, node):
    return json.loads(netns.run(cluster.namespace(node), "ip", "-j", "link", "show", "eth0").stdout)[0]["address"]


def receivers(cluster, node=1):
    return {each["address"]: each["receiver"] for each in cluster.status(node)["virtual_ips"]}


def check_all_flows(cluster, nodes):
    for address in (VIP4, VIP6):
        check_shares(check_tcp(cluster, flows.many(1000, address, 7001)), nodes=nodes)
        check_shares(check_udp(cluster, flows.many(1000, address, 7001)), nodes=nodes)


def check_receivers(cluster, node):
    for address, receiver in receivers(cluster, node).items():
        wanted, found = mac_of(cluster, receiver), mac_at_client(cluster, address)
        check(found == wanted, f"the client believes that {address} is at {found}, its receiver web{receiver} has {wanted}")


def check_explained(cluster):
    """Asked anywhere, the answer names the owner, and that the packet would be sent on."""
    asked = [("tcp", flow) for flow in flows.many(60, VIP4, 7001)]
    owners = expected(cluster, "tcp", [flow for _, flow in asked])
    for (_, flow), told in explained(cluster, asked).items():
        check(told["owner_name"] == owners[flow], f"explain says {told['owner_name']}, the owner is {owners[flow]}")
        wanted = "accepted" if told["node"] == told["owner"] else "forwarded"
        check(told["reason"] == wanted, f"explain at web{told['node']} says {told['reason']}, owner {told['owner']}")


def check_second_lock(cluster, node):
    """The node's agent stands still, and its filter is removed: its share of the flows is answered by no node."""
    asked = flows.many(300, VIP4, 7001)
    owners = expected(cluster, "tcp", asked)
    receiver = receivers(cluster)[VIP4]
    agent = cluster.agents[node]
    agent.send_signal(signal.SIGSTOP)
    netns.run(cluster.namespace(node), "tc", "qdisc", "del", "dev", "eth0", "clsact")
    got = flows.ask_tcp(cluster.client, asked, timeout=1)
    open_ones = [flow for flow, who in got.items() if who == f"web{node}"]
    check(not open_ones, f"web{node} has no filter and answers {len(open_ones)} flows, {open_ones[:3]}")
    check(receiver == node or any(got.values()), f"nobody answers: {owners}")
    agent.send_signal(signal.SIGCONT)
    cluster.wait_until(lambda: "datapath: put back (tc filter" in cluster.log(node), "the tc filter is put back")
    netns.run(cluster.namespace(node), "nft", "delete", "table", "netdev", "nlbd-lock-eth0")
    cluster.wait_until(lambda: "are kept from the host again" in cluster.log(node), "the lock is put back")


def check_front(cluster):
    """The receiver's program of XDP is removed: tc sends on all, so every flow is answered, and it is put back."""
    receiver = receivers(cluster)[VIP4]
    detach(cluster.namespace(receiver))
    check_tcp(cluster, flows.many(500, VIP4, 7001))
    cluster.wait_until(lambda: "put back (XDP program nlbd_forward" in cluster.log(receiver), "the XDP program is put back")
    check_tcp(cluster, flows.many(500, VIP4, 7001))


def test():
    with Cluster(nodes=3, delivery="forward") as cluster:
        pristine = snapshot.take(cluster, 3)
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        check(cluster.status(1)["delivery"] == "forward", "status says another delivery")
        check_all_flows(cluster, nodes=3)
        check_receivers(cluster, node=1)
        check_explained(cluster)
        sent = {node: sum(each["packets"] for each in cluster.status(node)["sent_on"]) for node in cluster.ids}
        for node in cluster.ids:
            is_receiver = node in receivers(cluster).values()
            check((sent[node] > 0) == is_receiver, f"web{node} has sent on {sent[node]} packets, receivers {receivers(cluster)}")

        if cluster.status(1)["datapath"]["kind"] == "xdp":
            check_front(cluster)
        check_second_lock(cluster, 2)
        cluster.wait_active([1, 2, 3])
        check_all_flows(cluster, nodes=3)

        dead = receivers(cluster)[VIP4]
        left = [node for node in cluster.ids if node != dead]
        cluster.crash(dead)
        cluster.wait_active(left)
        check_all_flows(cluster, nodes=2)
        check_receivers(cluster, node=left[0])
        cluster.revive(dead)
        cluster.wait_active([1, 2, 3])
        check_all_flows(cluster, nodes=3)
        check_receivers(cluster, node=1)

        check(cluster.terminate(3) == 0, "SIGTERM did not end in exit code 0")
        snapshot.check_same(pristine, snapshot.take(cluster, 3))


main(test)
