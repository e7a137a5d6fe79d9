# SPDX-License-Identifier: Apache-2.0
"""Tables as text, and the few statistics that they show."""

import statistics

median = statistics.median


def percentile(values, share):
    """The smallest value that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


class Table:
    """The first column is left-aligned, the others right-aligned."""

    def __init__(self, heads):
        self._rows = [heads]

    def add(self, *cells):
        self._rows.append([str(cell) for cell in cells])

    def __str__(self):
        widths = [max(len(row[i]) for row in self._rows) for i in range(len(self._rows[0]))]
        lines = []
        for row in self._rows:
            cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
            lines.append("  ".join(cells).rstrip())
        lines.insert(1, "-" * max(map(len, lines)))
        return "\n".join(lines)
