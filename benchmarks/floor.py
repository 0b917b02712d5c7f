"""The parser's floor: pyarrow.csv merely cuts the columns that the job needs. `python benchmarks/floor.py LOG`."""

from __future__ import annotations

import sys

import pyarrow as pa
from pyarrow import csv

COLUMNS = ["client", "ident", "user", "time", "offset", "request", "status", "bytes", "referrer", "agent"]
NEEDED = ["client", "time", "request", "status", "bytes", "agent"]

reader = csv.open_csv(
    sys.argv[1],
    read_options=csv.ReadOptions(column_names=COLUMNS, block_size=8 << 20),
    parse_options=csv.ParseOptions(delimiter=" "),
    convert_options=csv.ConvertOptions(
        include_columns=NEEDED, column_types=dict.fromkeys(NEEDED, pa.binary()), check_utf8=False
    ),
)
print(sum(batch.num_rows for batch in reader))
