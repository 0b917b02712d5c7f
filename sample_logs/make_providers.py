"""Writes `providers.mmdb`: the provider database of the sample logs, made from `networks.csv`.

Layout of GeoLite2-ASN: for each network `autonomous_system_number` (unsigned) and `autonomous_system_organization`
(text), in an IPv6 tree that holds IPv4 under ::/96. The same bytes at each run: the build date is fixed.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from mmdb_writer import MMDBWriter
from netaddr import IPSet

HERE = Path(__file__).resolve().parent
BUILT = 1_795_132_800
"""2026-11-20T00:00:00Z, in seconds."""


class DatedWriter(MMDBWriter):
    """A writer whose build date is `BUILT`, not the clock's."""

    def _build_meta(self) -> dict[str, object]:
        return {**super()._build_meta(), "build_epoch": BUILT}


def write_database(target: Path) -> int:
    """The number of networks written to `target`."""
    writer = DatedWriter(
        ip_version=6,
        ipv4_compatible=True,
        database_type="loganon-sample-ASN",
        languages=["en"],
        description="Networks of the sample logs; an illustration, not a source on who holds what",
        int_type="u32",
    )
    with (HERE / "networks.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        writer.insert_network(
            IPSet([row["prefix"]]),
            {
                "autonomous_system_number": int(row["asn"]),
                "autonomous_system_organization": row["organization"],
            },
        )
    writer.to_db_file(str(target))
    return len(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "providers.mmdb")
    chosen = parser.parse_args()
    print(f"{write_database(chosen.out)} networks in {chosen.out}")
