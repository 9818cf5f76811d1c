"""What the conformance tests share: a daemon to talk to, a plain HTTP client, golden cases, rules in NumPy."""
