#!/usr/bin/env python3
"""Makes the kit's own vectors, own-*.json, beside this file.

    python generate.py                 writes every file
    python generate.py binary mixes    writes these
    python generate.py --check         writes nothing; exit 1 where a file is not what would be written

Needs the packages of requirements.txt. The same files come out everywhere, byte for byte.
"""

import argparse
import importlib.metadata
import json
import pathlib
import sys

sys.dont_write_bytecode = True

from generator.flags import FLAGS  # noqa: E402
from generator.group import Group  # noqa: E402
from generator.groups import GROUPS  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent
LARGEST_FILE = 600_000  # bytes: what can still be reviewed


def lines_of(group):
    """A file's lines: its head, then a case a line."""
    used = [flag for flag in FLAGS if any(flag in case["flags"] for case in group.cases)]
    source = (
        f"own: generate.py with mpmath {importlib.metadata.version('mpmath')} at 250 and more decimal digits, the literal "
        "definition, gradient in closed form compared with a central difference, rounded once to binary64"
    )
    yield '{\n"format": "label-smoothing-vectors/1",'
    yield f'"source": {json.dumps(source)},'
    yield '"flags": {'
    yield ",\n".join(f" {json.dumps(flag)}: {json.dumps(FLAGS[flag])}" for flag in used)
    yield f'}},\n"case_count": {len(group.cases)},\n"cases": ['
    yield ",\n".join(json.dumps(case, separators=(",", ":"), allow_nan=False) for case in group.cases)
    yield "]}"


def checked(name):
    """A group's file, seen to be well formed."""
    group = Group(name)
    GROUPS[name].add_cases(group)
    ids = [case["id"] for case in group.cases]
    twice = sorted({case_id for case_id in ids if ids.count(case_id) > 1})
    if twice:
        raise ValueError(f"there twice: {twice}")
    for case in group.cases:
        unknown = [flag for flag in case["flags"] if flag not in FLAGS]
        if unknown or not case["flags"]:
            raise ValueError(f"{case['id']}: {unknown or 'no flag'}")
    text = "\n".join(lines_of(group)) + "\n"
    if len(text) > LARGEST_FILE:
        raise ValueError(f"{name}: {len(text)} bytes")
    return text


def first_difference(written, made):
    """The case, or else the line, in which two files differ."""
    lines = [number for number, (old, new) in enumerate(zip(written.split("\n"), made.split("\n"))) if old != new]
    for number in lines:
        line = made.split("\n")[number]
        if line.startswith('{"id":'):
            return "case " + json.loads(line.removesuffix(","))["id"]
    return f"line {lines[0] + 1}" if lines else "its last line"


def differs(path, made):
    """Says what is wrong with a committed file, if anything."""
    if not path.exists():
        print(f"{path.name} is missing", file=sys.stderr)
        return True
    written = path.read_bytes().decode()
    if written != made:
        print(f"{path.name} is not what generate.py makes, first in {first_difference(written, made)}", file=sys.stderr)
    return written != made


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(GROUPS)}; all by default")
    parser.add_argument("--check", action="store_true", help="compare with the files instead of writing them")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in GROUPS]
    if unknown:
        parser.error(f"there is no {unknown[0]}")
    wanted, wrong = (FOLDER / "requirements.txt").read_text().split(), []
    if f"mpmath=={importlib.metadata.version('mpmath')}" not in wanted:
        parser.error(f"needs {' '.join(wanted)}")
    for name in arguments.names or GROUPS:
        path, made = FOLDER / f"own-{name}.json", checked(name)
        if arguments.check:
            wrong += [name] if differs(path, made) else []
        else:
            path.write_bytes(made.encode())
            print(f"{path.name}: {len(made)} bytes")
    if arguments.check and not arguments.names:
        for path in sorted(FOLDER.glob("own-*.json")):
            if path.stem.removeprefix("own-") not in GROUPS:
                print(f"{path.name} is made by nothing here", file=sys.stderr)
                wrong.append(path.name)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
