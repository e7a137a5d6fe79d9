# SPDX-License-Identifier: Apache-2.0
"""`nlbctl capture` writes what each node does with every packet, as Wireshark reads it, and leaves nothing behind.

    client --- bridge --- web1 (captured), web2
"""

import collections
import contextlib
import csv
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile

import flows
import netns
from configuration import DATAPATH
from harness import NLBCTL, VIP4, VIP6, Cluster, check, main
from owners import expected
from test_fragments_are_answered import PAYLOAD, ask, send_in_order
from test_jumbo_frames_pass import widen

Packet = collections.namedtuple("Packet", "flow mac comment")
FIELDS = ("ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport", "eth.dst", "frame.comment")
RULES = {7001: "none", 7002: "single"}
COMMENT = re.compile(r"(drop|pass) (\w+): rule (\S+), bucket (\d+), owner (\S+)")


def capture(cluster, *arguments):
    words = [NLBCTL, "--run-dir", cluster.run_dir(1), "capture", *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            errors="replace", preexec_fn=netns.die_with_parent)


def is_looking(process):
    """The process has put its rings into the program's map, or listens for the agent that judges by itself."""
    if DATAPATH == "pcap":
        with open(f"/proc/{process.pid}/net/unix") as sockets:
            return process.poll() is None and f"{process.args[2]}/tables/capture" in sockets.read()
    fds, links = f"/proc/{process.pid}/fd", []
    for fd in os.listdir(fds) if process.poll() is None else []:
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            links.append(os.readlink(f"{fds}/{fd}"))
    return "anon_inode:[perf_event]" in links


def begins(cluster, process):
    cluster.wait_until(lambda: is_looking(process) or process.poll() is not None, "the capture begins")
    check(process.poll() is None, f"the capture ends at once: {process.args} {process.returncode}")


def syns(path):
    """The SYNs in a file, as tshark reads it."""
    words = ["tshark", "-r", path, "-Y", "tcp.flags.syn == 1", "-T", "fields", "-E", "separator=|", "-E", "quote=n"]
    for field in FIELDS:
        words += ["-e", field]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    check(done.returncode == 0 and "appears to" not in done.stderr, f"tshark does not like the file: {done.stderr}")
    packets = []
    for source4, source6, sport, vip4, vip6, dport, mac, comment in csv.reader(done.stdout.splitlines(), delimiter="|"):
        flow = flows.Flow(source4 or source6, int(sport), vip4 or vip6, int(dport))
        packets.append(Packet(flow, mac, comment))
    return packets


def check_every_packet(cluster, asked):
    path = f"{cluster.directory}/all.pcapng"
    process = capture(cluster, "-w", path)
    begins(cluster, process)
    answers = flows.ask_tcp(cluster.client, asked)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    check(process.returncode == 0 and told.endswith(" packets, 0 lost\n"), f"it ends with {process.returncode}: {told}")
    check(stat.S_IMODE(os.stat(path).st_mode) == 0o600, "the file can be read by others")
    owners = expected(cluster, "tcp", asked)
    seen = syns(path)
    check({packet.flow for packet in seen} == set(asked), "some SYNs are not in the file, or others are")
    for packet in seen:
        parts = COMMENT.fullmatch(packet.comment)
        check(parts, f"another comment: {packet}")
        verdict, reason, rule, _, owner = parts.groups()
        here = owners[packet.flow] == "web1"
        check(owner == owners[packet.flow] == answers[packet.flow], f"another owner than {answers[packet.flow]}: {packet}")
        check((verdict, reason) == (("pass", "accepted") if here else ("drop", "foreign")), f"another verdict: {packet}")
        check(rule == RULES[packet.flow.dport], f"another rule: {packet}")
        check(packet.mac.startswith("03:bf:"), f"not as it came: {packet}")
    print(f"{len(seen)} SYNs, {sum('accepted' in packet.comment for packet in seen)} of them accepted")


def check_part(cluster, asked, option, reason):
    path = f"{cluster.directory}/{reason}.pcapng"
    process = capture(cluster, option, "-w", path)
    begins(cluster, process)
    flows.ask_tcp(cluster.client, asked)
    process.send_signal(signal.SIGTERM)
    check(process.wait(30) == 0, f"capture {option} fails")
    seen = syns(path)
    check(seen and all(reason in packet.comment for packet in seen), f"not only {reason} with {option}")


def check_lines(cluster, asked):
    process = capture(cluster, "--count", 5, "--json")
    begins(cluster, process)
    flows.ask_tcp(cluster.client, asked)
    out, _ = process.communicate(timeout=30)
    lines = [json.loads(line) for line in out.splitlines()]
    check(len(lines) == 5 and all(line["verdict"] in ("pass", "drop") for line in lines), f"not five: {out}")
    process = capture(cluster, "--seconds", 1, "-w", "-")
    out, told = process.communicate(timeout=30)
    check(process.returncode == 0 and "nlbctl" in out, f"no file on standard output: {told}")


