"""A fuzzer of the whole daemon: requests of every route, broken at every level; a twin gets only the successes.

deploy/prove fuzz --seed 7 --count 20000
"""
