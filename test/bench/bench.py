# SPDX-License-Identifier: Apache-2.0
"""Runs the parts of the benchmark that are asked for; test/bench/run, which builds first, is the command.

A part is a module with NAME, WHAT, measure(options, say) -> numbers that JSON can hold, and table(numbers).
"""

import argparse
import datetime
import json
import os
import platform
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "net"))
import accepted  # noqa: E402 (the path is set above)
import capacity  # noqa: E402
import drops  # noqa: E402
import flood  # noqa: E402
import harness  # noqa: E402
import plot  # noqa: E402
import rest  # noqa: E402
import scale  # noqa: E402
import takeover  # noqa: E402
import verdicts  # noqa: E402

PARTS = {part.NAME: part for part in (drops, capacity, verdicts, accepted, takeover, scale, rest, flood)}


def _machine():
    with open("/proc/cpuinfo") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return {"processor": models[0] if models else platform.machine(), "processors": os.cpu_count(),
            "kernel": platform.release(), "date": datetime.date.today().isoformat()}


def _arguments():
    parser = argparse.ArgumentParser(prog="test/bench/run", description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="*", help=f"by default all: {', '.join(PARTS)}")
    parser.add_argument("--list", action="store_true", help="say what the parts are")
    parser.add_argument("--json", action="store_true", help="print the numbers instead of the tables")
    parser.add_argument("--repeats", type=int, help="of everything; each part has a number of its own")
    parser.add_argument("--only", default="", metavar="TEXT", help="contenders whose names contain this")
    parser.add_argument("--from", nargs="+", dest="files", metavar="FILE",
                        help="measure nothing: show what earlier runs have printed with --json")
    parser.add_argument("--plot", metavar="FILE", help=f"also draw an SVG picture of {plot.PARTS}")
    options = parser.parse_args()
    for part in options.part:
        if part not in PARTS:
            parser.error(f"{part}: no such part ({', '.join(PARTS)})")
    return options


def _read(files):
    """The results of several runs as one: later ones replace the same contender of the same part."""
    results = {}
    for file in files:
        try:
            with open(file) as opened:
                parts = json.load(opened)
        except (OSError, ValueError) as error:
            sys.exit(f"FAILED: read {file}: {error}")
        for part, numbers in parts.items():
            results.setdefault(part, {}).update(numbers)
    return results


def _measure(options):
    results = {"machine": _machine()}
    for name in options.part or PARTS:
        results[name] = PARTS[name].measure(
            options, lambda what, name=name: print(f"{name}: {what}", file=sys.stderr, flush=True))
    return results


def main():
    options = _arguments()
    if options.list:
        for part in PARTS.values():
            print(f"{part.NAME:12} {part.WHAT}")
        return
    try:
        results = _read(options.files) if options.files else _measure(options)
        if options.plot:
            plot.write(results, options.plot)
    except harness.Failed as failure:
        sys.exit(f"FAILED: {failure}")
    if options.json:
        print(json.dumps(results))
        return
    machine = results.pop("machine")
    print(f"{machine['processor']}, {machine['processors']} processors, kernel {machine['kernel']}, {machine['date']}")
    for name, numbers in results.items():
        print(f"\n{PARTS[name].WHAT}\n\n{PARTS[name].table(numbers)}")


if __name__ == "__main__":
    main()
