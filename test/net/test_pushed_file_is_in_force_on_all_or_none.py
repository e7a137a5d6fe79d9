# SPDX-License-Identifier: Apache-2.0
"""`nlbctl reload all --file FILE` gives every node the file and brings it into force, or leaves all as it was.

    client --- bridge --- web1, web2, web3, each with a file of its own

What is wrong with a file, and what one node has against it, changes nothing on any. A file must not bring a command. Where the agent
may not write, root's service puts the file in its place.
"""

import os
import subprocess

import flows
import netns
from configuration import DATAPATH, RULES, configuration
from harness import NLBCTL, VIP4, VIP6, Cluster, check, main

NEW4 = "192.0.2.101"
EXEC = '[[rule]]\nname = "shop"\nprotocol = "tcp"\nports = "8001"\nhealth = {{ type = "exec", command = ["{}"], user = "nobody" }}\n'


def file_of(cluster, node):
    return f"{cluster.directory}/etc{node}/cluster.toml"


def read(path):
    with open(path) as file:
        return file.read()


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def files(cluster):
    return [read(file_of(cluster, node)) for node in cluster.ids]


def text(cluster, **changes):
    return configuration(**{**cluster.options, **changes})


def push(cluster, content, node=1, to="all"):
    write(f"{cluster.directory}/next.toml", content)
    return cluster.nlbctl("reload", to, "--file", f"{cluster.directory}/next.toml", node=node, check_exit=False)


def refused(cluster, content, why):
    before = files(cluster)
    done = push(cluster, content)
    check(done.returncode == 1 and why in done.stderr, f"exit {done.returncode}: {done.stdout}{done.stderr}, expected {why}")
    check(files(cluster) == before, f"a file was changed, though: {done.stderr}")
    check(not any(cluster.status(node)["reload"]["staged"] for node in cluster.ids), "what was refused is staged")


def one_cannot(cluster):
    """web2 finds the address on its eth0; web3's file cannot be written."""
    refused(cluster, text(cluster, virtual_ips=(VIP4, VIP6, NEW4)), f"virtual IP {NEW4}: is an address of eth0")
    netns.ip(cluster.namespace(2), f"address delete {NEW4}/32 dev eth0")
    there = file_of(cluster, 3)
    os.rename(there, there + ".real")
    os.symlink(there + ".real", there)  # which is not replaced
    done = push(cluster, text(cluster, rules=RULES.replace("7003", "7004")))
    check(done.returncode == 1 and "web3: " in done.stderr, f"a link is replaced: {done.stdout}{done.stderr}")
    check("web1: has its former file again" in done.stderr, f"nothing was put back: {done.stderr}")
    os.unlink(there)
    os.rename(there + ".real", there)
    check(len(set(files(cluster))) == 1 and "7004" not in files(cluster)[0], "the files differ after one could not be written")
    check(not any(cluster.status(node)["reload"]["staged"] for node in cluster.ids), "what was put back is staged")


def dead_node(cluster, content):
    cluster.kill(3)
    cluster.wait_until(lambda: cluster.status(1)["members"][2]["state"] == "dead", "web1 misses web3")
    done = push(cluster, content)
    check(done.returncode == 1 and "web3: is dead; when it is back: nlbctl reload web3 --file" in done.stderr,
          f"a dead node: {done.stdout}{done.stderr}")
    check(done.stdout.count("in force") == 2, f"the living nodes: {done.stdout}{done.stderr}")
    cluster.start(3, config=file_of(cluster, 3))
    cluster.wait_until(lambda: "configuration differs" in ((cluster.status(3) or {}).get("reason") or ""),
                       "web3, on the former file, says that it is refused")
    done = push(cluster, content, to="web3")
    check(done.returncode == 0, f"web3 alone: {done.stdout}{done.stderr}")
    cluster.wait_active([1, 2, 3])


