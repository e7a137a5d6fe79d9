# SPDX-License-Identifier: Apache-2.0
"""`datapath = "auto"`: tc on a veth, whatever XDP program of others is there; where BPF cannot be loaded, the pcap
datapath takes its place, and the log says why.

    client --- bridge --- web1 (tc), web2 (may not load BPF), web3 (its interface has an XDP program of others)
"""

import os
import subprocess

import flows
import netns
import snapshot
from harness import NLBD, VIP4, VIP6, Cluster, check, main
from owners import check_shares, check_tcp, check_udp
from test_impossible_start_says_why import foreign_program


def start_without_bpf(cluster, node):
    """Its run directory is on a tmpfs, as /run is: a node without CAP_SYS_ADMIN can mount none."""
    os.makedirs(cluster.run_dir(node))
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", cluster.run_dir(node)], check=True, timeout=20)
    with open(cluster.log_file(node), "a") as log:
        cluster.agents[node] = subprocess.Popen(
            netns.command(cluster.namespace(node), [
                "setpriv", "--bounding-set=-bpf,-sys_admin", "--inh-caps=-bpf,-sys_admin",
                NLBD, "--config", cluster.config_file, "--node", cluster.label(node), "--run-dir", cluster.run_dir(node)]),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=netns.die_with_parent)


def check_driver_without_xdp(cluster, node):
    """tc, and that is not reported as a problem, because nothing can be done about it."""
    netns.ip(cluster.namespace(node), """
        link add br9 type bridge
        link set br9 up""")
    config = cluster.write_config(f"{cluster.directory}/bridge.toml", interface="br9", heartbeat='interfaces = ["eth0"]')
    cluster.start(node, config=config)
    status = cluster.wait_until(lambda: cluster.status(node), "it has started")
    check(status["datapath"] == {"kind": "tc", "mode": "clsact", "interface": "br9", "memory_put_back": 0},
          f"it filters with {status['datapath']}")
    check("xdp to br9: Operation not supported" in cluster.log(node), "the log does not say why not with XDP")
    check(not status["problems"], f"a problem: {status['problems']}")
    check(cluster.terminate(node) == 0, "SIGTERM did not end in exit code 0")


def test():
    with Cluster(nodes=3, cluster='datapath = "auto"', may_step_down=True) as cluster:
        netns.run(cluster.namespace(3), "ip", "link", "set", "dev", "eth0", "xdpgeneric", "obj", foreign_program(cluster),
                  "sec", "xdp")
        pristine = {node: snapshot.take(cluster, node) for node in (2, 3)}
        cluster.start(1)
        start_without_bpf(cluster, 2)
        cluster.start(3)
        cluster.wait_active([1, 2, 3])
        for node, kind, reason in ((1, "tc", None), (2, "pcap", "mount a bpffs"), (3, "tc", None)):
            shown, log = cluster.status(node)["datapath"], cluster.log(node)
            check(shown["kind"] == kind, f"web{node} filters with {shown}")
            said = [line for line in log.splitlines() if "steps down" in line]
            check(len(said) == (reason is not None) and all(reason in line for line in said),
                  f"web{node} says of its steps down: {said}")
            problems = cluster.status(node)["problems"]
            check([problem["name"] for problem in problems] == ["datapath_stepped_down"] * len(said)
                  and all(reason in problem["text"] and not problem["serious"] for problem in problems),
                  f"web{node} has the problems {problems}")
            people = cluster.nlbctl("status", node=node).stdout
            check(("problem: " in people) == bool(said), f"web{node} tells people: {people}")
        check_shares(check_tcp(cluster, flows.many(1000, VIP4, 7001)), nodes=3)
        check_udp(cluster, flows.many(1000, VIP6, 7001))
        for node in (2, 3):
            check(cluster.terminate(node) == 0, "SIGTERM did not end in exit code 0")
            lines = snapshot.take(cluster, node)
            for part in ("mounts", "files"):  # the test's own
                pristine[node].pop(part, None)
            snapshot.check_same(pristine[node], lines)
        check_driver_without_xdp(cluster, 2)


main(test)
