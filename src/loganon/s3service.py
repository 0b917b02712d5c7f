"""S3 as `buckets.Service`, by the client `obstore`, which the extra `s3` brings."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from loganon.buckets import (
    Bucket,
    DeniedError,
    Found,
    Listed,
    Location,
    MissingError,
    NoBucketError,
    OddNameError,
    RefusedError,
    RejectedError,
    UnclearError,
    Written,
    client_settings,
)
from loganon.errors import ConfigurationError

_STATUS = re.compile(r"status code: (\d{3})")
_AGAIN = frozenset(("408", "409", "425", "429"))
_OF_ONE_KEY = re.compile(r"DeleteObjects request failed for key .* \(code: (\w+)\)")  # within an answer 200
_STALLED = "<Code>RequestTimeout</Code>"  # a 400 that S3 means to be tried again
_REDIRECTED = "Received redirect without LOCATION"  # the bucket lies in another region
_TIMES = {"timeout": "60s", "connect_timeout": "10s"}


def open_bucket(location: Location) -> Bucket:
    """The prefix of a bucket; 78 where the extra is not installed or the settings are wrong. It requests nothing."""
    return Bucket(S3(location), location)


class S3:
    """The objects under a prefix. Credentials, region and endpoint: the location's options, else as obstore finds them
    (the usual AWS variables, a web identity, the instance's role). Its own repeats are off: an unclear outcome is told.
    """

    def __init__(self, location: Location) -> None:
        try:
            self._client: Any = importlib.import_module("obstore")  # an optional extra
            stores: Any = importlib.import_module("obstore.store")
        except ImportError:
            raise ConfigurationError(
                "object storage needs the extra `s3`", where=location.url, fix="pip install 'loganon-access[s3]'"
            ) from None
        self._errors = self._client.exceptions
        try:
            self._store = stores.S3Store(
                location.bucket,
                prefix=location.key or None,
                config=_TIMES
                | client_settings(dict(location.options)),  # as client_options they would undo AWS_ALLOW_HTTP
                retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=60)},
            )
        except self._errors.BaseError:  # its text may hold a setting's value
            raise ConfigurationError(
                "the settings of the object store are not right",
                where=location.url,
                fix="Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL",
            ) from None

    def get(self, key: str, *, start: int = 0, length: int | None = None, tag: str | None = None) -> Found:
        """See `Service`."""
        options: dict[str, Any] = {}
        if length is not None:
            options["range"] = (start, start + length)
        if tag is not None:
            options["if_match"] = tag
        with self._translated(conditional=tag is not None):
            answer = self._client.get(self._store, key, options=options)
            found = answer.meta["e_tag"] or ""
            if tag and found and _bare(tag) != _bare(found):  # the service does not heed the condition of a reading
                raise RefusedError
            return Found(bytes(answer.bytes()), found)

    def head(self, key: str) -> Listed:
        """See `Service`."""
        with self._translated():
            found = self._client.head(self._store, key)
        return Listed(key, found["size"], found["e_tag"] or "")

    def put(self, key: str, data: bytes, *, tag: str | None) -> Written:
        """See `Service`."""
        mode = "create" if tag is None else {"e_tag": tag}
        with self._translated(conditional=True):
            answer = self._client.put(self._store, key, data, mode=mode, use_multipart=False)
        return Written(answer["e_tag"] or "", answer["version"])

    def delete(self, key: str) -> None:
        """See `Service`."""
        with self._translated():
            self._client.delete(self._store, key)

    def list(self, prefix: str) -> list[Listed]:
        """See `Service`."""
        with self._translated():
            found = [each for part in self._client.list(self._store, prefix=prefix or None) for each in part]
        return [Listed(each["path"], each["size"], each["e_tag"] or "", each["last_modified"]) for each in found]

    @contextmanager
    def _translated(self, *, conditional: bool = False) -> Iterator[None]:
        """A block whose errors are those of `Service`; what the client says is not passed on but for the status.

        Only a request that has a condition can be refused by it: of any other one 409 and 412 say to try again.
        """
        errors = self._errors
        try:
            yield
        except FileNotFoundError as error:
            raise (NoBucketError if "NoSuchBucket" in str(error) else MissingError) from None
        except (errors.AlreadyExistsError, errors.PreconditionError, errors.NotModifiedError) as error:
            if conditional:
                raise RefusedError from None
            raise UnclearError(_status(str(error))) from None
        except (errors.PermissionDeniedError, errors.UnauthenticatedError):
            raise DeniedError from None
        except errors.InvalidPathError:
            raise OddNameError from None
        except errors.BaseError as error:
            raise _meant(str(error)) from None
        except (OSError, TimeoutError):
            raise UnclearError from None


def _bare(tag: str) -> str:
    return tag.removeprefix("W/").strip('"')


def _status(text: str) -> str:
    match = _STATUS.search(text)
    return match[1] if match else ""


def _meant(text: str) -> Exception:
    """The error of `Service` that the client's text speaks of."""
    status, of_key = _status(text), _OF_ONE_KEY.search(text)
    if of_key is not None:
        return {"AccessDenied": DeniedError(), "NoSuchKey": MissingError()}.get(of_key[1], UnclearError(of_key[1]))
    if "NoSuchBucket" in text:
        return NoBucketError()
    if status in ("401", "403"):
        return DeniedError()
    if _REDIRECTED in text:
        return RejectedError("a redirect")
    if status.startswith("4") and status not in _AGAIN and _STALLED not in text:
        return RejectedError(status)
    return UnclearError(status)
