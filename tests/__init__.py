"""Tests of `protocol_analysis`, one module per module of the package."""