def by_root(cluster):
    """The agent is another user, whom the directory does not let write; the service's command is given as systemd would."""
    check(cluster.terminate(2) == 0, "web2 did not end well")
    os.makedirs(f"{cluster.run_dir(2)}/bpf", exist_ok=True)
    subprocess.run(["mount", "-t", "bpf", "bpf", f"{cluster.run_dir(2)}/bpf"], check=True)  # as run-nlb-bpf.mount does
    cluster.start(2, config=file_of(cluster, 2), arguments=["--user", "nobody"])
    cluster.wait_active([1, 2, 3])
    pushed, there = f"{cluster.run_dir(2)}/state/pushed.toml", file_of(cluster, 2)
    content = text(cluster, extra="\n[agent]\ndrain_ms = 77\n")
    done = push(cluster, content)
    check(done.returncode == 1 and "nlbd-config.service" in done.stderr, f"without the service: {done.stdout}{done.stderr}")
    check("drain_ms" not in files(cluster)[0], "the file of web1 is not the former one")
    with subprocess.Popen(["sh", "-c", f"while sleep 0.05; do {NLBCTL} accept {pushed} {there}; done"], start_new_session=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as service:
        try:
            done = push(cluster, content)
        finally:
            os.killpg(service.pid, 9)
    check(done.returncode == 0 and done.stdout.count("in force") == 3, f"with the service: {done.stdout}{done.stderr}")
    check(read(there) == content and os.stat(there).st_uid == 0, "the file of web2 is not root's new one")

    write(pushed, content + EXEC.format("/bin/true"))  # what the agent's user would like root to take
    done = cluster.nlbctl("accept", pushed, there, check_exit=False)
    check(done.returncode == 1 and "must not bring a new command" in done.stderr, f"accept: {done.stderr}")
    os.unlink(pushed)
    os.symlink("/etc/passwd", pushed)
    check(cluster.nlbctl("accept", pushed, there, check_exit=False).returncode == 1, "accept follows a link")
    check(read(there) == content, "accept has changed the file")


def test():
    with Cluster(nodes=3) as cluster:
        netns.ip(cluster.namespace(2), f"address add {NEW4}/32 dev eth0")
        for node in cluster.ids:
            os.makedirs(os.path.dirname(file_of(cluster, node)))
            os.chmod(os.path.dirname(file_of(cluster, node)), 0o755)
            cluster.write_config(file_of(cluster, node))
            os.chmod(file_of(cluster, node), 0o640)
            cluster.start(node, config=file_of(cluster, node))
        os.chmod(cluster.directory, 0o755)  # for the user "nobody", the way to its file
        cluster.wait_active([1, 2, 3])
        before = files(cluster)

        refused(cluster, text(cluster, rules=RULES + "[[rule]]\n"), "next.toml:")
        refused(cluster, text(cluster, heartbeat="interval_ms = 60"), "web2: ")
        refused(cluster, text(cluster, rules=EXEC.format("/bin/true")), "must not bring a new command")
        refused(cluster, text(cluster) + "# a long comment\n" * 4096, "65536")
        one_cannot(cluster)

        load = flows.Load(cluster.client, flows.many(500, VIP4, 7001, seed=3))
        load.start()
        content = text(cluster, rules=RULES.replace("7003", "7004"))
        done = push(cluster, content)
        check(done.returncode == 0 and done.stdout.count("in force") == 3, f"push: {done.stdout}{done.stderr}")
        check('- ports = "7003"\n' in done.stdout and '+ ports = "7004"\n' in done.stdout, f"the difference: {done.stdout}")
        check(files(cluster) == [content] * 3, "a node has another file")
        check([read(file_of(cluster, node) + ".old") for node in cluster.ids] == before, "a former file was not kept")
        check(os.stat(file_of(cluster, 2)).st_mode & 0o777 == 0o640, "the file has another mode")
        failed = [attempt for attempt in load.stop() if attempt.answer is None]
        check(not failed, f"{len(failed)} requests failed: {failed[:3]}")
        dead_node(cluster, text(cluster))
        if DATAPATH != "pcap":  # what the user would need besides is another test's
            by_root(cluster)
        check("by=user 0 on web1 argument=write" in cluster.log(2), "the order is not logged with its author")
        check("[cluster]" not in "".join(line for line in cluster.log(2).splitlines() if len(line) > 600), "whole files are logged")


main(test)
