"""The client behind trusted proxies, where a log has the forwarded addresses in a column of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from loganon.addresses import Network, is_trusted, rightmost_untrusted
from loganon.chunks import Chunk
from loganon.encoding import encoded
from loganon.formats.columns import LISTS
from loganon.parse.parsed import Parsed, Parser, ParseState

_BETWEEN = b", "


class BehindProxies:
    """A parser whose `client` is the rightmost address that is no trusted proxy: of the connection's peer, and where
    that is one, of the list that it has forwarded. Of several lists the first that is there. Without one the client is
    the peer.
    """

    def __init__(self, parser: Parser, trusted: Sequence[Network]) -> None:
        self._parser = parser
        self._trusted = tuple(trusted)

    @property
    def raw(self) -> frozenset[str]:
        """The raw columns that the format has, but for the forwarded addresses."""
        return self._parser.raw.difference(LISTS)

    def __call__(self, chunk: Chunk, state: ParseState) -> Parsed:
        """The chunk's lines."""
        parsed = self._parser(chunk, state)
        columns = dict(parsed.columns)
        lists = [encoded(columns.pop(raw)) for raw in LISTS if raw in columns]
        if lists and "client" in columns:
            columns["client"] = self._clients(columns["client"], _first(lists))
        return replace(parsed, columns=columns)

    def _clients(self, peers: pa.Array | pa.ChunkedArray, lists: pa.DictionaryArray) -> pa.Array:
        """The client of each row, as binary."""
        peers = encoded(peers)
        trusted = pa.array(
            [is_trusted(_text(peer), self._trusted) for peer in peers.dictionary.to_pylist()], pa.bool_()
        )
        behind = pc.and_(trusted.take(peers.indices), _named(lists))
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


def _first(lists: Sequence[pa.DictionaryArray]) -> pa.DictionaryArray:
    """Of each row the first list that is there."""
    found, *others = lists
    for other in others:
        named = _named(found)
        if named.false_count:
            found = encoded(pc.if_else(named, found.cast(pa.binary()), other.cast(pa.binary())))
    return found


def _named(lists: pa.DictionaryArray) -> pa.BooleanArray:
    """Whether a row has a list."""
    named = pa.array([value.strip() not in (b"", b"-") for value in lists.dictionary.to_pylist()], pa.bool_())
    return named.take(lists.indices)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
