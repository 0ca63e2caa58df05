#!/usr/bin/env bash
# Builds examples/hermetic into a sandbox, changes one service and builds again, rolls
# out, rolls back, and shows a rollout that crashes. Then it goes the whole way of
# examples/greeter, from an account without resources to a verified service. What needs
# running containers is left out if this host cannot run them.
# Called by `make demo`, which has built the programs in bin/ and .tools/bin/.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
export PATH="$root/bin:$root/.tools/bin:$PATH"

work=$(mktemp -d "${TMPDIR:-/tmp}/slipway-demo.XXXXXX")
sandbox=
stop_sandbox() {
	if [ -n "$sandbox" ]; then
		kill "$sandbox" 2>/dev/null || true
		wait "$sandbox" 2>/dev/null || true
	fi
	sandbox=
}
cleanup() {
	stop_sandbox
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

# start_sandbox starts a sandbox with more arguments for serve.
start_sandbox() {
	slipway-sandbox serve --addr 127.0.0.1:0 --ecs-speed 20 "$@" >"$work/env" 2>"$work/sandbox.log" &
	sandbox=$!
	for _ in $(seq 100); do
		[ -s "$work/env" ] && grep -q ^serving "$work/sandbox.log" && break
		kill -0 "$sandbox" 2>/dev/null || { cat "$work/sandbox.log" >&2; exit 1; }
		sleep 0.1
	done
	cat "$work/env"
	# shellcheck disable=SC1091
	. "$work/env"
	addr=${AWS_ENDPOINT_URL#http://}
}

say "A local AWS: ECR on a real registry, ECS, S3, STS"
start_sandbox

# The project must not change the checkout, and the engine's cache must not outlive
# the demo.
cp -R "$root/examples/hermetic" "$work/orchard"
cd "$work/orchard"
export SLIPWAY_ENGINE_STATE="$work/engine"

say "The plan"
run slipway build --plan

say "The first build: everything is new"
first=$(revision)
run slipway build --create-repositories

say "The result: images and their tags, the lifecycle rules, the definitions"
run slipway-sandbox show --addr "$addr"
for f in imagedefinitions-*.json; do run cat "$f"; done

say "Change one service: one new digest"
sed -i.bak 's/"price": 3.8/"price": 4.1/' prices/prices.json && rm prices/prices.json.bak
run slipway build
run slipway-sandbox show --addr "$addr"

say "Build again: nothing to build, nothing to push, no tag to move"
run slipway build

say "Two ECS services that run the images"
run slipway-sandbox service --addr "$addr" --cluster orchard --service site --wait 1m \
	--container brand=orchard/brand --container web=orchard/shop --container handbook=orchard/handbook
run slipway-sandbox service --addr "$addr" --cluster orchard --service prices --wait 1m \
	--container prices=orchard/price-list
run slipway status

say "Another change, built and rolled out: only its ECS service is deployed"
second=$(revision)
sed -i.bak 's/"price": 4.1/"price": 4.4/' prices/prices.json && rm prices/prices.json.bak
run slipway build
run slipway rollout

say "Roll back to the first revision, verified"
run slipway revisions
run slipway rollback "$first"
run slipway status

say "Roll out the second revision"
run slipway rollback "$second"

say "A rollout that crashes: ECS rolls it back, and Slipway reverts the tags"
cp prices/Dockerfile "$work/Dockerfile"
printf 'LABEL slipway.sandbox.exit=1\n' >>prices/Dockerfile
run slipway build --rollout && exit 1 || code=$?
echo "exit code $code"
[ "$code" -eq 6 ]
run slipway status

say "Fix it and roll out"
cp "$work/Dockerfile" prices/Dockerfile
run slipway build --rollout
run slipway status
run slipway revisions

say "A second sandbox, whose tasks run the processes of their images"
stop_sandbox
start_sandbox --run
cp -R "$root/examples/greeter" "$work/greeter"
cd "$work/greeter"
# compile writes the program of a version.
compile() { (cd "$root" && CGO_ENABLED=0 "${GO:-go}" build -ldflags "-X main.version=$1" -o "$work/greeter/greeter" ./examples/greeter); }

say "An account without resources: two CloudFormation stacks, and no image yet"
echo '$ slipway stack network > network.yaml'
slipway stack network >network.yaml
run slipway-sandbox deploy --addr "$addr" --stack-name network --template-file network.yaml
echo '$ slipway stack site-alb > site.yaml'
slipway stack site-alb >site.yaml
# The parameters are words without spaces and patterns.
set -f
# shellcheck disable=SC2046
run slipway-sandbox deploy --addr "$addr" --stack-name greeter --template-file site.yaml \
	--capabilities CAPABILITY_IAM --parameter-overrides $(slipway stack site-alb --parameters)
set +f

say "A secret goes to Secrets Manager, and nowhere else"
GREETER_CODE=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
export GREETER_CODE
run slipway secrets push
run slipway secrets

if grep '^tasks do not run here' "$work/sandbox.log"; then
	echo "so the rest of the demo is left out"
	exit 0
fi

# service prints the address that the sandbox has given the service.
service() { sed -n 's/^web of greeter\/greeter answers at //p' "$work/sandbox.log" | tail -n 1; }
# ask prints what the service answers to a request with the code.
ask() {
	printf '$ curl "http://%s/?code=$GREETER_CODE"\n' "$(service)"
	curl --silent --show-error --fail "http://$(service)/?code=$GREETER_CODE" | tee "$work/answer"
}
# greet changes the greeting, which is a setting of the compose file.
greet() { sed -i.bak "s/GREETING: .*/GREETING: \"$1\"/" compose.yaml && rm compose.yaml.bak; }
# expect ends the demo unless the last answer is the greeting.
expect() { [ "$(cat "$work/answer")" = "$1" ]; }

compile 1
say "One command: the repository, the image, a one-off task, and the ECS service"
run slipway build --create-repositories --rollout --create-service

say "The service answers those who have the code"
run curl --silent --show-error --output /dev/null --write-out '%{http_code}\n' "http://$(service)/" | tee "$work/refused"
[ "$(tail -n 1 "$work/refused")" = 403 ]
ask
expect "Good morning, from version 1"
run slipway status

say "Everything that a rollout needs is in order"
run slipway doctor --rollout

say "Another version with another greeting, rolled out after the one-off task"
compile 2
greet "Good evening"
run slipway build --rollout
ask
expect "Good evening, from version 2"

say "Without a greeting the server ends: a real crash, its log, and ECS rolls it back"
greet ""
run slipway build --rollout && exit 1 || code=$?
echo "exit code $code"
[ "$code" -eq 6 ]
ask
expect "Good evening, from version 2"

say "Roll back to the version before, with its settings"
run slipway rollback --previous
ask
expect "Good morning, from version 1"
run slipway status
