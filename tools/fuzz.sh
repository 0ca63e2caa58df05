#!/usr/bin/env bash
# Fuzzes every parser in turn for a time each, such as 1m or 1h. What it finds is
# written to testdata/fuzz next to the test: keep it there, as a seed. The last
# lines count the inputs that were tried. Inputs that reach new code are not made
# smaller for long: Go's default is a minute for each, in which nothing else is tried.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-1m}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
while IFS=: read -r file name; do
	echo "==> $name in $(dirname "$file"), $time"
	go test "./$(dirname "$file")" -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 10x >"$log" 2>&1 || { status=1; cat "$log"; }
	tail -n 3 "$log" | grep -E 'execs|^ok|FAIL' || true
done < <(git ls-files -z '*_test.go' | xargs -0 grep -oE '^func Fuzz[A-Za-z0-9_]*' | sed 's/func //')
exit $status
