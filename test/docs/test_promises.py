# SPDX-License-Identifier: Apache-2.0
"""Each row of "bad days" names the tests that show it, each limit names its own or says that there is none; and they exist."""

import os
import re
import sys

SOURCE = os.environ["NLBD_SOURCE_DIR"]


def read(name):
    with open(f"{SOURCE}/etc/guide/{name}.md") as file:
        return file.read()


def bad_days():
    for row in re.findall(r"^\| .* \|$", read("bad-days"), re.MULTILINE)[1:]:
        yield row, row.rsplit("|", 2)[1]


def limits():
    for limit in re.findall(r"^- .*(?:\n  .*)*", read("limits"), re.MULTILINE):
        named = re.search(r"\((Test: [^()]*|No test)\.\)$", limit)
        yield limit, named and named[1]


def failures(promises, least):
    promises = list(promises)
    if len(promises) < least:
        yield f"only {len(promises)} were found"
    for promise, named in promises:
        tests = re.findall(r"`([^`]+)`", named or "")
        if not tests and named != "No test":
            yield f"no test is named: {promise}"
        for test in tests:
            path = f"{SOURCE}/test/{test if '/' in test else f'net/test_{test}'}.py"
            if not os.path.exists(path):
                yield f"there is no test {test}: {promise}"


failed = [*failures(bad_days(), 25), *failures(limits(), 25)]
for failure in failed:
    print("FAILED:", failure, file=sys.stderr)
sys.exit(1 if failed else 0)
