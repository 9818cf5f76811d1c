"""A fuzzer of the whole daemon: requests of every route, broken at every level; a twin gets the successes alone.

python -m fuzz --seed 7 --count 20000        (in Tests/conformance, with PARAMD_BIN)
"""
