"""A small ext4 file system in a file, and the power cut that Linux offers for tests: `EXT4_IOC_SHUTDOWN`."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.parts import needs_root, program, sh, unmount

SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN, linux/fs/ext4/ext4.h."""
FLUSH, LOG_FLUSH, NO_LOG_FLUSH = 0, 1, 2
"""Everything reaches the disk first; the file system's journal does; nothing that is not there yet."""
BYTES = 12 << 20


class Image:
    """One file system; `at`: where it is mounted."""

    def __init__(self, file: Path, at: Path) -> None:
        needs_root("mounting")
        self.file = file
        self.at = at
        at.mkdir(exist_ok=True)

    def make(self) -> None:
        """A new, empty file system in the file."""
        with self.file.open("wb") as file:
            file.truncate(BYTES)
        sh(program("mkfs.ext4"), "-q", "-F", "-I", "256", "-J", "size=1", self.file)

    def copy(self, of: Path) -> None:
        """The same bytes as another, with its holes."""
        shutil.copyfile(of, self.file)

    def mount(self) -> None:
        """It can be used; what its journal holds is replayed.

        From a file of its own each time: as long as anyone has the file system that was cut (a process that dies, or a
        mount namespace that was made meanwhile), the same file is that one again, on which nothing can be read.
        """
        fresh = self.file.with_name(f"{self.file.name}.fresh")
        shutil.copyfile(self.file, fresh)
        fresh.replace(self.file)
        sh(program("mount"), "-t", "ext4", "-o", "loop", self.file, self.at)

    def cut(self, flags: int) -> None:
        """The power is off: no later operation reaches the file."""
        descriptor = os.open(self.at, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", flags))
        finally:
            os.close(descriptor)

    def unmount(self) -> None:
        """Nothing is mounted; a process that still dies may hold it for a moment."""
        for _ in range(1500):
            try:
                unmount(self.at)
            except AssertionError:
                time.sleep(0.02)
            else:
                return
        sh(program("umount"), "--lazy", self.at)  # a test that failed may hold a file: it goes with that


@contextmanager
def mounted_image(file: Path, at: Path, template: Path) -> Iterator[Image]:
    """A copy of a file system, mounted for the block; however it ends, nothing stays mounted."""
    image = Image(file, at)
    image.copy(template)
    try:
        image.mount()
        yield image
    finally:
        image.unmount()
        file.unlink(missing_ok=True)
