"""Bytes → Inventory: files, folders, standard input, translator fixtures."""

from protocol_analysis.manifests.loading import load

__all__ = ["load"]
