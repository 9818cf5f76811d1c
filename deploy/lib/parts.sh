# shellcheck shell=bash
# How deploy/test runs its parts: each timed, its output kept, its tests counted from JUnit files; the table at the end.
: "${root:?}"

# Where the output and the JUnit files of one run are.
start_parts() {
    results=$(mktemp --directory)
    trap 'rm -rf "$results"' EXIT
    table=() reasons=() passed=0 failed=0
    # A crashing Swift process would otherwise hold the pipe open for minutes while it writes a backtrace.
    export SWIFT_BACKTRACE=enable=no
    # A data race or a memory error ends the process with a code of its own, which no test expects.
    export TSAN_OPTIONS="exitcode=66 suppressions=$root/deploy/lib/tsan-suppressions.txt"
    export ASAN_OPTIONS="detect_leaks=0 exitcode=67"
}

# part NAME COMMAND...: runs the command, prints its seconds; a part that fails makes the run fail but not stop.
part() {
    local name=$1 began=$SECONDS outcome=ok
    shift
    say "== $name"
    "$@" </dev/null 2>&1 | tee "$results/$name.log" || outcome=FAILED
    count_part "$name" "$outcome"
    if [ "$outcome" = FAILED ]; then reasons+=("$(why_failed "$name")"); fi
    table+=("$(printf '%-30s %6d s  %s' "$name" $((SECONDS - began)) "$outcome")")
    say "   ${table[-1]}"
    [ "$outcome" = ok ]
}

# Adds the tests that the part's JUnit files hold; a part without any counts as one test.
count_part() {
    local tests broken
    tests=$(sum_of tests) broken=$(($(sum_of failures) + $(sum_of errors)))
    tests=$((tests - $(sum_of skipped)))
    rm -f "$results"/*.xml
    if [ "$2" = FAILED ] && [ "$broken" -eq 0 ]; then broken=1 tests=$((tests + 1)); fi
    [ "$tests" -eq 0 ] && tests=1
    passed=$((passed + tests - broken)) failed=$((failed + broken))
}

# The sum of one attribute over the <testsuite> elements of all JUnit files of the part.
sum_of() {
    cat "$results"/*.xml 2>/dev/null | grep -o '<testsuite [^>]*>' | grep -o " $1=\"[0-9]*\"" |
        grep -o '[0-9]*' | awk '{ sum += $1 } END { print sum + 0 }'
}

# What the output of a part says about its failure, printed at the end, where a reader looks first.
why_failed() {
    local marks='✘|: error: |^error:|^E  |^FAILED|^ERROR|Fatal error|Sanitizer: |^ +#[0-6] |unexpected signal|^would reformat'
    printf '%s failed:\n' "$1"
    grep --extended-regexp --after-context 4 --max-count 20 "$marks" "$results/$1.log" | tail -n 60 ||
        tail -n 20 "$results/$1.log"
}

pytest_run() {
    local name=$1
    shift
    "$root/.venv/bin/python" -m pytest --quiet --junit-xml "$results/$name.xml" "$@"
}

finish_parts() {
    say ''
    [ "${#reasons[@]}" -gt 0 ] && printf '%s\n\n' "${reasons[@]}"
    printf '%s\n' "${table[@]}"
    printf 'total %d s\n%d passed, %d failed\n' "$SECONDS" "$passed" "$failed"
    [ "$failed" -eq 0 ]
}
