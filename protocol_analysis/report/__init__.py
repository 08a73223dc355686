"""Manifests → the notebooks on them, as text for a terminal and as a folder of HTML."""

from protocol_analysis.report.reading import Read, read

__all__ = ["Read", "read"]
