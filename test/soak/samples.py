# SPDX-License-Identifier: Apache-2.0
"""What an agent's process holds, again and again, and whether it has grown.

Memory is what the process has made itself (RssAnon): pages of the program's file come in as code is first used. Growth is
judged on one process that lives from the beginning to the end, by the medians of the second and the last third of its
samples. The first third is its warm-up: the log of events fills (256 of them), the allocator finds its size. TOLERANCE is
what the allocator may still round up; a leak of a kilobyte per change exceeds it within an ordinary soak's 10 minutes.
"""

import json
import os
import re
import statistics
import subprocess
import time

from harness import check

TOLERANCE_KIB = 128

FIELDS = ("anonymous KiB", "resident KiB", "descriptors", "threads")


def of_process(pid):
    with open(f"/proc/{pid}/status") as file:
        values = dict(line.split(":", 1) for line in file)
    number = {key: int(values[key].split()[0]) for key in ("RssAnon", "VmRSS", "Threads")}
    return number["RssAnon"], number["VmRSS"], len(os.listdir(f"/proc/{pid}/fd")), number["Threads"]


def bpf_of_process(pid, kind):
    """The ids of the BPF programs ("prog") or maps ("map") that the process has open."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{name}") as file:
                found.update(int(number) for number in re.findall(rf"^{kind}_id:\s*(\d+)", file.read(), re.MULTILINE))
        except FileNotFoundError:
            pass  # closed meanwhile
    return found


class Samples:
    """of[(node, pid)]: [(seconds since the start, values of FIELDS), ...]"""

    def __init__(self):
        self._started = time.monotonic()
        self.of = {}
        self.bpf = {"prog": set(), "map": set()}   # ids that an agent has held at any time
        self.bpf_alive = []                        # (seconds, agents, programs, maps): how many of them are there

    def take(self, cluster):
        now = time.monotonic() - self._started
        for node, agent in cluster.agents.items():
            self.of.setdefault((node, agent.pid), []).append((now, of_process(agent.pid)))

    def take_bpf(self, cluster):
        now, alive = time.monotonic() - self._started, []
        for kind, known in self.bpf.items():
            for agent in cluster.agents.values():
                known.update(bpf_of_process(agent.pid, kind))
            listed = json.loads(subprocess.run(["bpftool", "-j", kind, "list"], capture_output=True, text=True,
                                               check=True, timeout=60).stdout)
            alive.append(len(known & {one["id"] for one in listed}))
        self.bpf_alive.append((now, len(cluster.agents), *alive))

    def bpf_left(self):
        """Programs and maps that are still there, of all that there were."""
        return {kind: sum(subprocess.run(["bpftool", kind, "show", "id", str(one)], capture_output=True).returncode == 0
                          for one in known) for kind, known in self.bpf.items()}

    def thirds(self, key, field):
        """The medians of one process's value in the three thirds of its samples."""
        values = [sample[1][field] for sample in self.of[key]]
        third = len(values) // 3
        return [statistics.median(part) for part in (values[:third], values[third:2 * third], values[2 * third:])]

    def slope(self, key, field):
        """Least squares over the samples after the warm-up: per minute."""
        samples = self.of[key][len(self.of[key]) // 3:]
        line = statistics.linear_regression([at for at, _ in samples], [values[field] for _, values in samples])
        return 60 * line.slope

    def table(self, key):
        lines = [f"{'':16}{'1st third':>12}{'2nd third':>12}{'last third':>12}{'a minute':>12}"]
        for field, name in enumerate(FIELDS):
            first, second, last = self.thirds(key, field)
            lines.append(f"{name:16}{first:12.0f}{second:12.0f}{last:12.0f}{self.slope(key, field):+12.2f}")
        values = [sample[1][0] for sample in self.of[key]]
        curve = [str(round(statistics.median(values[len(values) * part // 10:len(values) * (part + 1) // 10])))
                 for part in range(10) if len(values) >= 10]
        return "\n".join(lines + ["anonymous KiB, tenth by tenth: " + " ".join(curve)])

    def lifetimes(self):
        """One line for each node: how many agents it has had and the extremes of what they held."""
        lines = [f"{'':8}{'agents':>8}{'anonymous KiB':>18}{'descriptors':>14}"]
        for node in sorted({node for node, _ in self.of}):
            of_node = [values for (one, _), taken in self.of.items() if one == node for _, values in taken]
            memory, descriptors = [values[0] for values in of_node], [values[2] for values in of_node]
            count = sum(one == node for one, _ in self.of)
            lines.append(f"web{node:<5}{count:8}{f'{min(memory)} to {max(memory)}':>18}"
                         f"{f'{min(descriptors)} to {max(descriptors)}':>14}")
        return "\n".join(lines)

    def check_no_growth(self, key):
        check(len(self.of[key]) >= 15, f"{len(self.of[key])} samples are too few to judge growth")
        _, before, after = self.thirds(key, 0)
        check(after <= before + TOLERANCE_KIB, f"memory grew from {before:.0f} to {after:.0f} KiB")
        for field in (2, 3):
            _, before, after = self.thirds(key, field)
            check(after <= before, f"{FIELDS[field]}: {before:.0f} before, {after:.0f} in the last third")

    def check_no_bpf_growth(self):
        """An agent has as many programs and maps as ever: those of its predecessors are gone."""
        full = max(agents for _, agents, _, _ in self.bpf_alive)
        complete = [entry for entry in self.bpf_alive if entry[1] == full]
        for field, kind in ((2, "programs"), (3, "maps")):
            counts = [entry[field] for entry in complete]
            check(counts[-1] <= counts[0], f"BPF {kind} of {full} agents: {counts[0]} at first, {counts[-1]} in the end")
