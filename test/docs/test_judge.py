# SPDX-License-Identifier: Apache-2.0
"""What test/judge.py makes of results: of tests that stalled, were skipped, or saw two nodes answer one request."""

import os
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STALLS_ONCE = "if [ -e {flag} ]; then exit 0; fi; touch {flag}; echo STALLED: by 300 ms; exit 1"
TESTS = {  # name: a script, and whether the run may hold it and pass
    "passes": ("exit 0", True),
    "fails": ("exit 1", False),
    "net.test_hung_disk_holds_up_nobody": ("exit 77", True),
    "skipped": ("exit 77", False),
    "stalls_once": (STALLS_ONCE, True),
    "stalls_always": ("echo STALLED: by 300 ms; exit 1", False),
    "two_owners_in_a_stall": ("echo STALLED: by 300 ms; echo FAILED: two owners: web1, web2; exit 1", False),
    "two_owners_and_passes": ("printf 'two owners: \\001 web1, web2\\n'", False),
}


def judged(directory, tests):
    """The exit code and what was said of a run of these tests: name -> script."""
    build = os.path.join(directory, "build/x")
    os.makedirs(build, exist_ok=True)
    with open(os.path.join(build, "CTestTestfile.cmake"), "w") as file:
        for name, script in tests.items():
            path = os.path.join(directory, name)
            with open(path, "w") as program:
                program.write(script.format(flag=path + ".flag"))
            file.write(f'add_test({name} sh "{path}")\nset_tests_properties({name} PROPERTIES SKIP_RETURN_CODE 77)\n')
    done = subprocess.run([sys.executable, "-B", os.path.join(directory, "test/judge.py"), "x"], capture_output=True, text=True)
    return done.returncode, done.stdout


def check(condition, said):
    if not condition:
        sys.exit(said)


def main():
    with tempfile.TemporaryDirectory() as directory:
        os.makedirs(os.path.join(directory, "test"))
        shutil.copy(os.path.join(SOURCE, "test/judge.py"), os.path.join(directory, "test"))
        for name, (script, good) in TESTS.items():
            code, said = judged(directory, {name: script})
            check(code == (0 if good else 1), f"{name}: exit {code}\n{said}")
            check(("100% tests passed, 0 tests failed out of 1\n" in said.split("slowest")[1]) == good, said)
        for number in (3, 4):
            code, said = judged(directory, {f"stalls{number}{i}": STALLS_ONCE for i in range(number)})
            check(code == (0 if number == 3 else 1), f"{number} tests stalled: exit {code}\n{said}")
            check(f"\n{number} needed a second try" in said, said)


main()
