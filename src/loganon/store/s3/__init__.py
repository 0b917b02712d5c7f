"""A store in an S3 bucket: no lock and no rename; docs/object-storage.md says how it works and why."""

from loganon.store.s3.held import S3Held
from loganon.store.s3.store import S3Store

__all__ = ["S3Held", "S3Store"]
