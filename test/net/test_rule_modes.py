# SPDX-License-Identifier: Apache-2.0
"""Mode single: one node serves, the lowest id or the first of a list, and the next when it goes. disabled: silence.

    client --- bridge --- web1, web2, web3
"""

import flows
import json

from harness import VIP4, VIP6, Cluster, check, main
from owners import check_tcp, check_udp, spread
from witness import Witness, tcp_of

RULES = """
[[rule]]
name = "lowest"
protocol = "both"
ports = "7001"
mode = "single"

[[rule]]
name = "chosen"
protocol = "both"
ports = "7002"
mode = "single"
priority = ["web3", "web2"]

[[rule]]
name = "off"
protocol = "both"
ports = "7003"
mode = "disabled"
"""


def check_owners(cluster, lowest, chosen):
    for address in (VIP4, VIP6):
        for port, wanted in ((7001, lowest), (7002, chosen)):
            asked = flows.many(100, address, port)
            for protocol, ask in (("tcp", check_tcp), ("udp", check_udp)):
                counts = spread(ask(cluster, asked))
                check(set(counts) == {wanted}, f"{protocol} {address} {port}: {wanted} has to serve alone: {counts}")


def check_silence(cluster):
    before = cluster.status(1)["counters"]["rule_disabled"]
    for address in (VIP4, VIP6):
        asked = flows.many(50, address, 7003)
        with Witness(cluster.switch) as seen:
            got = flows.ask_tcp(cluster.client, asked, timeout=0.5)
            got_udp = flows.ask_udp(cluster.client, asked, tries=2)
        check(not any(got.values()) and not any(got_udp.values()), f"a disabled rule is answered: {got} {got_udp}")
        answers = [port for port, frame in seen.frames
                   if port != "client" and len(frame) >= 54 and (packet := tcp_of(frame)) and packet[0][1] == 7003]
        check(not answers, f"TCP packets from a disabled port, of {set(answers)}")
    check(cluster.status(1)["counters"]["rule_disabled"] >= before + 200, "what is dropped is not counted")


def rules_of(cluster, node):
    return {rule["name"]: rule for rule in cluster.status(node)["rules"]}


def explain(cluster, node, port):
    return json.loads(cluster.nlbctl("explain", "tcp", "198.18.0.1:5000", f"{VIP4}:{port}", "--json", node=node).stdout)


def test():
    with Cluster(nodes=3, rules=RULES) as cluster:
        cluster.start_all()
        cluster.wait_active([1, 2, 3])
        check_owners(cluster, "web1", "web3")
        check_silence(cluster)
        check(rules_of(cluster, 2)["lowest"]["reason"] == "web1 serves it alone", "the status of web2 does not say who serves")
        check(rules_of(cluster, 2)["off"]["state"] == "disabled", "a disabled rule is not called so")
        for node in cluster.ids:
            for port, owner, why in ((7001, 1, "lowest_id"), (7002, 3, "priority"), (7003, None, "rule_disabled")):
                told = explain(cluster, node, port)
                check((told["owner"], told["why"][0]) == (owner, why), f"web{node} explains port {port}: {told}")

        cluster.nlbctl("stop", node=3)
        cluster.wait_active([1, 2])
        check_owners(cluster, "web1", "web2")
        cluster.nlbctl("stop", node=1)
        cluster.wait_active([2])
        check_owners(cluster, "web2", "web2")
        cluster.nlbctl("stop", node=2)
        cluster.nlbctl("start", node=1)
        cluster.wait_active([1])
        check_owners(cluster, "web1", "web1")  # none of the list is left
        for node in (2, 3):
            cluster.nlbctl("start", node=node)
        cluster.wait_active([1, 2, 3])
        check_owners(cluster, "web1", "web3")
        check_silence(cluster)


main(test)
