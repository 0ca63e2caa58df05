#!/usr/bin/env bash
# Builds examples/hermetic into a sandbox, changes one service and builds again, rolls
# out, rolls back, and lets a roll-out crash.
# Called by `make demo`, which has built what is needed into bin/ and .tools/bin/.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
export PATH="$root/bin:$root/.tools/bin:$PATH"

work=$(mktemp -d "${TMPDIR:-/tmp}/slipway-demo.XXXXXX")
sandbox=
cleanup() {
	if [ -n "$sandbox" ]; then
		kill "$sandbox" 2>/dev/null || true
		wait "$sandbox" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() {
	printf '$ %s\n' "$*"
	"$@"
}
revision() { slipway build --plan | awk '/^hash/ { print $2 }'; }

say "An AWS of our own: ECR on a real registry, ECS, S3, STS"
slipway-sandbox serve --addr 127.0.0.1:0 --ecs-speed 20 >"$work/env" 2>"$work/sandbox.log" &
sandbox=$!
for _ in $(seq 100); do
	[ -s "$work/env" ] && break
	kill -0 "$sandbox" 2>/dev/null || { cat "$work/sandbox.log" >&2; exit 1; }
	sleep 0.1
done
cat "$work/env"
# shellcheck disable=SC1091
. "$work/env"
addr=${AWS_ENDPOINT_URL#http://}

# What the project writes and changes must not touch the checkout; what the
# engine caches must not outlive the demo.
cp -R "$root/examples/hermetic" "$work/orchard"
cd "$work/orchard"
export SLIPWAY_ENGINE_STATE="$work/engine"

say "What would be built"
run slipway build --plan

say "The first build: everything is new"
first=$(revision)
run slipway build --create-repositories

say "What came out: images and their tags, the lifecycle rules, the definitions"
run slipway-sandbox show --addr "$addr"
for f in imagedefinitions-*.json; do run cat "$f"; done

say "One service changes: one new digest"
sed -i.bak 's/"price": 3.8/"price": 4.1/' prices/prices.json && rm prices/prices.json.bak
run slipway build
run slipway-sandbox show --addr "$addr"

say "The same again: nothing to build, nothing to push, nothing to move"
run slipway build

say "ECS: two services that run the images, as one would have made them by hand"
run slipway-sandbox service --addr "$addr" --cluster orchard --service site --wait 1m \
	--container brand=orchard/brand --container web=orchard/shop --container handbook=orchard/handbook
run slipway-sandbox service --addr "$addr" --cluster orchard --service prices --wait 1m \
	--container prices=orchard/price-list
run slipway status

say "One more change, built and rolled out: only its ECS service is deployed"
second=$(revision)
sed -i.bak 's/"price": 4.1/"price": 4.4/' prices/prices.json && rm prices/prices.json.bak
run slipway build
run slipway rollout

say "Three in the morning: back to the first revision, verified"
run slipway revisions
run slipway rollback "$first"
run slipway status

say "And forward to the second one"
run slipway rollback "$second"

say "A roll-out that crashes: ECS takes it back, and so do the tags"
cp prices/Dockerfile "$work/Dockerfile"
printf 'LABEL slipway.sandbox.exit=1\n' >>prices/Dockerfile
run slipway build --rollout && exit 1 || code=$?
echo "exit code $code"
[ "$code" -eq 6 ]
run slipway status

say "Put right"
cp "$work/Dockerfile" prices/Dockerfile
run slipway build --rollout
run slipway status
run slipway revisions
