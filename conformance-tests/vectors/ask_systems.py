#!/usr/bin/env python3
"""Makes system-*.json beside this file: what other systems compute, each by its own code.

    python ask_systems.py                    asks every system
    python ask_systems.py fairseq megatron   asks these
    python ask_systems.py --check            writes nothing; exit 1 where a system's answer is not the file's

Needs the packages of requirements-systems.txt, pip with a package index, and for burn cargo.
"""

import argparse
import importlib
import importlib.metadata
import json
import pathlib
import sys

sys.dont_write_bytecode = True

from generator.flags import FLAGS  # noqa: E402
from generator.group import question  # noqa: E402
from generator.numbers import to_hex  # noqa: E402
from other_systems import SYSTEMS  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent


class Versions(dict):
    """The installed version of whatever a source text names."""

    def __missing__(self, package):
        return importlib.metadata.version("tensorflow-cpu" if package == "tensorflow" else package).split("+")[0]


def cases_of(name):
    """The system's cases with its answers, and where they come from."""
    system, cases = importlib.import_module(f"other_systems.{name}"), []

    def ask(what, *flags, **given):
        case = question(f"system/{name.replace('_', '-')}/{what}", flags, **given)
        loss, gradient = system.answer(case)
        case["expected"] = {
            "loss": [to_hex(value + 0.0) for value in loss],
            "gradient": [to_hex(value + 0.0) for value in gradient],
            "relative_error": to_hex(system.RELATIVE_ERROR),
        }
        cases.append(case)

    system.questions(ask)
    return cases, system.SOURCE.format_map(Versions())


def text_of(cases, source):
    """A file: its head, then a case a line."""
    used = [flag for flag in FLAGS if any(flag in case["flags"] for case in cases)]
    flags = ",\n".join(f" {json.dumps(flag)}: {json.dumps(FLAGS[flag])}" for flag in used)
    lines = ",\n".join(json.dumps(case, separators=(",", ":"), allow_nan=False) for case in cases)
    head = f'"format": "label-smoothing-vectors/1",\n"source": {json.dumps(source)},\n"flags": {{\n{flags}}},'
    return f'{{\n{head}\n"case_count": {len(cases)},\n"cases": [\n{lines}\n]}}\n'


def difference(written, made):
    """What is wrong with a file, if anything: questions are compared exactly, answers within the system's own rounding."""
    for old, new in zip(written, made):
        old_answer, new_answer = old.pop("expected"), new.pop("expected")
        if old != new:
            return f"{new['id']}: another question"
        error = float.fromhex(new_answer["relative_error"])
        for key in ("loss", "gradient"):
            for place, texts in enumerate(zip(old_answer[key], new_answer[key])):
                before, now = map(float.fromhex, texts)
                if abs(before - now) > 16 * error * max(1.0, abs(before)):
                    return f"{new['id']}: {key}[{place}] was {before} and is {now}"
    return None if len(written) == len(made) else f"{len(written)} cases, but {len(made)} are made"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SYSTEMS)}; all by default")
    parser.add_argument("--check", action="store_true", help="compare with the files instead of writing them")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in SYSTEMS]
    if unknown:
        parser.error(f"there is no {unknown[0]}")
    wrong = False
    for name in arguments.names or SYSTEMS:
        path = FOLDER / f"system-{name.replace('_', '-')}.json"
        cases, source = cases_of(name)
        if arguments.check:
            found = difference(json.loads(path.read_text())["cases"], cases)
            print(f"{path.name}: {found or f'{len(cases)} cases as they were'}")
            wrong = wrong or found is not None
        else:
            path.write_text(text_of(cases, source))
            print(f"{path.name}: {len(cases)} cases")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
