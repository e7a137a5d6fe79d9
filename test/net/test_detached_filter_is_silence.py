# SPDX-License-Identifier: Apache-2.0
"""The XDP program of one node is detached by hand: that node goes silent (not: answers everything), counts it and says
so; the others serve its clients until it is started again.

    client --- bridge --- web1, web2 (detached), web3
"""

import json

import flows
import netns
from harness import VIP4, VIP6, Cluster, check, check_one_owner, main
from owners import expected
from witness import ACK, RST, SYN, Witness


def detach(namespace):
    """Detaches the link of the XDP program on eth0, as an administrator would with bpftool."""
    link = json.loads(netns.run(namespace, "ip", "-j", "link", "show", "eth0").stdout)[0]
    program = link["xdp"]["prog"]["id"]
    links = json.loads(netns.run(namespace, "bpftool", "-j", "link", "show").stdout)
    for entry in links:
        if entry["type"] == "xdp" and entry["prog_id"] == program:
            netns.run(namespace, "bpftool", "link", "detach", "id", entry["id"])
    link = json.loads(netns.run(namespace, "ip", "-j", "link", "show", "eth0").stdout)[0]
    check("xdp" not in link, "the program is still attached")


def test():
    with Cluster(nodes=3, cluster='datapath = "xdp"') as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        before = cluster.status(2)
        check(before["counters"]["unfiltered"] == 0, "frames passed unfiltered before anything was detached")
        for address in (VIP4, VIP6):
            flows.ask_tcp(cluster.client, flows.many(1, address, 7001, seed=9))  # the client knows the MAC address

        detach(cluster.namespace(2))
        for address in (VIP4, VIP6):
            asked = flows.many(300, address, 7001)
            owners = expected(cluster, "tcp", asked, before)
            with Witness(cluster.switch) as seen:
                flows.ask_tcp(cluster.client, asked, timeout=0.5, window=300)
            for mask, wanted in ((SYN | ACK, SYN | ACK), (RST, RST)):
                for (source, _, destination, sport), ports in seen.tcp_answers(mask, wanted).items():
                    ports.discard("client")
                    check("web2" not in ports, f"web2 answered {destination}:{sport} at {source} without its filter")
                    check_one_owner(ports, f"{destination}:{sport}")
            check("web2" in owners.values(), "no flow was web2's to begin with")
        counted = cluster.status(2)["counters"]["unfiltered"]
        check(counted > 0, "web2 has not counted the frames that its filter did not see")
        print("unfiltered:", counted)

        check(cluster.status(2)["reason"] == "the filter was detached from eth0; start nlbd again",
              f"web2 says: {cluster.status(2)['reason']}")
        cluster.wait_until(lambda: cluster.status(1)["members"][1]["share"] == 0, "web2's clients go to the others")
        asked = flows.many(300, VIP4, 7001, seed=11)
        answered = set(flows.ask_tcp(cluster.client, asked).values())
        check(answered == {"web1", "web3"}, f"without web2's filter {answered} answered")
        cluster.terminate(2)
        cluster.start(2)
        cluster.wait_active([1, 2, 3])
        answered = set(flows.ask_tcp(cluster.client, asked).values())
        check(answered == {"web1", "web2", "web3"}, f"with web2's filter {answered} answered")


main(test)
