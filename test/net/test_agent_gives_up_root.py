# SPDX-License-Identifier: Apache-2.0
"""`nlbd --user`: with the capabilities that the unit allows, the agent of web1 becomes another user and keeps six of them,
takes over from an agent that ran as root and gives back to one, accepts nlbctl's commands, heals the host, leaves nothing.
Its monitor, root's, keeps four others: a reload reads the key, and one that brings the first command runs it as a third user.
When the monitor is killed, the node serves on and says so.

    client --- bridge --- web1 (--user), web2

A bpffs is mounted in the run directory before, as the unit does; pcap's tables need a tmpfs there.
"""

import os
import re
import signal
import stat
import subprocess

import netns
from configuration import DATAPATH, RULES
from harness import NLBD, VIP4, Cluster, check, main
from test_detached_filter_is_silence import detach

USER = "daemon"
ALLOWED = "net_admin,net_raw,net_bind_service,bpf,perfmon,sys_nice,ipc_lock,chown,dac_read_search,setuid,setgid,kill"
SIX = 1 << 10 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 23 | 1 << 39
OF_THE_MONITOR = 1 << 2 | 1 << 5 | 1 << 6 | 1 << 7
EXEC = """
[[rule]]
name = "checked"
protocol = "tcp"
ports = "7009"
health = { type = "exec", command = ["/bin/sh", "-c", "id -un; false"], fall = 1, interval_ms = 500, timeout_ms = 500 }
"""


def open_tun(cluster):
    """What begins a command that sees /dev/net/tun as udev makes it, open to all: without udev it is root's."""
    device = f"{cluster.directory}/tun"
    if not os.path.exists(device):
        os.mknod(device, 0o600 | stat.S_IFCHR, os.makedev(10, 200))
        os.chmod(device, 0o666)
    return ["unshare", "--mount", "sh", "-c", f'mount --bind {device} /dev/net/tun && exec "$@"', "sh"]


def start(cluster, config):
    bounds = "-all,+" + ALLOWED.replace(",", ",+")
    seeing = open_tun(cluster) if DATAPATH == "pcap" else []
    with open(cluster.log_file(1), "a") as log:
        cluster.agents[1] = subprocess.Popen(
            netns.command(cluster.namespace(1),
                          seeing + ["setpriv", "--bounding-set", bounds, "--inh-caps=-all", NLBD, "--config", config,
                                    "--node", "web1", "--run-dir", cluster.run_dir(1), "--user", USER]),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=netns.die_with_parent)


def look_at(pid, user, capabilities):
    with open(f"/proc/{pid}/status") as file:
        status = file.read()
    check(re.search(r"^Uid:\s(.*)$", status, re.MULTILINE)[1].split() == [user] * 4, f"{pid} is not user {user}")
    for kind in ("CapEff", "CapPrm"):
        found = int(re.search(rf"^{kind}:\s(\w+)", status, re.MULTILINE)[1], 16)
        check(found == capabilities, f"{kind} is {found:x}, not {capabilities:x}")
    return status


def look(cluster):
    user = subprocess.run(["id", "-u", USER], capture_output=True, text=True).stdout.strip()
    status = look_at(cluster.agents[1].pid, user, SIX)
    check(re.search(r"^Groups:\s*$", status, re.MULTILINE), "the agent has root's groups")
    status = look_at(cluster.monitor_of(1), "0", OF_THE_MONITOR)
    check("NoNewPrivs:\t1" in status, "the monitor can gain privileges")


def vanish(cluster):
    agent = cluster.agents.pop(1)
    agent.send_signal(signal.SIGUSR2)
    check(agent.wait(20) == 0, "SIGUSR2 did not end in exit code 0")


def take_over(cluster):
    """Root's, the user's, root's, the user's: each finds what the one before has left."""
    cluster.start(1)
    cluster.wait_active([1, 2])
    cluster.nlbctl("disable", "none", node=1)  # orders are in a file
    for plain in (False, True, False):
        vanish(cluster)
        cluster.start(1) if plain else start(cluster, cluster.config_file)
        cluster.wait_active([1, 2])
        rules = {rule["name"]: rule["state"] for rule in cluster.status(1)["rules"]}
        check(rules["none"] == "disabled", "the order was lost")
    look(cluster)


def obey(cluster):
    cluster.nlbctl("enable", "none", node=1)
    cluster.nlbctl("reload", node=1)  # the key is root's
    cluster.nlbctl("capture", "--seconds", 1, node=1)  # root's command becomes the user, too, who may look on
    cluster.nlbctl("explain", "tcp", "198.18.0.1:4000", f"{VIP4}:7001", node=1)
    netns.ip(cluster.namespace(1), f"address delete {VIP4}/32 dev lo")
    netns.sysctl(cluster.namespace(1), "net.ipv4.conf.all.arp_ignore", 0)
    if DATAPATH in ("", "tc"):
        netns.run(cluster.namespace(1), "tc", "filter", "delete", "dev", "eth0", "ingress")
        cluster.wait_until(lambda: "nlbd_ingress" in netns.run(cluster.namespace(1), "tc", "filter", "show", "dev", "eth0",
                                                               "ingress").stdout, "the program is put back")
    elif DATAPATH != "pcap":
        detach(cluster.namespace(1))
        cluster.wait_until(lambda: "xdp" in netns.run(cluster.namespace(1), "ip", "link", "show", "eth0").stdout,
                           "the program is put back")
    cluster.wait_until(lambda: VIP4 in netns.run(cluster.namespace(1), "ip", "address", "show", "lo").stdout,
                       "the address is put back")
    cluster.wait_until(lambda: netns.run(cluster.namespace(1), "sysctl", "-n", "net.ipv4.conf.all.arp_ignore").stdout
                       .strip() != "0", "the sysctl is put back")


def commands_run_as_another(cluster):
    cluster.nlbctl("reload", "all", node=1)
    look(cluster)
    cluster.wait_until(lambda: "exit code 1: nobody" in cluster.nlbctl("rules", node=1).stdout,
                       "the command runs as nobody")


def lives_on_without_its_monitor(cluster):
    os.kill(cluster.monitor_of(1), signal.SIGKILL)
    cluster.wait_until(lambda: "monitor_ended" in [problem["name"] for problem in cluster.status(1)["problems"]],
                       "status says that the monitor has ended")
    refused = cluster.nlbctl("reload", node=1, check_exit=False)
    check(refused.returncode == 1 and "start nlbd again" in refused.stderr, f"exit {refused.returncode}: {refused.stderr}")
    check(cluster.status(1)["state"] == "active", "the node serves no more")


def test():
    with Cluster(nodes=2) as cluster:
        os.chmod(cluster.directory, 0o755)
        tables = f"{cluster.run_dir(1)}/{'tables' if DATAPATH == 'pcap' else 'bpf'}"
        os.makedirs(tables)
        subprocess.run(["mount", "-t", "tmpfs" if DATAPATH == "pcap" else "bpf", "-o", "mode=0700", "none", tables],
                       check=True)
        cluster.start(2)
        take_over(cluster)
        obey(cluster)
        cluster.write_config(cluster.config_file, rules=RULES + EXEC)
        commands_run_as_another(cluster)
        lives_on_without_its_monitor(cluster)
        check(cluster.terminate(1) == 0, "SIGTERM did not end in exit code 0")
        check(VIP4 not in netns.run(cluster.namespace(1), "ip", "address", "show", "lo").stdout, "an address is left")
        left = [name for name in os.listdir(cluster.run_dir(1)) if name not in ("bpf", "tables", "state")]
        check(not left, f"left in the run directory: {left}")


main(test)
