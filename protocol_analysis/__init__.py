"""Which protocol does the gateway speak to each backend port, and why?

Glossary
--------
appProtocol   the field of a Service's or ServiceImport's port, as written
protocol      what the gateway's translation makes of it: HTTP, HTTP2, GRPC, HTTPS, TCP, UDP
upstream      what the proxy then speaks on the wire; h2 without TLS is h2c
ruleset       what one implementation does, release by release, as data; made of rows
Inventory     what was read: Services, ServiceImports, Backends, routes, policies
Resolution    what one release makes of one backend reference, with its reasons
Coverage      what one release makes of one backend port, routed or not
Change        one backend reference before and after, and what brought that about
Planned       one use of grpc, what is decided for it, and why; in a Wave, or kept
Finding       a rule of the catalogue that an object breaks, where, and what to do
clue          what hints at the protocol that a workload serves; evidence where it speaks of a port
Position      file, document, line, column; from 1
cluster       a Kubernetes cluster; Envoy's is always an "Envoy cluster"
"""

from protocol_analysis.compare import Change, compare
from protocol_analysis.coverage import Coverage, coverage
from protocol_analysis.explain import explain
from protocol_analysis.findings.checking import check
from protocol_analysis.findings.finding import Finding
from protocol_analysis.manifests import load
from protocol_analysis.model import Inventory, ManifestError, Position
from protocol_analysis.portability import Portability, portability
from protocol_analysis.readings import resolve
from protocol_analysis.releases import RulesetError
from protocol_analysis.resolution import Reason, Resolution
from protocol_analysis.rollout.deciding import Planned
from protocol_analysis.rollout.planning import plan
from protocol_analysis.rows import Ruleset
from protocol_analysis.rules import implementations, ruleset

__version__ = "0.1.0"

__all__ = [
    "Change",
    "Coverage",
    "Finding",
    "Inventory",
    "ManifestError",
    "Planned",
    "Portability",
    "Position",
    "Reason",
    "Resolution",
    "Ruleset",
    "RulesetError",
    "check",
    "compare",
    "coverage",
    "explain",
    "implementations",
    "load",
    "plan",
    "portability",
    "resolve",
    "ruleset",
]
