"""The command `loganon`, and `python -m loganon`."""

from __future__ import annotations

from loganon.cli.start import main

if __name__ == "__main__":
    main()
