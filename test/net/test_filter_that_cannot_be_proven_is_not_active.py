# SPDX-License-Identifier: Apache-2.0
"""A node whose filter is not the one that its agent writes serves nothing and says so; the others serve its clients, and
it comes back when the filter is its own again.

    client --- bridge --- web1, web2 (its filter is exchanged), web3

Over XDP the other filter is the very same program, loaded a second time: with tables that no agent writes. Over pcap
something is in the place of the TAP device.
"""

import json
import re
import signal
import subprocess

import flows
import netns
from configuration import DATAPATH
from harness import BUILD, VIP4, VIP6, Cluster, check, check_one_owner, main
from witness import ACK, RST, SYN, Witness

PROBLEM, METRICS = "filter_not_proven", "127.0.0.1:9777"


def exchange_xdp(cluster, node):
    """The same programs, from the same file, with maps of their own. The agent stands still meanwhile: it would put
    back its own, as soon as the first of the commands is done."""
    namespace, twin = cluster.namespace(node), f"{cluster.run_dir(node)}/bpf/twin"
    netns.run(namespace, "bpftool", "prog", "loadall", f"{BUILD}/nlbd.bpf.o", twin)
    agent = cluster.agents[node]
    agent.send_signal(signal.SIGSTOP)
    netns.run(namespace, "bpftool", "link", "detach", "pinned", f"{cluster.run_dir(node)}/bpf/link")
    netns.run(namespace, "ip", "link", "set", "dev", "eth0", "xdpgeneric", "pinned", f"{twin}/nlbd_xdp")
    agent.send_signal(signal.SIGCONT)


def heal_xdp(cluster, node):
    netns.run(cluster.namespace(node), "ip", "link", "set", "dev", "eth0", "xdpgeneric", "off")
    subprocess.run(["rm", "-r", f"{cluster.run_dir(node)}/bpf/twin"], check=True, timeout=20)


def exchange_pcap(cluster, node):
    agent = cluster.agents[node]
    agent.send_signal(signal.SIGSTOP)
    netns.run(cluster.namespace(node), "ip", "link", "delete", "nlb-eth0")
    netns.run(cluster.namespace(node), "ip", "link", "add", "nlb-eth0", "type", "bridge")
    agent.send_signal(signal.SIGCONT)


def heal_pcap(cluster, node):
    netns.run(cluster.namespace(node), "ip", "link", "delete", "nlb-eth0")


def problems(status):
    return [problem["name"] for problem in status["problems"]]


def never_active_with_a_problem(cluster, node):
    """The status of a moment."""
    status = cluster.status(node)
    check(status["state"] != "active" or PROBLEM not in problems(status), f"active with a problem: {status}")
    return status


def ask(cluster, asked, web2_serves):
    with Witness(cluster.switch) as seen:
        answered = flows.ask_tcp(cluster.client, asked, timeout=2)
    for mask, wanted in ((SYN | ACK, SYN | ACK), (RST, RST)):
        for flow, ports in seen.tcp_answers(mask, wanted).items():
            ports.discard("client")
            check_one_owner(ports, flow)
    names = set(answered.values())
    check(names == ({"web1", "web2", "web3"} if web2_serves else {"web1", "web3"}), f"{names} answered")


def metric(cluster, node):
    text = netns.run(cluster.namespace(node), "curl", "-s", "-m", "10", f"http://{METRICS}/metrics").stdout
    return re.findall(rf'^nlbd_problem{{name="{PROBLEM}"}} (\d)$', text, re.MULTILINE)


def test():
    exchange, heal = (exchange_pcap, heal_pcap) if DATAPATH == "pcap" else (exchange_xdp, heal_xdp)
    datapath = DATAPATH or "xdp"  # what takes a tc filter's place is replaced at once
    with Cluster(nodes=3, cluster=f'datapath = "{datapath}"', extra=f'\n[metrics]\nlisten = "{METRICS}"\n') as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        check(all(cluster.status(node)["problems"] == [] for node in cluster.ids), "problems from the beginning")
        asked = flows.many(200, VIP4, 7001) + flows.many(100, VIP6, 7001)
        ask(cluster, asked, web2_serves=True)

        exchange(cluster, 2)
        status = cluster.wait_until(lambda: (shown := never_active_with_a_problem(cluster, 2))["state"] == "stopped" and shown,
                                    "web2 leaves the cluster")
        check(problems(status) == [PROBLEM] and status["problems"][0]["serious"], f"it says {status['problems']}")
        print(json.dumps(status["problems"]))
        check(status["reason"] == "{text}; {way_out}".format(**status["problems"][0]), f"its reason: {status['reason']}")
        check(status["reason"] in cluster.nlbctl("status", node=2).stdout, "people are not told")
        check(f"({PROBLEM})" in cluster.log(2), "the log does not say it")
        check(metric(cluster, 2) == ["1"] and metric(cluster, 1) == ["0"], "metrics do not say it")
        cluster.wait_until(lambda: cluster.agree([1, 3]), "the others have its buckets")
        ask(cluster, asked, web2_serves=False)

        heal(cluster, 2)
        cluster.wait_until(lambda: never_active_with_a_problem(cluster, 2)["state"] == "active", "web2 comes back")
        cluster.wait_active([1, 2, 3])
        check("problem: over" in cluster.log(2) and cluster.status(2)["problems"] == [], "the problem stays")
        ask(cluster, asked, web2_serves=True)

        if DATAPATH != "pcap":  # the second lock is put back in place of what has taken its place
            twin = f"{cluster.run_dir(2)}/bpf/twin"
            netns.run(cluster.namespace(2), "bpftool", "prog", "loadall", f"{BUILD}/nlbd.bpf.o", twin)
            netns.run(cluster.namespace(2), "tc", "filter", "replace", "dev", "eth0", "ingress", "pref", "1", "handle",
                      "0x6e6c6264", "bpf", "direct-action", "pinned", f"{twin}/nlbd_tc")
            cluster.wait_until(lambda: "put back (tc filter nlbd_tc on eth0)" in cluster.log(2), "nlbd_tc is put back")
            subprocess.run(["rm", "-r", twin], check=True, timeout=20)
            cluster.wait_active([1, 2, 3])
            ask(cluster, asked, web2_serves=True)


main(test)
