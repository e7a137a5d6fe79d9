# SPDX-License-Identifier: Apache-2.0
"""Pictures in one SVG, drawn by gnuplot: packets a second of each contender; takeover times on a logarithmic axis."""

import subprocess

import drops
import takeover
from harness import check
from table import median

_WIDTH, _ROW, _FRAME = 860, 20, 90  # pixels; a picture is its rows and a frame for title and axis
_OURS, _THEIRS, _NEUTRAL = "0x2463a8", "0xb5651d", "0x9a9a9a"
_SITUATION = "TCP SYN"
_LEAST_MS = 1  # where the logarithmic axis begins


def _colour(contender):
    return _OURS if contender.startswith("nlbd") else _NEUTRAL if contender.startswith("XDP_DROP") else _THEIRS


def _title(text):
    return f'set label 1 "{{/:Bold {text}}}" at graph 0, graph 1 left offset 0, 1.2'


def _tics(rows):
    return ", ".join(f'"{text}" {-number}' for number, text in enumerate(rows))


def _rates(result):
    """(number of rows, gnuplot's commands): a bar a contender, in millions."""
    rates = {name: median(one) / 1e6 for name, one in result[_SITUATION].items()}
    rows = sorted(rates, key=lambda name: -rates[name])
    data = "\n".join(f"{rates[name]} {-number} {_colour(name)}" for number, name in enumerate(rows))
    rows = [name.replace("_", "\\\\_") for name in rows]  # else what follows is set lower
    return len(rows), f"""
{_title(f"Foreign {_SITUATION}s dropped per second and processor, millions")}
set ytics ({_tics(rows)})
unset logscale x
set xrange [0:{1.12 * max(rates.values())}]
set xtics auto
$rates << END
{data}
END
plot $rates using ($1/2):2:($1/2):(0.34):3 with boxxyerror fillstyle solid noborder linecolor rgb variable, \\
     $rates using 1:2:(sprintf(" %.1f", $1)) with labels left
"""


def _takeovers(result):
    """A line a contender and event, from the median to the worst."""
    rows, data = [], []
    for event, text in takeover.EVENTS.items():
        rows.append(f"{{/:Bold {text}}}")
        for name, one in result.items():
            if event in one:
                times = one[event]["concerned_ms"]
                centre, worst = max(_LEAST_MS, median(times)), max(_LEAST_MS, max(times))
                data.append(f"{centre} {-len(rows)} {worst} {_colour(name)}")
                rows.append(name)
    lines = "\n".join(data)
    return len(rows), f"""
{_title("Time without service: median (dot) and worst (end of the line)")}
set ytics ({_tics(rows)})
set logscale x
set xrange [{_LEAST_MS}:10000]
set xtics ("≤ 1 ms" 1, "10 ms" 10, "100 ms" 100, "1 s" 1000, "10 s" 10000)
$times << END
{lines}
END
plot $times using 1:2:($3-$1):(0):4 with vectors nohead linewidth 2 linecolor rgb variable, \\
     $times using 1:2:4 with points pointtype 7 pointsize 0.7 linecolor rgb variable
"""


_PICTURES = {drops.NAME: _rates, takeover.NAME: _takeovers}
PARTS = " and ".join(_PICTURES)


def _script(pictures, path):
    height = sum(rows * _ROW + _FRAME for rows, _ in pictures)
    script = f"""
set terminal svg size {_WIDTH},{height} font "sans-serif,12" background "white"
set output "{path}"
set encoding utf8
set multiplot
set border 1 linecolor rgb "0x9a9a9a"
set grid xtics linecolor rgb "0xdddddd" linetype 1
set tics nomirror scale 0 textcolor rgb "black"
unset key
set lmargin at screen 0.31
set rmargin at screen 0.97
"""
    top = height
    for rows, commands in pictures:
        bottom = top - rows * _ROW - _FRAME
        script += f"""
set tmargin at screen {(top - 45) / height}
set bmargin at screen {(bottom + 45) / height}
set yrange [{0.6 - rows}:0.6]
{commands}"""
        top = bottom
    return script


def write(results, path):
    """Of the parts that have a picture, those that were measured."""
    pictures = [draw(results[name]) for name, draw in _PICTURES.items() if name in results]
    check(pictures, f"there is a picture of {PARTS} alone")
    done = subprocess.run(["gnuplot"], input=_script(pictures, path), capture_output=True, text=True, timeout=60)
    check(done.returncode == 0 and not done.stderr, f"gnuplot: {done.stderr.strip()}")
