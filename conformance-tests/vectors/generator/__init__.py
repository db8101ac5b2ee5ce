"""Makes the kit's own vectors; `generate.py` beside this folder is the command."""
