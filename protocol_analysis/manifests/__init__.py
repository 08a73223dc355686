"""Bytes → Inventory: files, folders, standard input, translator fixtures."""

from protocol_analysis.manifests.files import split_reader
from protocol_analysis.manifests.loading import Progress, load

__all__ = ["Progress", "load", "split_reader"]
