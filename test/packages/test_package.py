# SPDX-License-Identifier: Apache-2.0
"""The Debian package on a machine of its own with its own systemd: web1 of a cluster of three. It is built, installed,
upgraded under traffic, removed and purged; the service is restarted, killed, and stopped in its tracks.

    client --- bridge --- web1 (a container: mmdebstrap, systemd, the package), web2, web3 (agents of the build)

Not one request fails, and no connection breaks, but through the stall: that is longer than the lease.
The first argument is the release of Debian, bookworm or trixie; NLBD_PACKAGE names a package that is built already.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, f"{os.environ['NLBD_SOURCE_DIR']}/test/net")

import connections  # noqa: E402
import flows  # noqa: E402
import netns  # noqa: E402
from harness import VIP4, VIP6, Cluster, Failed, check, main, skip  # noqa: E402
from machine import RELEASES, SOURCE, Machine  # noqa: E402

NEXT = "0.2.0+next"
KEPT = {"cap_net_admin", "cap_net_raw", "cap_net_bind_service", "cap_bpf", "cap_sys_nice", "cap_ipc_lock"}


class Packaged(Cluster):
    """The agent of web1 is the machine's business."""

    machine = None

    def run_dir(self, who):
        return f"/proc/{self.machine.leader}/root/run/nlb" if who == 1 else super().run_dir(who)

    def nlbctl(self, *arguments, node=None, check_exit=True):
        """The machine's own for its agent: here it would become a user whom /proc keeps out of there."""
        if node == 1:
            return self.machine.run("nlbctl", *map(str, arguments), check_exit=check_exit)
        return super().nlbctl(*arguments, node=node, check_exit=check_exit)

    def remove(self):
        if self.machine:
            self.machine.off()
        super().remove()

    def diagnosis(self):
        try:
            journal = self.machine.run("journalctl", "--no-pager", "-u", "nlbd", "-u", "run-nlb-bpf.mount", "-n", "60")
            return super().diagnosis() + "\n--- web1's journal:\n" + journal.stdout
        except (Failed, OSError, AttributeError):
            return super().diagnosis()


def build(directory, release):
    """The package, and the same with a higher version."""
    package = os.environ.get("NLBD_PACKAGE")
    if not package:
        subprocess.run([f"{SOURCE}/packaging/build-deb", "--release", release, directory], check=True,
                       stdout=subprocess.DEVNULL, timeout=3000)
        [package] = [f"{directory}/{name}" for name in os.listdir(directory) if re.match(r"nlbd_.*\.deb$", name)]
    tree, higher = f"{directory}/tree", f"{directory}/next.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    subprocess.run([sys.executable, f"{SOURCE}/test/build/test_programs_are_hardened.py", f"{tree}/usr/sbin/nlbd",
                    f"{tree}/usr/sbin/nlbctl"], check=True)
    with open(f"{tree}/DEBIAN/control") as file:
        control = re.sub(r"^Version: .*$", f"Version: {NEXT}", file.read(), flags=re.MULTILINE)
    with open(f"{tree}/DEBIAN/control", "w") as file:
        file.write(control)
    subprocess.run(["dpkg-deb", "--build", tree, higher], check=True, stdout=subprocess.DEVNULL)
    return package, higher


def look_at_the_contents(machine):
    """What a user looks for is there, and no file of his will ever be asked about."""
    listed = machine.run("dpkg", "-L", "nlbd").stdout.split()
    share = "/usr/share"
    units = "/usr/lib/systemd/system" if "/usr/lib/systemd/system/nlbd.service" in listed else "/lib/systemd/system"
    for path in ("/usr/sbin/nlbd", "/usr/sbin/nlbctl", f"{units}/nlbd.service", f"{units}/run-nlb-bpf.mount",
                 f"{units}/nlbd-config.path", f"{units}/nlbd-config.service", f"{share}/bash-completion/completions/nlbd",
                 f"{share}/bash-completion/completions/nlbctl", f"{share}/zsh/vendor-completions/_nlbctl",
                 f"{share}/fish/vendor_completions.d/nlbd.fish", f"{share}/fish/vendor_completions.d/nlbctl.fish",
                 "/usr/lib/firewalld/services/nlbd.xml", f"{share}/doc/nlbd/etc/cluster.toml",
                 f"{share}/nlbd/prometheus-alerts.yml", f"{share}/nlbd/grafana-dashboard.json",
                 f"{share}/man/man8/nlbd.8.gz", f"{share}/man/man8/nlbctl.8.gz", f"{share}/man/man5/cluster.toml.5.gz",
                 f"{share}/man/man5/nlbctl-json.5.gz"):
        check(path in listed, f"the package lacks {path}")
    conffiles = machine.run("dpkg-query", "-W", "-f", "${Conffiles}", "nlbd").stdout
    check(not conffiles.strip(), f"files under /etc are the package's: {conffiles}")


