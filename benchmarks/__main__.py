"""`python -m benchmarks`: runs the cases, prints the table, and with --write keeps it in docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks import report
from benchmarks.cases import CASES, FULL, QUICK, Case, Scale
from benchmarks.report import Row
from benchmarks.servers import versions

_PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def main() -> int:
    arguments = _arguments()
    chosen = [case for case in CASES if not arguments.only or case.name in arguments.only]
    scale = QUICK if arguments.quick else FULL
    sections: list[tuple[str, list[Row]]] = []
    failed = False
    for case in chosen:
        rows, ok = _measure(case, scale)
        failed = failed or not ok
        sections.append((case.title, rows))
    print(report.text([row for _, rows in sections for row in rows]))
    if arguments.write:
        _PAGE.write_text(report.markdown(sections, versions()))
    return 1 if failed else 0


def _measure(case: Case, scale: Scale) -> tuple[list[Row], bool]:
    """The rows of a case. One that breaks is a row that says so: the others still count."""
    start = time.monotonic()
    print(f"{case.name}: {case.title} …", file=sys.stderr, flush=True)
    rows: list[Row] = []
    ok = True
    try:
        for row in case.measure(scale):
            print(f"  {row.name}: {row.measured} {row.verdict}", file=sys.stderr, flush=True)
            rows.append(row)
    except Exception as error:
        print(f"  {error}", file=sys.stderr)
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        rows.append(Row(name=case.title, value=float("nan"), unit="", note=reason))
        ok = False
    print(f"  {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return rows, ok


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [case.name for case in CASES]
    parser.add_argument("--only", action="append", choices=names, help="measure this case (may be repeated)")
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that everything runs")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
