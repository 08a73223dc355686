"""The proof: a real Envoy between real clients and real servers, and what was measured with it."""
