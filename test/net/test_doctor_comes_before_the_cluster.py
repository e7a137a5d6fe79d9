# SPDX-License-Identifier: Apache-2.0
"""`nlbctl doctor` where there is no cluster yet: no agent, one agent of three, and a host on which none could start; and it
disturbs no node: while it is asked again and again every request is answered once, no switch learns the cluster MAC, and probes
that are sent a second time are refused and counted.

    client --- bridge --- web1, web2, web3
"""

import json
import os
import socket
import subprocess
import time

import flows
import netns
from doctor import Opinion, consult
from fdb import FdbWatch
from harness import NLBCTL, VIP4, Cluster, check, main
from witness import watcher

CLUSTER_MAC = "03:bf:c0:00:02:64"


def look(cluster, config=None):
    """The doctor on a host without an agent: findings by name, and the exit code."""
    words = [NLBCTL, "--run-dir", cluster.run_dir(1), "--json", "doctor", "--config", config or cluster.config_file, "--node", "web1"]
    done = netns.run(cluster.namespace(1), *words, check=False)
    check(done.stdout, f"exit {done.returncode}: {done.stderr}")
    return {one["name"]: one for one in json.loads(done.stdout)["findings"]}, done.returncode


def test_without_an_agent(cluster):
    names, code = look(cluster)
    check((set(names), code) == ({"agent_not_running"}, 3), f"{names}, exit {code}")
    netns.ip(cluster.namespace(1), "link set eth0 down")
    names, code = look(cluster)
    check((set(names), code) == ({"agent_not_running", "interface_unusable"}, 4), f"{names}, exit {code}")
    netns.ip(cluster.namespace(1), "link set eth0 up\nlink set lo down")
    names, _ = look(cluster)
    check("interface lo" in names["interface_unusable"]["text"], f"{names}")
    netns.ip(cluster.namespace(1), "link set lo up")
    os.chmod(cluster.key_file, 0o644)
    names, code = look(cluster)
    check((set(names), code) == ({"agent_not_running", "key_unusable"}, 4), f"{names}, exit {code}")
    os.chmod(cluster.key_file, 0o600)
    names, code = look(cluster, "/nonexistent")
    check((set(names), code) == ({"agent_not_running", "configuration_unusable"}, 4), f"{names}, exit {code}")


def test_one_agent(cluster):
    cluster.start(1)
    cluster.wait_active([1])
    said = consult(cluster, ["no_agent"])
    check(len(said.said["matrix"]) == 6 and said.heard(1, 2) == "unknown", str(said))
    check(said.findings["no_agent"]["nodes"] == ["web2", "web3"], str(said))


def resend(cluster, frames):
    """On web2's link, as web2 itself."""
    with netns.inside(cluster.namespace(2)):
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        sender.bind(("eth0", 0))
    for frame in frames:
        sender.send(frame)
    sender.close()


def probes_from(cluster, sniffer, node):
    mac, frames = bytes.fromhex(netns.mac_of(cluster.namespace(node)).replace(":", "")), []
    sniffer.setblocking(False)
    try:
        while True:
            frame = sniffer.recv(128)
            if frame[6:12] == mac and b"nlbp" in frame[:60] and len(frame) < 100:
                frames.append(frame)
    except BlockingIOError:
        return frames


def test_replays(cluster):
    """What was recorded in one run is refused in the next; and what is made up, always."""
    sniffer = watcher(cluster.namespace("client"), "eth0")
    Opinion(cluster)
    old = probes_from(cluster, sniffer, 2)
    sniffer.close()
    check(old, "no probes were seen")
    forged = [frame[:-1] + bytes([frame[-1] ^ 1]) for frame in old[:5]]
    refused = {}

    def counted():
        process = cluster_doctor(cluster)
        while process.poll() is None:
            resend(cluster, old[:5] + forged)
            time.sleep(0.1)
        said = json.loads(process.communicate()[0])
        refused.update(said["nodes"][0]["probes_refused"])
        check(all(one["heard"] == "all" for one in said["matrix"]), json.dumps(said, indent=1))
        return refused["other_run"] > 0 and refused["bad_tag"] > 0

    cluster.wait_until(counted, "replayed and forged probes are refused and counted")


def cluster_doctor(cluster):
    return subprocess.Popen([NLBCTL, "--run-dir", cluster.run_dir(1), "--json", "doctor"], stdout=subprocess.PIPE, text=True,
                            preexec_fn=netns.die_with_parent)


def test_nobody_is_disturbed(cluster):
    with FdbWatch(cluster.switch) as learned:
        process = cluster_doctor(cluster)
        while process.poll() is None:
            answers = flows.ask_tcp(cluster.client, flows.many(50, VIP4, 7001))
            check(set(answers.values()) <= {"web1", "web2", "web3"}, f"only {answers}")
        check(process.returncode == 0, f"exit {process.returncode}: {process.communicate()[0]}")
    check(not learned.mentions(CLUSTER_MAC), "a switch has learned the cluster MAC")
    first, second = cluster_doctor(cluster), cluster_doctor(cluster)
    codes = sorted((first.wait(60), second.wait(60)))
    check(codes[0] in (0, 4) and codes[1] in (0, 4), f"two doctors at once: {codes}")


def test():
    with Cluster(nodes=2) as cluster:
        test_without_an_agent(cluster)
    with Cluster(nodes=3) as cluster:
        test_one_agent(cluster)
        for node in (2, 3):
            cluster.start(node)
        cluster.wait_active([1, 2, 3])
        test_nobody_is_disturbed(cluster)
        test_replays(cluster)


main(test)
