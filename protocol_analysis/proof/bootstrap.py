"""Envoy's configuration, as a mapping: listeners and Envoy clusters as Envoy Gateway writes them.

One Envoy cluster for each configuration and server, chosen by a request's `x-cell`; everything
listens on 127.0.0.1, at ports that the system gives. What stands here and why:

- A TLS backend has its own socket in `transport_socket_matches`, and its endpoint the metadata that
  selects it. With `auto_config` the Envoy cluster has an empty TLS socket beside it, since Envoy
  wants one there that knows ALPN.
- A rule with two backends is one Envoy cluster with a locality for each, weighted alike.
- A listener for HTTPRoutes lets WebSocket through; one for GRPCRoutes has gRPC's filters instead.

Source: https://github.com/envoyproxy/gateway/blob/v1.9.0/internal/xds/translator/cluster.go
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from protocol_analysis.proof.cells import CONFIGS, Config

LISTENERS = ("http", "grpc", "trailers")
LOCALHOST = "127.0.0.1"
HOSTNAME = "backend.example"  # what the servers' certificate is for
ROUTE_TIMEOUT, CONNECT_TIMEOUT = "2s", "1.5s"
ACCESS_LOG = "access.jsonl"
CELL_HEADER, REQUEST_HEADER = "x-cell", "x-rid"

_TYPE = "type.googleapis.com/envoy"
_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_MATCH = "envoy.transport_socket_match"
# The windows that Envoy Gateway gives HTTP/2 where no policy does.
_HTTP2 = {"initial_stream_window_size": 65_536, "initial_connection_window_size": 1_048_576}
_PROTOCOLS: dict[str, dict[str, Any]] = {
    "http1": {"explicit_http_config": {"http_protocol_options": {}}},
    "h2": {"explicit_http_config": {"http2_protocol_options": _HTTP2}},
    "auto": {"auto_config": {"http_protocol_options": {}, "http2_protocol_options": _HTTP2}},
    "downstream": {
        "use_downstream_protocol_config": {
            "http_protocol_options": {},
            "http2_protocol_options": _HTTP2,
        }
    },
}
_LOGGED = {
    "rid": f"%REQ({REQUEST_HEADER})%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "host": "%UPSTREAM_HOST%",
}


def bootstrap(
    pairs: Iterable[tuple[str, str]], ports: Mapping[str, int], ca: str
) -> dict[str, Any]:
    """Envoy's configuration for these pairs of configuration and server.

    `ports` has the port of each server, `ca` is the file with the authority that TLS trusts.
    Durations are texts such as "1.5s"; Envoy reads the mapping as JSON.

    >>> made = bootstrap([("h2c", "h1_stdlib")], {"h1_stdlib": 8080}, "ca.pem")
    >>> [cluster["name"] for cluster in made["static_resources"]["clusters"]]
    ['h2c/h1_stdlib']
    """
    return {
        "admin": {"address": _address(0)},
        "static_resources": {
            "listeners": [_listener(name) for name in LISTENERS],
            "clusters": [
                cluster(CONFIGS[config], server, ports, ca) for config, server in sorted(pairs)
            ],
        },
    }


def cluster(config: Config, server: str, ports: Mapping[str, int], ca: str) -> dict[str, Any]:
    """The Envoy cluster of one configuration for one server.

    >>> "typed_extension_protocol_options" in cluster(CONFIGS["none"], "s", {"s": 80}, "")
    False
    """
    name = f"{config.name}/{server}"
    made: dict[str, Any] = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": CONNECT_TIMEOUT,
        "per_connection_buffer_limit_bytes": 32_768,
        "load_balancing_policy": {"policies": [{"typed_extension_config": _least_request()}]},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [
                _locality(f"{name}/backend/0", ports[server], tls=config.tls),
                *(
                    _locality(f"{name}/backend/1", ports[other], tls=_neighbour_tls(config))
                    for other in filter(None, [config.neighbour])
                ),
            ],
        },
    }
    secured = [f"{name}/backend/0"] if config.tls else []
    secured += [f"{name}/backend/1"] if _neighbour_tls(config) else []
    if secured:
        made["transport_socket_matches"] = [
            {"name": each, "match": {"name": each}, "transport_socket": _tls(config.alpn, ca)}
            for each in secured
        ]
    if config.options == "auto":
        made["transport_socket"] = _socket("dummy.transport_socket", {})
    if config.options != "none":
        made["typed_extension_protocol_options"] = {_OPTIONS: _protocol(config)}
    return made


def _neighbour_tls(config: Config) -> bool:
    return config.neighbour.startswith("tls_")


def _protocol(config: Config) -> dict[str, Any]:
    options = dict(_PROTOCOLS[config.options])
    if config.listener == "trailers":
        options = {"explicit_http_config": {"http_protocol_options": {"enable_trailers": True}}}
    return {"@type": f"{_TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions", **options}


def _least_request() -> dict[str, Any]:
    kind = "envoy.load_balancing_policies.least_request"
    return {
        "name": kind,
        "typed_config": {
            "@type": f"{_TYPE}.extensions.load_balancing_policies.least_request.v3.LeastRequest",
            "locality_lb_config": {"locality_weighted_lb_config": {}},
        },
    }


def _locality(name: str, port: int, *, tls: bool) -> dict[str, Any]:
    endpoint: dict[str, Any] = {
        "endpoint": {"address": _address(port)},
        "load_balancing_weight": 1,
    }
    if tls:
        endpoint["metadata"] = {"filter_metadata": {_MATCH: {"name": name}}}
    return {
        "lb_endpoints": [endpoint],
        "load_balancing_weight": 1,
        "locality": {"region": name},
    }


def _tls(alpn: Iterable[str], ca: str) -> dict[str, Any]:
    common: dict[str, Any] = {
        "validation_context": {
            "trusted_ca": {"filename": ca},
            "match_typed_subject_alt_names": [
                {"san_type": "DNS", "matcher": {"exact": HOSTNAME}},
            ],
        },
    }
    if alpn := list(alpn):
        common["alpn_protocols"] = alpn
    return _socket("envoy.transport_sockets.tls", common, sni=HOSTNAME)


def _socket(name: str, common: dict[str, Any], **more: str) -> dict[str, Any]:
    kind = f"{_TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
    return {"name": name, "typed_config": {"@type": kind, "common_tls_context": common, **more}}


def _listener(name: str) -> dict[str, Any]:
    hcm = "http_connection_manager"
    manager: dict[str, Any] = {
        "@type": f"{_TYPE}.extensions.filters.network.{hcm}.v3.HttpConnectionManager",
        "stat_prefix": name,
        "codec_type": "AUTO",
        "use_remote_address": True,
        "access_log": [_access_log()],
        "http_filters": _filters(name),
        "route_config": {
            "name": name,
            "virtual_hosts": [{"name": name, "domains": ["*"], "routes": [_route(name)]}],
        },
    }
    if name == "trailers":
        manager["http_protocol_options"] = {"enable_trailers": True}
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    return {"name": name, "address": _address(0), "filter_chains": [{"filters": filters}]}


def _route(listener: str) -> dict[str, Any]:
    route: dict[str, Any] = {"cluster_header": CELL_HEADER, "timeout": ROUTE_TIMEOUT}
    if listener != "grpc":
        route["upgrade_configs"] = [{"upgrade_type": "websocket"}]
    return {"match": {"prefix": "/"}, "route": route}


def _filters(listener: str) -> list[dict[str, Any]]:
    kinds = {"router": "Router"}
    if listener == "grpc":
        kinds = {"grpc_web": "GrpcWeb", "grpc_stats": "FilterConfig", **kinds}
    return [
        {
            "name": f"envoy.filters.http.{kind}",
            "typed_config": {"@type": f"{_TYPE}.extensions.filters.http.{kind}.v3.{message}"},
        }
        for kind, message in kinds.items()
    ]


def _access_log() -> dict[str, Any]:
    return {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": f"{_TYPE}.extensions.access_loggers.file.v3.FileAccessLog",
            "path": ACCESS_LOG,
            "log_format": {"json_format": _LOGGED},
        },
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": LOCALHOST, "port_value": port}}
