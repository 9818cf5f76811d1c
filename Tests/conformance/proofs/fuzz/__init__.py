"""A fuzzer of the whole daemon: requests of every route, broken at every level; a twin gets the successes alone.

deploy/prove fuzz --seed 7 --count 20000
"""
