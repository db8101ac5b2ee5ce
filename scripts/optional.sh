# shellcheck shell=bash
# Sourced by the scripts whose tools may be missing, which scripts/test calls by `optional_step`.

# not_run REASON: ends the script, since what it takes is not there. That is no pass.
not_run() {
    printf 'scripts/%s: not run: %s\n' "${0##*/}" "$1"
    exit 77
}

# some_tests COMMAND...: a run of chosen tests. It fails where a program has none of that name any more, too.
some_tests() {
    local log status=0
    log=$(mktemp)
    "$@" 2>&1 | tee "$log" || status=$?
    if ((status == 0)) && { ! grep -q '^test result: ok' "$log" || grep '^test result: ok\. 0 passed' "$log"; }; then
        printf 'scripts/%s: there is no such test\n' "${0##*/}"
        status=1
    fi
    rm "$log"
    return "$status"
}
