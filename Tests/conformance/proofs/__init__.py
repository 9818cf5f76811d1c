"""Proofs that run for any length of time: kills, failing system calls, histories. `deploy/prove` starts them."""
