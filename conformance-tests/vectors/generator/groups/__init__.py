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
    likelihoods,
    maximum,
    mixes,
    non_finite,
    offsets,
    penalties,
    refusals,
    row_weights,
    soft_targets,
    sparse,
    subtract_entropy,
    unbounded,
    z_loss,
)

MODULES = [
    row_weights, excluded_classes, subtract_entropy, z_loss, combinations, binary, non_finite, refusals, lanes, blocks,
    block_maximum, axes, maximum, confident, offsets, mixes, penalties, likelihoods, soft_targets, unbounded, sparse,
]
GROUPS = {module.__name__.rpartition(".")[2].replace("_", "-"): module for module in MODULES}
