# SPDX-License-Identifier: Apache-2.0
"""A start that cannot work: one line that names the thing and the way out, exit code 1, nothing left behind.

    client --- bridge --- web1 (serving), web2 (each case is tried here)
"""

import os
import subprocess

import netns
import snapshot
from harness import NLBD, Cluster, check, main

PROGRAM = """
__attribute__((section("SECTION"), used)) int pass(void *context) { return VERDICT; }
char terms[] __attribute__((section("license"), used)) = "GPL";
"""


def attempt(cluster, node, what, words, /, prefix=(), run_dir="attempt", **changes):
    """Starts an agent that must refuse; words: what its one line has to contain."""
    run_dir = f"{cluster.directory}/{run_dir}"
    had_run_dir = os.path.exists(run_dir)
    config = cluster.write_config(f"{cluster.directory}/attempt.toml", **changes)
    before = snapshot.take(cluster, node)
    done = subprocess.run(
        netns.command(cluster.namespace(node),
                      [*prefix, NLBD, "--config", config, "--node", cluster.label(node),
                       "--run-dir", run_dir]),
        capture_output=True, text=True, timeout=20, preexec_fn=netns.die_with_parent)
    said = (done.stdout + done.stderr).strip()
    print(f"{what}: {said}")
    check(done.returncode == 1, f"{what}: exit code {done.returncode}, not 1: {said}")
    check(len(said.splitlines()) == 1, f"{what}: not one line:\n{said}")
    for word in words:
        check(word in said, f"{what}: does not say {word!r}: {said}")
    snapshot.check_same(before, snapshot.take(cluster, node))
    check(os.path.exists(run_dir) == had_run_dir, f"{what}: the run directory is left behind")
    return said


def foreign_program(cluster, section="xdp"):
    """A program that is not nlbd's and lets everything pass, for XDP or tc ("classifier"): the file with it."""
    made = f"{cluster.directory}/foreign.o"
    source = PROGRAM.replace("SECTION", section).replace("VERDICT", "2" if section == "xdp" else "0")
    subprocess.run(["clang", "-target", "bpf", "-O2", "-x", "c", "-c", "-", "-o", made], input=source, text=True,
                   check=True, timeout=60)
    return made


def test():
    with Cluster(nodes=2, servers=False) as cluster:
        cluster.start(1)
        cluster.wait_active([1])
        attempt(cluster, 1, "a second agent on the interface", ["eth0"])
        attempt(cluster, 2, "a run directory in use", [cluster.run_dir(1)], run_dir="web1")
        view = cluster.status(1)["view"]

        attempt(cluster, 2, "no such interface", ["eth7"], interface="eth7")
        missing = f"{cluster.directory}/missing.key"
        attempt(cluster, 2, "no key", [missing, "nlbctl keygen"], key_file=missing)
        os.chmod(cluster.key_file, 0o644)
        attempt(cluster, 2, "a key that others can read", [cluster.key_file, "chmod 600"])
        os.chmod(cluster.key_file, 0o600)

        namespace = cluster.namespace(2)
        netns.ip(namespace, """
            link add br9 type bridge
            link add link eth0 name macvlan9 type macvlan mode bridge""")
        for interface, words in (("br9", ["br9: is a bridge"]), ("macvlan9", ["Operation not supported"])):
            attempt(cluster, 2, f"a second unicast MAC on {interface}", words + ['mac_mode = "multicast"'],
                    interface=interface, heartbeat='interfaces = ["eth0"]', cluster='mac_mode = "unicast"')
            netns.ip(namespace, f"link delete {interface}")

        no_bpf = ["setpriv", "--bounding-set=-bpf,-sys_admin", "--inh-caps=-bpf,-sys_admin"]
        xdp, pcap = {"datapaths": {2: "xdp"}}, {"datapaths": {2: "pcap"}}
        attempt(cluster, 2, "no CAP_SYS_ADMIN either", ["CAP_SYS_ADMIN"], prefix=no_bpf, **xdp)
        attempt(cluster, 2, "pcap without CAP_SYS_ADMIN", ["CAP_SYS_ADMIN"], prefix=no_bpf, **pcap)
        mounted = f"{cluster.directory}/mounted/bpf"  # made by the administrator beforehand
        os.makedirs(mounted)
        subprocess.run(["mount", "-t", "bpf", "bpf", mounted], check=True, timeout=20)
        pins = os.listdir(mounted)
        attempt(cluster, 2, "no CAP_BPF", ["CAP_BPF"], prefix=no_bpf, run_dir="mounted", **xdp)
        check(os.path.ismount(mounted) and os.listdir(mounted) == pins, "a mount of others was changed")

        foreign = foreign_program(cluster)
        for mode in ("xdpgeneric", "xdpdrv"):
            netns.run(namespace, "ip", "link", "set", "dev", "eth0", mode, "obj", foreign, "sec", "xdp")
            said = attempt(cluster, 2, f"XDP occupied ({mode})", ["eth0", "ip link set"], **xdp)
            netns.run(namespace, *said.split("`")[1].split())
            check("xdp" not in netns.run(namespace, "ip", "link", "show", "eth0").stdout,
                  f"the way out that was named does not work ({mode})")

        for what, made, removed in (
                ("a table of others", "nft add table netdev nlbd-eth0", "nft delete table netdev nlbd-eth0"),
                ("a device of others", "ip link add nlb-eth0 type veth", "ip link delete nlb-eth0")):
            netns.run(namespace, *made.split())
            said = attempt(cluster, 2, what, [removed], **pcap)
            netns.run(namespace, *said.split("`")[1].split())

        no_tun = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /dev/net && exec "$@"', "sh"]
        said = attempt(cluster, 2, "no /dev/net/tun", ["/dev/net/tun", "modprobe tun"], prefix=no_tun, **pcap)
        check("root" not in said, f"root is told to be root: {said}")

        check(cluster.status(1)["view"] == view, "attempts on another node have changed the view")
        cluster.start(2)
        cluster.wait_active([1, 2])
        cluster.kill(2)  # its filter stays
        unnamed = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
        for rights in ([], unnamed):
            attempt(cluster, 2, "what another run directory's agent has left", ["another nlbd"], prefix=rights,
                    run_dir="mounted", datapaths={2: "auto"})
        done = cluster.nlbctl("status", node="nobody", check_exit=False)
        check(done.returncode == 3, f"nlbctl without an agent: exit {done.returncode}, not 3")
        check(len(done.stderr.strip().splitlines()) == 1, f"nlbctl without an agent: not one line: {done.stderr}")


if __name__ == "__main__":
    main(test)