def check_refusals(cluster):
    there = f"{cluster.directory}/all.pcapng"
    for arguments, code, words in (
            (("-w", there), 1, f"write {there}: it is there already; name another file, or remove it"),
            (("-w", "/nowhere/x"), 1, "write /nowhere/x: No such file or directory"),
            (("-w", "/dev/full"), 1, "write /dev/full: No space left on device"),
            (("--foreign", "--accepted"), 2, "capture: --foreign or --accepted"),
            (("--count", "0"), 2, "--count")):
        done = cluster.nlbctl("capture", *arguments, node=1, check_exit=False)
        check(done.returncode == code and words in done.stderr, f"capture {arguments}: {done.returncode} {done.stderr}")


def check_full_disk(cluster, asked):
    """What does not fit is left out whole: the file can still be read."""
    directory = tempfile.mkdtemp(dir=cluster.directory)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", directory], check=True, timeout=60)
    process = capture(cluster, "-w", f"{directory}/x")
    begins(cluster, process)
    for _ in range(5):
        flows.ask_tcp(cluster.client, asked)
    _, told = process.communicate(timeout=30)
    check(process.returncode == 1 and "No space left on device" in told, f"a full disk: {process.returncode} {told}")
    shutil.copy(f"{directory}/x", f"{cluster.directory}/cut")
    check(syns(f"{cluster.directory}/cut"), "nothing is in the file")


def check_killed(cluster):
    """One at a time; the agent forgets a killed capture in a few seconds."""
    process = capture(cluster)
    begins(cluster, process)
    second = cluster.nlbctl("capture", "--seconds", 1, node=1, check_exit=False)
    check(second.returncode == 4 and "another one is running" in second.stderr, f"a second one: {second}")
    process.kill()
    process.communicate()
    cluster.wait_until(lambda: cluster.nlbctl("capture", "--seconds", 1, node=1, check_exit=False).returncode == 0,
                       "the next capture may begin")


def check_restart(cluster, asked, end):
    """The next agent exchanges the program that packets meet, or, after an orderly end, all that was there; the
    capture goes on with the new one."""
    process = capture(cluster, "--accepted", "--count", 1)
    begins(cluster, process)
    before = cluster.status(1)["view"]
    end(1)
    cluster.start(1)
    cluster.wait_active([1, 2])
    cluster.wait_until(lambda: flows.ask_tcp(cluster.client, asked) and process.poll() is not None,
                       f"the capture sees what the next agent's program accepts (before: {before})")
    out, _ = process.communicate(timeout=30)
    check("pass accepted" in out, f"nothing accepted: {out}")


def settle(cluster):
    cluster.start_all()
    cluster.wait_active([1, 2])
    cluster.wait_until(lambda: cluster.status(1)["connections"]["lingering_groups"] == 0, "nothing lingers")


def check_large_frames(cluster):
    """In the driver such a frame is in several buffers, and goes into the file whole."""
    path, size = f"{cluster.directory}/large.pcapng", len(PAYLOAD) + 42
    process = capture(cluster, "--accepted", "-w", path)
    begins(cluster, process)
    ask(cluster, flows.many(20, VIP4, 7001), send_in_order)
    process.send_signal(signal.SIGINT)
    check(process.wait(30) == 0, "capture of large frames fails")
    words = ["tshark", "-r", path, "-Y", "udp.dstport == 7001", "-T", "fields", "-e", "frame.len", "-e", "frame.cap_len"]
    seen = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
    check(seen and set(seen) == {f"{size}\t{size}"}, f"frames of {size} bytes, length and bytes in the file: {set(seen)}")


def in_the_driver():
    with Cluster(nodes=2, cluster='datapath = "xdp-native"') as cluster:
        widen(cluster)
        settle(cluster)
        check(cluster.status(1)["datapath"]["mode"] == "native", "not native")
        check_every_packet(cluster, flows.many(100, VIP4, 7001) + flows.many(100, VIP6, 7002))
        check_large_frames(cluster)


def test():
    with Cluster(nodes=2) as cluster:
        settle(cluster)
        asked = flows.many(100, VIP4, 7001) + flows.many(100, VIP6, 7002)
        check_every_packet(cluster, asked)
        check_part(cluster, asked, "--foreign", "foreign")
        check_part(cluster, asked, "--accepted", "accepted")
        check_lines(cluster, asked)
        check_refusals(cluster)
        check_full_disk(cluster, asked)
        check_killed(cluster)
        check_restart(cluster, asked, cluster.kill)
        check_restart(cluster, asked, cluster.terminate)
    if DATAPATH == "xdp":
        in_the_driver()


main(test)
