"""The client behind trusted proxies, where a log has the forwarded addresses in a column of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from loganon.addresses import Network, is_trusted, rightmost_untrusted
from loganon.chunks import Chunk
from loganon.encoding import encoded
from loganon.parse.parsed import Parsed, Parser, ParseState

FORWARDED = "forwarded"
"""The raw column of `X-Forwarded-For` or `Forwarded`: personal, and read for nothing else than the client."""
_BETWEEN = b", "


class BehindProxies:
    """A parser whose `client` is the rightmost address that is no trusted proxy: of the connection's peer, and where
    that is one, of the list that it has forwarded. Without a list the client is the peer.
    """

    def __init__(self, parser: Parser, trusted: Sequence[Network]) -> None:
        self._parser = parser
        self._trusted = tuple(trusted)

    @property
    def raw(self) -> frozenset[str]:
        """The raw columns that the format has, but for the forwarded addresses."""
        return self._parser.raw - {FORWARDED}

    def __call__(self, chunk: Chunk, state: ParseState) -> Parsed:
        """The chunk's lines."""
        parsed = self._parser(chunk, state)
        columns = dict(parsed.columns)
        lists = columns.pop(FORWARDED, None)
        if lists is not None and "client" in columns:
            columns["client"] = self._clients(columns["client"], lists)
        return replace(parsed, columns=columns)

    def _clients(self, peers: pa.Array | pa.ChunkedArray, lists: pa.Array | pa.ChunkedArray) -> pa.Array:
        """The client of each row, as binary."""
        peers, lists = encoded(peers), encoded(lists)
        trusted = pa.array(
            [is_trusted(_text(peer), self._trusted) for peer in peers.dictionary.to_pylist()], pa.bool_()
        )
        named = pa.array([value.strip() not in (b"", b"-") for value in lists.dictionary.to_pylist()], pa.bool_())
        behind = pc.and_(trusted.take(peers.indices), named.take(lists.indices))
        clients = peers.dictionary.take(peers.indices)
        if not behind.true_count:
            return clients
        hops = encoded(
            pc.binary_join_element_wise(
                lists.dictionary.take(lists.indices.filter(behind)), clients.filter(behind), _BETWEEN
            )
        )
        found = [rightmost_untrusted(_text(hop), self._trusted).encode() for hop in hops.dictionary.to_pylist()]
        return pc.replace_with_mask(clients, behind, pa.array(found, pa.binary()).take(hops.indices))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
