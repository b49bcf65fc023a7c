#!/usr/bin/env bash
# Counts the machine instructions of fixed work (benches/count.rs) under callgrind and compares them with the committed
# figures: a growth of more than 10 % fails. `benches/count.sh --write` commits the new figures to the file.
# Needs valgrind. What is counted is optimised, its dependencies are those of the tests: so beside the tests this costs one
# more build of the library, a minute or two on two cores, and not a release of everything. The figures belong to the toolchain that made them: write them anew with a new one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
figures=benches/count.txt
names=(chunk_reader_4096 chunk_reader_128 flv ts_mux digests_1m get_anonymous get_oss_v1 get_oss_v4 get_oss_v4_header
    get_s3_v4 get_s3_v4_url list_1000 put_16k put_chunked_1m)

if ! command -v valgrind >/dev/null; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        printf 'missing: valgrind\n' >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends valgrind >/dev/null
fi

binary=$(cargo build --locked --profile dev --config profile.dev.opt-level=2 --bench count --message-format json-render-diagnostics |
    sed -n 's/.*"name":"count".*"executable":"\([^"]*\)".*/\1/p' | tail -1)
[ -x "$binary" ] || { printf 'the bench was not built\n' >&2; exit 1; }

# Instructions of NAME over so many rounds, preparation included.
collected() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$binary" "$1" "$2" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

failed=0
lines=()
for name in "${names[@]}"; do
    # The preparation is the same, so the difference is what two rounds cost.
    one=$(collected "$name" 1)
    three=$(collected "$name" 3)
    count=$(((three - one) / 2))
    lines+=("$name $count")
    committed=$(sed -n "s/^$name \([0-9]*\)$/\1/p" "$figures" 2>/dev/null || true)
    verdict=
    if [ -n "$committed" ] && [ $((count * 100)) -gt $((committed * 110)) ]; then
        verdict='  FAILED: more than 10 % over'
        failed=1
    fi
    printf '%-20s %12d instructions a round, committed %s%s\n' "$name" "$count" "${committed:-none}" "$verdict"
done
if [ "${1:-}" = --write ]; then
    printf '%s\n' "${lines[@]}" >"$figures"
    printf 'written to %s\n' "$figures"
    exit 0
fi
exit "$failed"
