#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs ctest, and says what its results are worth.

    test/judge.py [--beside COMMAND... --] PRESET [ARGUMENT OF CTEST...] [-- [--then] PRESET [ARGUMENT...]]...

--beside: runs the command meanwhile, on what the tests leave of the processors. --then: waits for its end, which has to be
a good one.

A green run means what it says:

- Two nodes that answered one request (TwoOwners in net/harness.py) fail the whole run, wherever they were seen: no second
  try makes up for it.
- A test gets a second try only when it says that the machine stalled under it, as measured by a process at the agents'
  priority (`STALLED:`; packaging/demonstration/stalls.py). When more than MAY_BE_TRIED_AGAIN need one, all of them have
  failed: such a machine proves nothing.
- A test that did not run has failed, except those of MAY_BE_SKIPPED.

It ends as ctest does, with a line for all of its runs together; before that it names the slowest tests.
"""

import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MAY_BE_TRIED_AGAIN = 3
SLOWEST = 15
# name: what the machine may lack, and why that is not a fault
MAY_BE_SKIPPED = {
    "net.test_hung_disk_holds_up_nobody": "/dev/fuse: a container may have none",
    "net.test_hung_disk_holds_up_nobody.pcap": "/dev/fuse: a container may have none",
}
TWO_OWNERS = re.compile(r"two owners: .*")
STALLED = re.compile(r"^STALLED: .*", re.MULTILINE)


class Result:
    def __init__(self, preset, case):
        self.preset, self.name = preset, case.get("name")
        self.seconds = float(case.get("time") or 0)
        self.output = case.findtext("system-out") or ""
        self.skipped = case.find("skipped") is not None or case.get("status") in ("notrun", "disabled")
        self.passed = case.get("status") == "run"

    @property
    def two_owners(self):
        return TWO_OWNERS.search(self.output)

    @property
    def stalled(self):
        return STALLED.search(self.output)


def ctest(preset, *arguments):
    """Its results by name; what it says is shown as it comes."""
    build = os.path.join(SOURCE, "build", preset)
    report = os.path.join(build, "results.xml")
    if os.path.exists(report):
        os.remove(report)
    subprocess.run(["ctest", "--test-dir", build, "--output-on-failure", "--no-tests=error", "--output-junit", report,
                    "--test-output-size-passed", "1048576", "--test-output-size-failed", "1048576", *arguments])
    if not os.path.exists(report):
        sys.exit(f"test/judge.py: ctest has tested nothing in {build}")
    with open(report, errors="replace") as file:  # an XML without what XML does not allow
        text = re.sub(r"[^\t\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", file.read())
    return {case.get("name"): Result(preset, case) for case in xml.etree.ElementTree.fromstring(text).iter("testcase")}


def run(preset, arguments):
    """All results, the second ones in place of the first; and those of the first that a stall excuses."""
    print(f"== Testing the {preset} preset", flush=True)
    results = ctest(preset, *arguments)
    excused = [result for result in results.values()
               if not result.passed and not result.skipped and result.stalled and not result.two_owners]
    if excused and len(excused) <= MAY_BE_TRIED_AGAIN:
        print(f"== Again, after a stall of the machine: {', '.join(result.name for result in excused)}", flush=True)
        names = "|".join(re.escape(result.name) for result in excused)
        results |= ctest(preset, "-R", f"^({names})$")
    return list(results.values()), excused


def failures(results, excused):
    """(preset, name) -> why."""
    found = {}
    for result in results:
        if result.skipped and result.name in MAY_BE_SKIPPED:
            print(f"skipped: {result.name} ({MAY_BE_SKIPPED[result.name]})")
        elif result.skipped:
            found[result.preset, result.name] = "was skipped, which it may not be"
        elif not result.passed:
            found[result.preset, result.name] = "failed"
        if result.two_owners:
            found[result.preset, result.name] = f"saw what must never be, {result.two_owners[0]}"
    if len(excused) > MAY_BE_TRIED_AGAIN:
        for result in excused:
            found[result.preset, result.name] = f"needed a second try, as {len(excused)} did: the machine stalls too often"
    return found


def groups(words):
    """The words between one -- and the next."""
    found = [[]]
    for word in words:
        if word == "--":
            found.append([])
        else:
            found[-1].append(word)
    return found


def begin_beside(command):
    return subprocess.Popen(command, cwd=SOURCE,
                            preexec_fn=lambda: os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0)))


def main():
    if len(sys.argv) < 2 or sys.argv[1] in ("--help", "-h"):
        print(__doc__)
        return 0 if len(sys.argv) > 1 else 2
    started, results, excused = time.monotonic(), [], []
    for words in groups(sys.argv[1:]):
        if words[0] == "--beside":
            beside = begin_beside(words[1:])
            continue
        if words[0] == "--then":
            words = words[1:]
            if beside.wait() != 0:
                sys.exit(f"test/judge.py: {' '.join(beside.args)} has failed")
        of_run, stalled = run(words[0], words[1:])
        results, excused = results + of_run, excused + stalled
    print(f"\nThe {SLOWEST} slowest:")
    for result in sorted(results, key=lambda result: -result.seconds)[:SLOWEST]:
        print(f"{result.seconds:8.1f} s  {result.name} ({result.preset})")
    print(f"\n{len(excused)} needed a second try, since the machine stalled"
          + "".join(f"\n  {result.name} ({result.preset}): {result.stalled[0]}" for result in excused))
    failed = failures(results, excused)
    for (preset, name), why in failed.items():
        print(f"  {name} ({preset}) {why}")
    total = len(results)
    print(f"\n{100 * (total - len(failed)) // total}% tests passed, {len(failed)} tests failed out of {total}\n\n"
          f"Total Test time (real) = {time.monotonic() - started:.2f} sec")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