def agent(machine):
    return int(machine.run("systemctl", "show", "--value", "-p", "MainPID", "nlbd").stdout)


def look_at_the_process(machine):
    """It is the user's, with a handful of capabilities; what nlbctl and root need is there."""
    status = machine.run("cat", f"/proc/{agent(machine)}/status").stdout
    user = machine.run("id", "-u", "nlbd").stdout.strip()
    check(re.search(r"^Uid:\s(.*)$", status, re.MULTILINE)[1].split() == [user] * 4, "the agent is not the user nlbd")
    bits = int(re.search(r"^CapEff:\s(\w+)", status, re.MULTILINE)[1], 16)
    kept = set(subprocess.run(["capsh", f"--decode={bits:x}"], capture_output=True,
                              text=True).stdout.split("=")[1].strip().split(","))
    check(kept == KEPT, f"the agent keeps {', '.join(sorted(kept))}")
    check("Seccomp:\t2" in status, "no system call is filtered")
    text = machine.run("systemctl", "show", "--value", "-p", "StatusText", "nlbd").stdout
    check(text.startswith("active, view "), f"the service manager was told: {text!r}")
    check(machine.run("findmnt", "-no", "FSTYPE", "/run/nlb/bpf").stdout.strip() == "bpf", "no bpffs of its own")
    score = machine.run("systemd-analyze", "security", "--no-pager", "nlbd.service").stdout.splitlines()[-1]
    print(score.strip("→ "))
    check(float(re.search(r"(\d+\.\d)", score)[1]) < 3.5, score)


def said(machine, what):
    """How often an agent has said this since the machine was booted."""
    return machine.run("journalctl", "--boot", "--no-pager", "-u", "nlbd").stdout.count(what)


def tables(machine):
    """Which ones are pinned: the kernel gives no id twice."""
    pin = f"/proc/{machine.leader}/root/run/nlb/bpf/state"
    shown = subprocess.run(["bpftool", "--json", "map", "show", "pinned", pin], capture_output=True, text=True)
    check(shown.returncode == 0, f"{pin}: {shown.stdout}{shown.stderr}")
    return json.loads(shown.stdout)["id"]


def under_traffic(cluster, what, change, settled):
    """Does it while clients ask and connections stay open: no request fails, no connection breaks, the tables stay."""
    machine = cluster.machine
    held = connections.Held(cluster.client, flows.many(200, VIP4, 7001, seed=3))
    load = flows.Load(cluster.client, flows.many(400, VIP4, 7002, seed=4), per_second=200, patience=8)
    before, old, pinned = said(machine, "agent: resumes"), agent(machine), tables(machine)
    load.start()
    time.sleep(0.5)  # so that what came before the change is seen to be served as well
    change()
    cluster.wait_until(settled, what)
    check(agent(machine) != old, f"{what}: the agent is the same")
    check(tables(machine) == pinned, f"{what}: the tables were made anew")
    cluster.wait_active([1, 2, 3])
    broken = held.talk()
    attempts = load.stop()
    failed = [attempt for attempt in attempts if attempt.answer is None]
    late = [attempt for attempt in attempts if attempt.took > 0.9]
    print(f"{what}: {len(attempts)} requests, {len(failed)} failed, {len(late)} had to knock twice, longest "
          f"{max(attempt.took for attempt in attempts) * 1000:.0f} ms; {len(held)} connections, {len(broken)} broken; "
          f"{'resumed' if said(machine, 'agent: resumes') > before else 'not within the lease'}")
    check(not failed, f"{what}: {len(failed)} requests failed: {failed[:3]}")
    check(not broken, f"{what}: {len(broken)} connections broke: {list(broken.items())[:3]}")
    return attempts


