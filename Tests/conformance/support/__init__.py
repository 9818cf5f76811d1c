"""Code that the conformance tests share: a daemon, a plain HTTP client, golden cases, rules in NumPy."""
