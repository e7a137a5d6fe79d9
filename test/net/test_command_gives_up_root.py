# SPDX-License-Identifier: Apache-2.0
"""Root's `nlbctl` becomes the agent's user before it reads a word of the agent's: so the agent's words can do no more to it
than to that user, and `systemctl reload` can ask an agent whose socket is that user's alone.

The agent is a stand-in, of the user `daemon`, that has been taken over: it notes who asks and replies whatever it likes.
"""

import json
import os
import pwd
import re
import socket
import stat
import struct
import subprocess
import threading

import netns
from harness import NLBCTL, SOURCE, Cluster, check, main

USER = pwd.getpwnam("daemon")
FOR_CAPTURE = 1 << 14 | 1 << 38 | 1 << 39
OWNERS = {"nodes": [{"id": 1, "name": "web1"}], "rules": [], "members": [{"id": 1, "weight": 1, "eligible": 0}]}


def bounded_as_the_unit():
    """What begins a command that has the rights that the packaged unit leaves to `systemctl reload`."""
    with open(f"{SOURCE}/packaging/systemd/nlbd.service.in") as file:
        names = re.findall(r"\bCAP_(\w+)", "".join(line for line in file if line.startswith("CapabilityBoundingSet=")))
    check(len(names) > 5, f"the unit's capabilities: {names}")
    return ["setpriv", "--bounding-set", "-all," + ",".join(f"+{name.lower()}" for name in names), "--inh-caps=-all"]


class StandIn:
    """Replies to each command what `result` is at that moment; asked: user id and effective capabilities of who asked."""

    def __init__(self, run_dir):
        self.run_dir, self.result, self.asked = run_dir, {}, []
        os.mkdir(run_dir)
        os.chown(run_dir, USER.pw_uid, USER.pw_gid)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{run_dir}/control")
        os.chmod(f"{run_dir}/control", 0o600)
        os.chown(f"{run_dir}/control", USER.pw_uid, USER.pw_gid)
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            client, _ = self._listener.accept()
            with client:
                pid, user, _ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
                with open(f"/proc/{pid}/status") as file:
                    capabilities = next(int(line.split()[1], 16) for line in file if line.startswith("CapEff"))
                while client.recv(65536):
                    pass
                self.asked.append((user, capabilities))
                client.sendall(json.dumps({"ok": True, "result": self.result}).encode())


def ask(agent, *words, prefix=()):
    agent.asked.clear()
    done = subprocess.run([*prefix, NLBCTL, "--run-dir", agent.run_dir, *words], capture_output=True, text=True, timeout=60,
                          errors="replace", preexec_fn=netns.die_with_parent)
    print(f"{' '.join(words)}: exit {done.returncode}: {done.stderr.strip()}")
    return done


def by_the_user(agent, kept, *words, prefix=()):
    done = ask(agent, *words, prefix=prefix)
    check(agent.asked, f"{words}: did not ask: {done.stderr}")
    check({user for user, _ in agent.asked} == {USER.pw_uid}, f"{words}: asks as {agent.asked}")
    check(all(capabilities & ~kept == 0 for _, capabilities in agent.asked), f"{words}: keeps {agent.asked}")
    return done


def lies(agent, directory):
    """What an agent cannot have said, to a capture: refused, in one line."""
    def member(**changes):
        return {**OWNERS, "members": [{**OWNERS["members"][0], **changes}]}
    rule = {"name": "x", "mode": 0, "weights": [], "priority": []}
    for what, owners in {"a node of too high a number": member(id=200), "no node": member(id=0), "a weight": member(weight=255),
                         "a text": member(id="1"), "a node twice": {**OWNERS, "members": OWNERS["members"] * 2},
                         "a mode": {**OWNERS, "rules": [{**rule, "mode": 77}]},
                         "a rule's node": {**OWNERS, "rules": [{**rule, "weights": [[99, 1]]}]},
                         "too many rules": {**OWNERS, "rules": [rule] * 33},
                         "a key too few": {key: OWNERS[key] for key in ("nodes", "rules")}, "no object": 7}.items():
        agent.result = {"interface": "eth0", "program": 1, "owners": owners}
        done = by_the_user(agent, FOR_CAPTURE, "capture", "--seconds", "1", "-w", f"{directory}/lies")
        check(done.returncode == 1 and len(done.stderr.splitlines()) == 1, f"{what}: {done.returncode} {done.stderr}")
        check(os.stat(f"{directory}/lies").st_uid == 0, "the file is not whose who asked for it")


def foreign_maps(agent):
    """The capture's maps are found by name: one that is larger than what it is read into is refused."""
    pins = f"{agent.run_dir}/bpf"
    os.mkdir(pins)
    subprocess.run(["mount", "-t", "bpf", "-o", "mode=0700", "none", pins], check=True, timeout=60)
    for name, kind, size in (("shown", "perf_event_array", 4), ("shown_counts", "percpu_array", 32768)):
        subprocess.run(["bpftool", "map", "create", f"{pins}/{name}", "type", kind, "key", "4", "value", str(size), "entries",
                        "1", "name", name], check=True, timeout=60)
        os.chown(f"{pins}/{name}", USER.pw_uid, USER.pw_gid)
    os.chown(pins, USER.pw_uid, USER.pw_gid)
    agent.result = {"interface": "eth0", "program": 1, "owners": OWNERS}
    done = by_the_user(agent, FOR_CAPTURE, "capture", "--seconds", "1")
    check(done.returncode == 1 and "its maps are another version's" in done.stderr, f"{done.returncode} {done.stderr}")


def no_link(agent, directory):
    """Root does not follow the user's link to another user's socket."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{directory}/roots")
    os.chmod(f"{directory}/roots", 0o600)
    listener.listen()
    listener.setblocking(False)
    os.rename(f"{agent.run_dir}/control", f"{agent.run_dir}/moved")
    os.symlink(f"{directory}/roots", f"{agent.run_dir}/control")
    os.lchown(f"{agent.run_dir}/control", USER.pw_uid, USER.pw_gid)
    done = ask(agent, "status")
    check(done.returncode == 1 and "Permission denied" in done.stderr, f"a link: {done.returncode} {done.stderr}")
    os.rename(f"{agent.run_dir}/moved", f"{agent.run_dir}/control")


def test():
    with Cluster(nodes=1, servers=False) as cluster:
        os.chmod(cluster.directory, 0o755)
        agent = StandIn(f"{cluster.directory}/run")
        secret = f"{cluster.directory}/roots-own"
        os.mkdir(secret, 0o700)
        for words in (("status",), ("stop",), ("reload",), ("events",), ("drain", "--wait"), ("weight", "web1", "5")):
            by_the_user(agent, 0, *words)
        agent.result = {"nodes": []}
        done = by_the_user(agent, 0, "reload", prefix=bounded_as_the_unit())
        check(done.returncode == 0, f"reload with the unit's capabilities: {done.stderr}")
        lies(agent, secret)
        foreign_maps(agent)
        no_link(agent, cluster.directory)
        check(stat.S_IMODE(os.stat(f"{secret}/lies").st_mode) == 0o600, "the capture can be read by others")
        done = ask(agent, "keygen", f"{secret}/key")
        check(done.returncode == 0 and not agent.asked, f"keygen writes as root: {done.stderr}")


main(test)
