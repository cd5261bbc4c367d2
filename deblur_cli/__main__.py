"""`python -m deblur_cli` is the command `deblur`."""

from __future__ import annotations

from deblur_cli.cli.app import main

if __name__ == "__main__":
    main()
