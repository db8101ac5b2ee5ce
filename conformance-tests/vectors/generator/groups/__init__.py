"""The files' cases, one module a file."""

from . import (
    axes,
    binary,
    block_maximum,
    blocks,
    combinations,
    confident,
    excluded_classes,
    lanes,
    maximum,
    mixes,
    non_finite,
    offsets,
    refusals,
    row_weights,
    soft_targets,
    subtract_entropy,
    unbounded,
    z_loss,
)

MODULES = [
    row_weights, excluded_classes, subtract_entropy, z_loss, combinations, binary, non_finite, refusals, lanes, blocks,
    block_maximum, axes, maximum, confident, offsets, mixes, soft_targets, unbounded,
]
GROUPS = {module.__name__.rpartition(".")[2].replace("_", "-"): module for module in MODULES}