def is_up(machine):
    return machine.run("systemctl", "is-active", "nlbd", check_exit=False).stdout.strip() == "active"


def version(machine):
    return machine.run("dpkg-query", "-W", "-f", "${Version} ${db:Status-Status}", "nlbd").stdout


def restarts(cluster, higher):
    machine = cluster.machine
    under_traffic(cluster, "systemctl restart", lambda: machine.run("systemctl", "restart", "nlbd"),
                  lambda: is_up(machine))
    upgrade = machine.put(higher)
    configured = ("sha256sum", "/etc/nlb/cluster.toml", "/etc/nlb/cluster.key")
    before = machine.run(*configured).stdout
    under_traffic(cluster, "upgrade", lambda: machine.run("dpkg", "-i", upgrade), lambda: is_up(machine))
    check(machine.run(*configured).stdout == before, "the upgrade has changed configuration or key")
    check(said(machine, "agent: ends and leaves everything in place") == 2 and not said(machine, "agent: leaves"),
          "a restart or the upgrade has taken the node out of the cluster")
    check(version(machine) == f"{NEXT} installed", f"after the upgrade: {version(machine)}")
    look_at_the_process(machine)
    killed = agent(machine)
    under_traffic(cluster, "killed", lambda: machine.run("sh", "-c", f"kill -KILL {killed}"),
                  lambda: is_up(machine) and agent(machine) not in (0, killed))


def watchdog(cluster):
    """Only the service manager ends and restarts an agent that hangs."""
    machine = cluster.machine
    hung = agent(machine)
    machine.run("sh", "-c", f"kill -STOP {hung}")
    cluster.wait_until(lambda: is_up(machine) and agent(machine) not in (0, hung), "the watchdog has bitten", 60)
    cluster.wait_active([1, 2, 3])


def interface_comes_back(cluster):
    """Gone for a while, and made anew: the node is back by itself."""
    netns.ip(cluster.namespace(1), "link delete eth0")
    cluster.wait_active([2, 3])
    cluster.add_interface(1, 1)
    cluster.wait_active([1, 2, 3])


def orders_hold(cluster):
    """A node that was stopped is up, and stays stopped, after a restart."""
    machine = cluster.machine
    machine.run("nlbctl", "stop")
    machine.run("systemctl", "restart", "nlbd", seconds=30)
    check(cluster.status(1)["state"] == "stopped", "the order was lost")
    machine.run("nlbctl", "start")
    cluster.wait_active([1, 2, 3])


def removal(cluster):
    """Removed: out of the cluster, nothing of it on the host but what the administrator made. Purged: of that, only
    what is no file of nlbd's."""
    machine = cluster.machine
    machine.run("nlbctl", "weight", "web1", "50")  # an order: a file in /var/lib/nlb
    machine.run("dpkg", "--remove", "nlbd")
    cluster.wait_active([2, 3])
    addresses = machine.run("ip", "address", "show", "lo").stdout
    check(VIP4 not in addresses and VIP6 not in addresses, f"addresses stay:\n{addresses}")
    check("xdp" not in machine.run("ip", "link", "show", "eth0").stdout, "the filter stays attached")
    check(not (left := machine.run("find", "/run/nlb", check_exit=False).stdout), f"removed, and still there:\n{left}")
    for file in ("/etc/nlb/cluster.toml", "/etc/nlb/cluster.key", "/var/lib/nlb/orders.json"):
        machine.run("test", "-e", file)
    machine.run("touch", "/etc/nlb/notes")
    machine.run("dpkg", "--purge", "nlbd")
    left = machine.run("find", "/", "-xdev", "-path", "/opt", "-prune", "-o", "(", "-name", "*nlbd*", "-o", "-name",
                       "nlbctl*", "-o", "-name", "nlb", "-o", "-name", "cluster.toml*", ")", "-print").stdout
    check(left == "/etc/nlb\n", f"purged, and still there:\n{left}")
    left = machine.run("ls", "-A", "/etc/nlb").stdout
    check(left == "notes\n", f"purged, and in /etc/nlb there is:\n{left}")


