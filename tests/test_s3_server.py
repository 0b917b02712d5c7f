"""A store in a bucket of a real S3 API (moto's server on loopback), also through a proxy that breaks requests.

`LOGANON_S3_COMMITS`: how many commits the test of faults makes (30 unless set; CI: 200).
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator

import pytest

from loganon.buckets import Bucket, Location
from loganon.errors import ConfigurationError, InputOutputError
from loganon.s3service import S3
from loganon.store.s3 import S3Store
from support.object_cases import (
    check_objects,
    keeper,
    made_log,
    make_store,
    open_store,
    stored,
    wanted,
    writer,
)
from support.object_server import Faults, Server, fault_proxy, moto_server, require_server
from support.store_cases import KEY, NOW, STAMP, back

COMMITS = int(os.environ.get("LOGANON_S3_COMMITS", "30"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    require_server()
    with moto_server() as found:
        yield found


def bucket_of(server: Server, name: str, *, prefix: str = "a/store", lanes: int = 4) -> Bucket:
    location = Location(name, prefix, server.options)
    chance = random.Random(name)
    pause = threading.Event().wait  # a real but tiny wait: the server's own threads are to get on
    return Bucket(S3(location), location, lanes=lanes, pause=lambda s: pause(s / 50), chance=chance.random)


def objects_of(server: Server, name: str, prefix: str = "a/store") -> dict[str, bytes]:
    """Everything under the prefix, read by another client than loganon's."""
    pages = server.client.get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=f"{prefix}/")
    keys = [each["Key"] for page in pages for each in page.get("Contents", ())]
    return {
        key.removeprefix(f"{prefix}/"): server.client.get_object(Bucket=name, Key=key)["Body"].read() for key in keys
    }


def test_a_store(server: Server) -> None:
    """A store is made once, counts, is opened again, and holds what its writers gave."""
    name = server.new_bucket()
    bucket = bucket_of(server, name)
    assert S3Store.open_or_none(bucket) is None
    store = make_store(bucket)
    assert make_store(bucket).uuid == store.uuid
    logs = {"one": made_log(9, name="one"), "two": made_log(5, name="two")}
    writer(logs, name=None, step=4)(bucket)
    objects = objects_of(server, name)
    assert stored(objects) == wanted(logs)
    check_objects(objects, open_store(bucket), logs)
    assert {key.split("/")[0] for key in objects} == {"access", "_loganon"}
    with pytest.raises(ConfigurationError, match="another store was made here"):
        S3Store.create(bucket, STAMP, key_check="another", now=NOW)


def test_what_is_no_place(server: Server) -> None:
    """A prefix that holds other things is no place for a store, and neither is a bucket that does not exist (78)."""
    name = server.new_bucket()
    server.client.put_object(Bucket=name, Key="a/store/notes.txt", Body=b"mine")
    with pytest.raises(ConfigurationError, match="not empty"):
        make_store(bucket_of(server, name))
    assert objects_of(server, name) == {"notes.txt": b"mine"}
    with pytest.raises(ConfigurationError, match="no such bucket"):
        make_store(bucket_of(server, "nobody-made-it"))


def test_versioned_bucket(server: Server) -> None:
    """A bucket that keeps versions is refused unless accepted, also once the store stands."""
    name = server.new_bucket()
    bucket = bucket_of(server, name)
    make_store(bucket)
    server.client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for act in (lambda: make_store(bucket_of(server, name, prefix="b")), lambda: keeper([back(40)])(bucket)):
        with pytest.raises(ConfigurationError, match="old versions"):
            act()
    accepted = S3Store.open_or_none(bucket, accept_versioned=True)
    assert accepted is not None
    with accepted.locked() as held:
        held.raise_cutoff(back(40))
    assert accepted.cutoff() == back(40)


def test_locked_bucket(server: Server) -> None:
    """So is a bucket with object lock, which keeps versions, and nothing is left in it."""
    name = "locked-bucket"
    server.client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    with pytest.raises(ConfigurationError, match="old versions"):
        make_store(bucket_of(server, name))
    assert objects_of(server, name) == {}


def test_wrong_credentials_and_no_server(server: Server) -> None:
    """What does not answer is given up after some attempts, with an error that says so (74)."""
    nowhere = (("endpoint", "http://127.0.0.1:9"), *server.options[1:])
    location = Location("bucket", "store", nowhere)
    nobody = Bucket(S3(location), location, pause=lambda _s: None)
    with pytest.raises(InputOutputError, match="does not answer"):
        S3Store.open_or_none(nobody)


def test_commits_with_faults(server: Server) -> None:
    """Commits of three writers at once, through lost replies, refusals, errors and resets, with the cutoff rising,
    deletion and sealing meanwhile: an independent counter finds none lost and none twice."""
    name = server.new_bucket()
    make_store(bucket_of(server, name))
    step = 3
    each = max(COMMITS // 3, 1)
    logs = {f"log{n}": made_log(step * each, name=f"log{n}", days=4) for n in range(3)}
    faults = Faults(rate=0.06, seed=COMMITS)
    errors: list[BaseException] = []

    def play(act: object, bucket: Bucket) -> None:
        try:
            act(bucket)  # type: ignore[operator]  # an actor
        except BaseException as error:  # noqa: BLE001 - looked at below
            errors.append(error)

    with fault_proxy(server, faults) as proxy:
        actors = [writer(logs, name=w, step=step) for w in ("a", "b", None)]
        actors.append(keeper([back(40 - n) for n in range(min(each, 37))]))
        threads = [threading.Thread(target=play, args=(actor, bucket_of(proxy, name, lanes=2))) for actor in actors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for error in errors:
        raise error
    writer(logs, name=None, step=1000)(bucket_of(server, name))
    with open_store(bucket_of(server, name)).locked() as held:
        held.recover()
    check_objects(objects_of(server, name), open_store(bucket_of(server, name)), logs, folded=True)
    records = open_store(bucket_of(server, name)).records().values()
    commits = sum(record.generation for record in records)
    assert commits >= COMMITS - 3
    assert len(faults.met) > 3 or COMMITS < 30
    print(f"{commits:,} commits, {faults.met.total():,} faults ({', '.join(sorted(faults.met))}): 0 lost, 0 twice")
    assert KEY  # the store's key check is the tests' own
