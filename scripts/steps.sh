# shellcheck shell=bash
# Sourced by the scripts that work in steps: a heading for each, an end at the first that fails, and in either case a
# table of where the time went and how many tests passed. A script started by another adds to that one's table.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Every backend and every option, but for GPUs. One set for tests, clippy and docs, so that they share what is built.
# shellcheck disable=SC2034 # for the scripts that source this one
all_features=label-smoothing-core/serde,label-smoothing-dfdx/f16,label-smoothing-cli/all-rust,label-smoothing-cli/tch

if [[ -z ${STEPS:-} ]]; then
    STEPS=$(mktemp -d)
    export STEPS
    touch "$STEPS/table" "$STEPS/tests"
    trap 'finish $?' EXIT
fi

finish() {
    printf '\n%-60s %7s\n' 'where the time went' 'min:s'
    awk -F '\t' '{ printf "%-60s %4d:%02d  %s\n", $1, $2 / 60, $2 % 60, $3; total += $2 }
        END { printf "%-60s %4d:%02d\n", "in all", total / 60, total % 60 }' "$STEPS/table"
    awk '{ passed += $4; failed += $6; ignored += $8 }
        END { if (NR) printf "\n%d passed, %d failed, %d skipped\n", passed, failed, ignored }' "$STEPS/tests"
    rm -r "$STEPS"
    [[ $1 == 0 ]] || printf 'FAILED\n'
    exit "$1"
}

# step NAME COMMAND...: runs the command and notes its time; where it fails, the script ends with its status.
step() {
    local name=$1 start=$SECONDS status result=ok
    shift
    printf '\n=== %s\n' "$name"
    set +e
    (
        set -e
        "$@"
    )
    status=$?
    set -e
    ((status == 0)) || result="failed with $status"
    printf '%s\t%d\t%s\n' "$name" $((SECONDS - start)) "$result" >>"$STEPS/table"
    ((status == 0)) || exit "$status"
}

# optional_step NAME COMMAND...: a step whose status 77 means that it was not run, for a reason that it has printed. The
# table says so; it is no pass.
optional_step() {
    local name=$1 start=$SECONDS status=0 result=ok
    shift
    printf '\n=== %s\n' "$name"
    "$@" || status=$?
    case $status in
        0) ;;
        77) result='NOT RUN: see its output' ;;
        *) result="failed with $status" ;;
    esac
    printf '%s\t%d\t%s\n' "$name" $((SECONDS - start)) "$result" >>"$STEPS/table"
    ((status == 0 || status == 77)) || exit "$status"
}

# cargo_test ARGUMENT...: cargo test, its results counted.
cargo_test() {
    local status=0
    cargo test --no-fail-fast "$@" | tee "$STEPS/output" || status=$?
    grep '^test result: ' "$STEPS/output" >>"$STEPS/tests" || true
    return "$status"
}

# The manifests of the packages that have a workspace and a lockfile of their own, because their dependencies cannot be
# locked together with the others' or because they stand for somebody else's.
own_workspaces() {
    find ./*/ '(' -name target -o -path ./fuzz/ ')' -prune -o -name Cargo.toml -exec grep -l '^\[workspace\]' {} + | sort
}

# Finds or installs libtorch, and sets what building and running tch take.
use_libtorch() {
    local exports
    [[ -z ${STEPS_LIBTORCH:-} ]] || return 0
    step 'libtorch' scripts/libtorch
    exports=$(scripts/libtorch env)
    eval "$exports"
    export STEPS_LIBTORCH=set
}

# Installs cargo-hack, unless there is one.
use_cargo_hack() {
    cargo hack --version >/dev/null 2>&1 || step 'install cargo-hack' cargo install --locked cargo-hack@0.6.46
}
