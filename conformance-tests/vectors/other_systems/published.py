"""Functions and classes of published packages, taken out of their archives and run as they are.

Some of these packages do not install beside each other, or at all, on a current Python, though the loss in them is plain.
So the archive is fetched with pip, never unpacked into the environment, and only the definitions asked for are executed,
unchanged, in a namespace that holds what they call.
"""

import ast
import functools
import pathlib
import subprocess
import sys
import tempfile
import zipfile


@functools.cache
def archive(requirement, *options):
    """The wheel of a pinned requirement."""
    folder = tempfile.mkdtemp(prefix="label-smoothing-")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", folder]
    subprocess.run([*command, *options, requirement], check=True)
    (wheel,) = pathlib.Path(folder).glob("*.whl")
    return zipfile.ZipFile(wheel)


def load(wheel, path, names, namespace):
    """Executes the definitions of these names, in the order of the file."""
    tree = ast.parse(wheel.read(path), path)
    chosen = [node for node in tree.body if getattr(node, "name", None) in names]
    missing = set(names) - {node.name for node in chosen}
    if missing:
        raise LookupError(f"{path} has no {sorted(missing)}")
    exec(compile(ast.Module(chosen, type_ignores=[]), path, "exec"), namespace)
    return namespace


def unchanged(*_names, **_options):
    """Stands for a decorator that only registers what it decorates."""
    return lambda definition: definition
