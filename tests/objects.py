"""Small objects as mappings, any few of them, and the inventory that they make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from protocol_analysis import Inventory, load

GRPC_PROBE = [{"readinessProbe": {"grpc": {"port": 9000}}}]


def service(*ports: dict[str, Any], name: str = "s", **meta: Any) -> dict[str, Any]:
    spec = {"selector": {"app": "a"}, "ports": list(ports)}
    meta = {"name": name, **meta}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def pods(kind: str = "Deployment", namespace: str | None = None, **probe: Any) -> dict[str, Any]:
    meta = {"name": "a", **({"namespace": namespace} if namespace else {})}
    containers = [probe] if probe else GRPC_PROBE
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": containers}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": meta, "spec": {"template": template}}


def route(name: str = "s", port: int = 9000, kind: str = "GRPCRoute") -> dict[str, Any]:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": "r"},
        "spec": {"rules": [{"backendRefs": [{"name": name, "port": port}]}]},
    }


def tls_policy(name: str = "s") -> dict[str, Any]:
    target = {"group": "", "kind": "Service", "name": name}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "BackendTLSPolicy",
        "metadata": {"name": "p"},
        "spec": {"targetRefs": [target]},
    }


def read_from(folder: Path, *objects: dict[str, Any], file: str = "m.yaml") -> Inventory:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    return load(path)


_NAMES = st.sampled_from(["grpc", "http", "api", "otlp-grpc", "wss", "https", "tcp-db", "h2c"])
_PORTS = st.fixed_dictionaries(
    {"name": _NAMES, "port": st.sampled_from([80, 443, 4317, 9000, 3306])},
    optional={
        "targetPort": st.sampled_from([9000, 80, "api"]),
        "appProtocol": st.sampled_from(["grpc", "http", "acme"]),
    },
)
_KINDS = st.sampled_from(["Deployment", "StatefulSet", "DaemonSet"])
_OBJECT = st.one_of(
    st.builds(
        lambda ports, name: service(*ports, name=name),
        st.lists(_PORTS, max_size=3),
        st.sampled_from("st"),
    ),
    st.builds(pods, _KINDS),
    st.builds(route, st.sampled_from("st"), st.sampled_from([80, 9000])),
    st.builds(tls_policy, st.sampled_from("st")),
)
OBJECTS = st.lists(_OBJECT, max_size=4)
