# SPDX-License-Identifier: Apache-2.0
"""The XDP program of one node is detached by hand, and its tc hook deleted: the node falls silent (it does not answer
everything) and counts it; the agent puts back what was taken away, and the log says so.

    client --- bridge --- web1, web2 (detached), web3
"""

import json
import signal

import flows
import netns
from harness import VIP4, VIP6, Cluster, check, check_one_owner, main
from owners import expected
from test_impossible_start_says_why import foreign_program
from witness import ACK, RST, SYN, Witness


def detach(namespace):
    """Detaches the link of the XDP program on eth0, as an administrator would with bpftool."""
    link = json.loads(netns.run(namespace, "ip", "-j", "link", "show", "eth0").stdout)[0]
    program = link["xdp"]["prog"]["id"]
    links = json.loads(netns.run(namespace, "bpftool", "-j", "link", "show").stdout)
    for entry in links:
        if entry["type"] == "xdp" and entry["prog_id"] == program:
            netns.run(namespace, "bpftool", "link", "detach", "id", entry["id"])


def check_silent(cluster, before):
    """web2 answers no client. before: its status while it served."""
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
        told = flows.ask_udp(cluster.client, flows.many(100, address, 7001), tries=1)
        check(not any("web2" in names for names in told.values()), "web2 answered datagrams without its filter")


def delete_hook(cluster):
    netns.run(cluster.namespace(2), "tc", "qdisc", "delete", "dev", "eth0", "clsact")


def add_filter(cluster, node):
    """A filter that is not nlbd's, on the hook that nlbd has made."""
    netns.run(cluster.namespace(node), "tc", "filter", "add", "dev", "eth0", "egress", "prio", "5", "bpf", "direct-action",
              "obj", foreign_program(cluster, "classifier"), "sec", "classifier")


def check_all_serve(cluster):
    answered = set(flows.ask_tcp(cluster.client, flows.many(300, VIP4, 7001, seed=11)).values())
    check(answered == {"web1", "web2", "web3"}, f"with web2's filter {answered} answered")


def test():
    with Cluster(nodes=3, cluster='datapath = "xdp"') as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        before = cluster.status(2)

        def put_back(what):
            return cluster.log(2).count(f"datapath: put back ({what} on eth0)")

        check(before["counters"]["unfiltered"] == 0, "frames passed unfiltered before anything was detached")
        for address in (VIP4, VIP6):
            flows.ask_tcp(cluster.client, flows.many(1, address, 7001, seed=9))  # the client knows the MAC address

        agent = cluster.agents[2]  # it stands still: now nothing is put back
        agent.send_signal(signal.SIGSTOP)
        detach(cluster.namespace(2))
        check_silent(cluster, before)
        delete_hook(cluster)
        check_silent(cluster, before)
        agent.send_signal(signal.SIGCONT)
        cluster.wait_until(lambda: put_back("XDP program") == 1, "the XDP program is put back")
        cluster.wait_until(lambda: put_back("tc filter nlbd_tc") == 1, "the tc hook is put back")
        cluster.wait_active([1, 2, 3])
        counted = cluster.status(2)["counters"]["unfiltered"]
        check(counted > 0, "web2 has not counted the frames that its filter did not see")
        print("unfiltered:", counted)
        check_all_serve(cluster)

        detach(cluster.namespace(2))
        cluster.wait_until(lambda: put_back("XDP program") == 2, "the XDP program is put back a second time")
        delete_hook(cluster)
        cluster.wait_until(lambda: put_back("tc filter nlbd_tc") == 2, "the tc hook is put back")
        cluster.wait_active([1, 2, 3])
        check_all_serve(cluster)
        add_filter(cluster, 1)
        for node in (1, 2):
            check(cluster.terminate(node) == 0, "SIGTERM did not end in exit code 0")
        check("clsact" not in netns.run(cluster.namespace(2), "tc", "qdisc").stdout, "a hook that nlbd made is left behind")
        check("foreign.o" in netns.run(cluster.namespace(1), "tc", "filter", "show", "dev", "eth0", "egress").stdout,
              "a filter of others went with nlbd's hook")


if __name__ == "__main__":
    main(test)
