"""The files' cases, one module a file."""

from . import row_weights

GROUPS = {
    "row-weights": row_weights,
}
