"""nginx's variables: what each writes. One that is not known is a value of the operator's own, never kept.

http://nginx.org/en/docs/varindex.html
"""

from __future__ import annotations

import re

from loganon.formats.directive import LIST, Directive, Token

_VARIABLE = re.compile(r"\$(?:\{([a-zA-Z0-9_]+)\}|([a-zA-Z0-9_]+))")

_OWN = Directive(None, "value", personal=True)
_SKIP = Directive(None, "value")
_UPSTREAM = Directive(None, "upstream")

_VARIABLES = {
    "remote_addr": Directive("client", "client", personal=True),
    "the_real_ip": Directive("client", "client", personal=True),
    "realip_remote_addr": Directive("client", "client", personal=True, rank=2),
    "proxy_protocol_addr": Directive("client", "client", personal=True, rank=3),
    "http_x_real_ip": Directive("client", "value", personal=True, rank=8),
    "http_x_forwarded_for": Directive("client", "client", personal=True, rank=LIST),
    "http_forwarded": Directive("client", "client", personal=True, rank=LIST),
    "proxy_add_x_forwarded_for": Directive("client", "client", personal=True, rank=LIST),
    "remote_user": Directive(None, "user", personal=True),
    "time_local": Directive("time", "time", form="clf"),
    "time_iso8601": Directive("time", "time", form="iso", rank=1),
    "msec": Directive("time", "time", form="epoch_s", rank=2),
    "request": Directive("request", "request", personal=True),
    "request_uri": Directive("path", "path", personal=True),
    "uri": Directive("path", "path", personal=True, rank=1),
    "document_uri": Directive("path", "path", personal=True, rank=1),
    "request_method": Directive("method", "value"),
    "server_protocol": Directive("protocol", "value"),
    "request_time": Directive("duration_s", "value"),
    "status": Directive("status", "status"),
    "body_bytes_sent": Directive("bytes", "bytes"),
    "bytes_sent": Directive("bytes", "bytes", rank=1),
    "http_user_agent": Directive("agent", "agent", personal=True),
    "http_referer": Directive("referrer", "header", personal=True),
    "http_cookie": Directive("cookie", "header", personal=True),
    "http_dnt": Directive("dnt", "header", personal=True),
    "http_sec_gpc": Directive("gpc", "header", personal=True),
    "host": Directive("host", "host"),
    "http_host": Directive("host", "value", rank=1),
    "server_name": Directive("host", "host", rank=2),
    "server_addr": Directive(None, "client"),  # an address, too: of IPv6, before a port, the colons are its own
    "proxy_protocol_server_addr": Directive(None, "client"),
    "remote_port": Directive(None, "port"),
    "server_port": Directive(None, "port"),
    "upstream_addr": _UPSTREAM,
    "upstream_status": _UPSTREAM,
    "upstream_response_time": _UPSTREAM,
    "upstream_response_length": _UPSTREAM,
    "upstream_connect_time": _UPSTREAM,
    "upstream_header_time": _UPSTREAM,
    "upstream_first_byte_time": _UPSTREAM,
    "upstream_session_time": _UPSTREAM,
    "upstream_queue_time": _UPSTREAM,
    "upstream_bytes_sent": _UPSTREAM,
    "upstream_bytes_received": _UPSTREAM,
    "upstream_cache_status": _UPSTREAM,
}
# fmt: off
_IMPERSONAL = frozenset({
    "connection", "connection_requests", "connection_time", "connections_active", "connections_reading",
    "connections_waiting", "connections_writing", "content_length", "content_type", "geoip_country_code",
    "geoip_country_name", "gzip_ratio", "hostname", "http2", "http3", "https", "is_args", "limit_conn_status",
    "limit_rate", "limit_req_status", "nginx_version", "pid", "pipe", "protocol",
    "proxy_alternative_upstream_name", "proxy_host", "proxy_port", "proxy_protocol_port",
    "proxy_protocol_server_port", "proxy_upstream_name", "realip_remote_port",
    "request_completion", "request_length", "scheme", "sent_http_cache_control",
    "sent_http_connection", "sent_http_content_length", "sent_http_content_type", "sent_http_keep_alive",
    "sent_http_last_modified", "sent_http_transfer_encoding", "ssl_cipher",
    "ssl_ciphers", "ssl_curve", "ssl_curves", "ssl_early_data", "ssl_protocol", "ssl_session_reused",
    "tcpinfo_rcv_space", "tcpinfo_rtt", "tcpinfo_rttvar", "tcpinfo_snd_cwnd", "upstream_http_content_length",
    "upstream_http_content_type",
})
# fmt: on


def nginx_variables(template: str) -> list[Token]:
    """The tokens of a log_format string, its pieces already joined and unquoted."""
    found: list[Token] = []
    end = 0
    for match in _VARIABLE.finditer(template):
        if match.start() > end:
            found.append(Token(template[end : match.start()]))
        end = match.end()
        name = (match[1] or match[2]).lower()
        found.append(Token(match[0], _VARIABLES.get(name) or (_SKIP if name in _IMPERSONAL else _OWN)))
    return found + ([Token(template[end:])] if end < len(template) else [])
