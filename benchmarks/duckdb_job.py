"""The same job in DuckDB, by SQL written with care. `python benchmarks/duckdb_job.py LOG FOLDER`.

It truncates the client (/24, /48), strips the query, takes family and major version of the browser by regular
expressions, counts by hour and writes Parquet by day. It knows no providers, no catalogue of what identifies a person,
no gate, no journal and no source identity.
"""

from __future__ import annotations

import sys

import duckdb

LOG, FOLDER = sys.argv[1:]
NAMED = r"(Edg|OPR|Firefox|Chrome|[A-Za-z]*[Bb]ot|curl)/([0-9]{1,3})"

duckdb.sql("SET preserve_insertion_order = false; SET TimeZone = 'UTC'")
duckdb.execute(
    f"""
    COPY (
        SELECT
            strptime(substr(time, 2, 14), '%d/%b/%Y:%H') AS hour,
            CASE WHEN contains(client, ':')
                THEN array_to_string(string_split(client, ':')[1:3], ':') || '::/48'
                ELSE substr(client, 1, length(client) - strpos(reverse(client), '.')) || '.0/24'
            END AS network,
            split_part(split_part(request, ' ', 2), '?', 1) AS file,
            regexp_extract(agent, '{NAMED}', 1) AS browser,
            regexp_extract(agent, '{NAMED}', 2) AS browser_version,
            status BETWEEN 100 AND 399 AS success,
            count(*) AS requests,
            sum(bytes) AS bytes,
            strftime(hour, '%Y-%m-%d') AS date
        FROM read_csv(
            '{LOG}', delim = ' ', quote = '"', escape = '', header = false, auto_detect = false,
            ignore_errors = true, null_padding = false,
            columns = {{
                'client': 'VARCHAR', 'ident': 'VARCHAR', 'user': 'VARCHAR', 'time': 'VARCHAR', 'offset': 'VARCHAR',
                'request': 'VARCHAR', 'status': 'SMALLINT', 'bytes': 'BIGINT', 'referrer': 'VARCHAR',
                'agent': 'VARCHAR'
            }}
        )
        GROUP BY ALL
    ) TO '{FOLDER}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (date))
    """
)
