# shellcheck shell=bash
# How deploy/test runs its parts: each timed, its output kept, its tests counted from JUnit files; the table at the end.
: "${root:?}"

# Where each part of one run has a folder: its output, its JUnit files, its row of the table.
start_parts() {
    results=$(mktemp --directory)
    trap 'rm -rf "$results"' EXIT
    # A crashing Swift process would otherwise hold the pipe open for minutes while it writes a backtrace.
    export SWIFT_BACKTRACE=enable=no
    # A data race or a memory error ends the process with a code of its own, which no test expects.
    export TSAN_OPTIONS="exitcode=66 suppressions=$root/deploy/lib/tsan-suppressions.txt"
    export ASAN_OPTIONS="detect_leaks=0 exitcode=67"
}

# part NAME COMMAND...: runs the command, prints its seconds; a part that fails makes the run fail but not stop. The
# command writes its JUnit files to $junit.
part() {
    local name=$1 began=$SECONDS outcome=ok junit="$results/$1"
    shift
    mkdir "$junit"
    echo "$name" >>"$results/order"
    [ -n "${in_lane:-}" ] || say "== $name"
    run_part "$@" || outcome=FAILED
    count_part "$outcome" >"$junit/counts"
    [ "$outcome" = ok ] || why_failed "$name" >"$junit/reason"
    printf '%-30s %6d s  %s\n' "$name" $((SECONDS - began)) "$outcome" >"$junit/row"
    say "   $(<"$junit/row")"
    [ "$outcome" = ok ]
}

# The output of a part in a lane appears when it ends, so that two parts are not mixed line by line.
run_part() {
    [ -n "${in_lane:-}" ] || { "$@" </dev/null 2>&1 | tee "$junit/log"; return; }
    local status=0
    "$@" </dev/null >"$junit/log" 2>&1 || status=$?
    say "== $name"
    cat "$junit/log"
    return "$status"
}

# beside COMMAND COMMAND: two rows of parts at once, because the tests of either wait for half of their time.
beside() {
    local in_lane=yes
    "$1" &
    "$2" &
    wait
}

# Prints how many tests of the part passed and failed, from its JUnit files; a part without any counts as one test.
count_part() {
    local tests broken
    tests=$(sum_of tests) broken=$(($(sum_of failures) + $(sum_of errors)))
    tests=$((tests - $(sum_of skipped)))
    if [ "$1" = FAILED ] && [ "$broken" -eq 0 ]; then broken=1 tests=$((tests + 1)); fi
    [ "$tests" -eq 0 ] && tests=1
    echo "$((tests - broken)) $broken"
}

# The sum of one attribute over the <testsuite> elements of all JUnit files of the part.
sum_of() {
    cat "$junit"/*.xml 2>/dev/null | grep -o '<testsuite [^>]*>' | grep -o " $1=\"[0-9]*\"" |
        grep -o '[0-9]*' | awk '{ sum += $1 } END { print sum + 0 }'
}

# What the output of a part says about its failure, printed at the end, where a reader looks first.
why_failed() {
    local marks='✘|: error: |^error:|^E  |^FAILED|^ERROR|Fatal error|Sanitizer: |^ +#[0-6] |unexpected signal|^would reformat'
    printf '%s failed:\n' "$1"
    grep --extended-regexp --after-context 4 --max-count 20 "$marks" "$junit/log" | tail -n 60 ||
        tail -n 20 "$junit/log"
}

pytest_run() {
    "$root/.venv/bin/python" -m pytest --quiet --junit-xml "$junit/pytest.xml" "$@"
}

# Prints the table, in the order in which the parts began.
finish_parts() {
    local name
    say ''
    while read -r name; do [ ! -f "$results/$name/reason" ] || { cat "$results/$name/reason" && echo; }; done <"$results/order"
    while read -r name; do cat "$results/$name/row"; done <"$results/order"
    printf 'total %d s\n' "$SECONDS"
    cat "$results"/*/counts | awk '{ passed += $1; failed += $2 }
        END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 }'
}
