"""Rows that the builders of soft targets make, read from the figures that these are held to."""

import json
import pathlib

from ..group import REDUCTIONS
from ..numbers import bf16

FIGURES = pathlib.Path(__file__).resolve().parents[4] / "label-smoothing-core" / "vectors" / "soft-targets.json"
ROWS_BY_CLASS = ["from_similarities", "from_distances", "sord", "exponential", "binomial", "poisson", "triangular"]
PRIORS = ["prior_from_counts", "zipf_by_rank"]
ROWS_BY_EXAMPLE = ["two_hot", "hl_gauss", "neighbour_labels"]
FLAG = "soft-target-rows"


def add_cases(group):
    figures = json.loads(FIGURES.read_text())
    reductions = list(REDUCTIONS)
    for turn, builder in enumerate(ROWS_BY_CLASS):
        for number, rows in enumerate(few(figures, builder)):
            for rate in (1.0, 0.25):
                smoothing = {"kind": "class_rows", "epsilon": rate, "rows": rows}
                reduce = reductions[(turn + number) % len(reductions)]
                group.add(f"{builder}/{number}/rate-{rate}/{reduce}", FLAG, shape=(4, len(rows)), smoothing=smoothing,
                          reduce=reduce)
    for builder in PRIORS:
        for number, rows in enumerate(few(figures, builder)):
            for targets in ("indices", "mixed"):
                smoothing = {"kind": "distribution", "epsilon": 0.2, "distribution": rows[0]}
                group.add(f"{builder}/{number}/{targets}/mean", FLAG, shape=(3, len(rows[0])), targets=targets,
                          smoothing=smoothing)
    for turn, builder in enumerate(ROWS_BY_EXAMPLE):
        for number, rows in enumerate(few(figures, builder)):
            # In bfloat16, so that every element type holds them.
            values = [bf16(value) for row in rows for value in row]
            reduce = reductions[(turn + number) % len(reductions)]
            group.add(f"{builder}/{number}/{reduce}", FLAG, "unnormalised-targets", shape=(len(rows), len(rows[0])),
                      targets={"kind": "probabilities", "values": values}, reduce=reduce)


def few(figures, builder):
    """The rows of the first three cases of a builder with 3 to 12 classes."""
    cases = [case["rows"] for case in figures if case["builder"] == builder]
    return [[[float(value) for value in row] for row in rows] for rows in cases if 3 <= len(rows[0]) <= 12][:3]
