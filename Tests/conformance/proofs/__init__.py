"""Proofs that run as long as one likes: kills, failing system calls, recorded histories. `deploy/prove` starts them."""