def reload(machine):
    """Whatever systemd does to its directories before it runs nlbctl, they stay the agent's, and orders are kept."""
    machine.run("systemctl", "reload", "nlbd")
    for path in ("/run/nlb", "/run/nlb/control", "/run/nlb/bpf/state", "/var/lib/nlb"):
        owner = machine.run("stat", "--format=%U", path).stdout.strip()
        check(owner == "nlbd", f"after a reload {path} belongs to {owner}")
    machine.run("nlbctl", "weight", "web1", "90")
    machine.run("nlbctl", "weight", "web1", "default")


def pushed_files(cluster):
    """A file that comes with a command takes the place of the configuration, by root's service: the agent's user may not
    write there. What that user puts before the service by itself brings no command."""
    machine, file, draft, pushed = cluster.machine, "/etc/nlb/cluster.toml", "/opt/next.toml", "/var/lib/nlb/pushed.toml"
    before = machine.run("cat", file).stdout
    for text, kept in ((before + "\n[agent]\ndrain_ms = 1900\n", before), (before, None)):
        with open(machine.root + draft, "w") as out:
            out.write(text)
        machine.run("nlbctl", "reload", "web1", "--file", draft)
        check(machine.run("cat", file).stdout == text, "the pushed file is not in its place")
        check(machine.run("stat", "--format=%U:%G", file).stdout.strip() == "root:root", "the configuration is not root's")
        check(kept in (None, machine.run("cat", f"{file}.old").stdout), "the former file is not kept")
    with open(machine.root + draft, "w") as out:
        out.write(before + '\n[[rule]]\nname = "evil"\nprotocol = "tcp"\nports = "9"\n'
                           'health = { type = "exec", command = ["/bin/true"], user = "nobody" }\n')
    machine.run("setpriv", "--reuid", "nlbd", "--clear-groups", "cp", draft, pushed)
    cluster.wait_until(lambda: machine.run("systemctl", "is-failed", "nlbd-config.service", check_exit=False).returncode == 0,
               "the service to refuse a file with a command")
    check(machine.run("cat", file).stdout == before, "the agent's user has brought a command into the configuration")


def configure(cluster, machine):
    """As the guide says: the configuration and the key, the same as on every node."""
    with open(cluster.config_file) as file:
        text = re.sub(r"key_file = .*\n", "", file.read())
    with open(f"{machine.root}/etc/nlb/cluster.toml", "w") as file:
        file.write(text)
    key = machine.put(cluster.key_file, "/etc/nlb/cluster.key")
    os.chmod(machine.root + key, 0o600)


def test():
    release = sys.argv[1] if len(sys.argv) > 1 else RELEASES[0]
    for program in ("mmdebstrap", "systemd-nspawn", "dpkg-buildpackage", "capsh", "bpftool"):
        if shutil.which(program) is None:
            skip(f"no {program}: packaging/install-dependencies package")
    with Packaged(nodes=3) as cluster:
        package, higher = build(cluster.directory, release)
        print(f"{os.path.basename(package)}: {os.path.getsize(package) / 1000:.0f} kB")
        cluster.machine = machine = Machine(cluster.directory, release)
        machine.install(package)
        machine.boot("web1", cluster.namespace(1))
        look_at_the_contents(machine)
        check(machine.run("systemctl", "is-enabled", "nlbd").stdout.strip() == "enabled", "not enabled")
        machine.run("systemctl", "start", "nlbd")
        check(not is_up(machine), "it runs without a configuration")
        configure(cluster, machine)
        for node in (2, 3):
            cluster.start(node)
        machine.run("systemctl", "start", "nlbd")  # returns when the node has a view
        check(cluster.status(1)["state"] == "active", "ready before the first view")
        cluster.wait_active([1, 2, 3])
        look_at_the_process(machine)
        reload(machine)
        pushed_files(cluster)
        restarts(cluster, higher)
        watchdog(cluster)
        interface_comes_back(cluster)
        orders_hold(cluster)
        removal(cluster)


main(test)
