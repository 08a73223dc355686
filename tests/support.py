"""What several test modules need: where things are, and what to do where they are not."""

from pathlib import Path

import pytest

from protocol_analysis import cli

ROOT: Path = Path(__file__).resolve().parents[1]
SHARED: Path = ROOT.parent / "shared"

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(),
    reason="needs the folder `shared` beside the repository (golden rows, real manifests)",
)

ENVOY, ISTIO = "gateway.envoyproxy.io/gatewayclass-controller", "istio.io/gateway-controller"
_CLASS = """
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: NAME}
spec: {controllerName: CONTROLLER}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: NAME}
spec: {gatewayClassName: NAME, listeners: [{name: http, protocol: HTTP, port: 80}]}
---
"""
_ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: NAME}
spec: {parentRefs: [PARENT], rules: [{backendRefs: [{name: s, port: 80}]}]}
---
"""


def gateways(folder: Path, value: str, *, mesh: bool = False, **controllers: str) -> Path:
    """A Service with a value, and for each controller a class, a Gateway and a route, by name.

    `mesh`: and a route whose parent is the Service.
    """
    text = "".join(
        (_CLASS + _ROUTE.replace("PARENT", "{name: NAME}"))
        .replace("NAME", name)
        .replace("CONTROLLER", controller)
        for name, controller in controllers.items()
    )
    if mesh:
        parent = '{group: "", kind: Service, name: s}'
        text += _ROUTE.replace("PARENT", parent).replace("NAME", "inside")
    port = f"{{port: 80, name: p, appProtocol: {value}}}"
    text += f"apiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec: {{ports: [{port}]}}\n"
    file = folder / "a.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """A command: its exit status, and what it says on standard output and error."""
    try:
        status = cli.main(arguments)
    except SystemExit as stop:
        status = int(stop.code or 0)
    out, err = capsys.readouterr()
    return status, out, err
