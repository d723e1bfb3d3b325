# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034  # what scripts/transparency has set, and uses
# Redis's own, with the server and the tools that are installed; without those that want modules built or a
# cluster, and those that take minutes each.

redis_needs='tcl'

redis_units='unit/networking unit/protocol unit/pubsub unit/pubsubshard unit/auth unit/quit unit/querybuf unit/limits unit/multi
	unit/introspection unit/introspection-2 unit/info unit/obuf-limits unit/pause unit/tracking unit/shutdown unit/wait
	unit/replybufsize unit/pendingquerybuf unit/scripting unit/other unit/type/list unit/type/stream-cgroups
	integration/redis-cli integration/redis-benchmark integration/shutdown'

redis_version() {
	local tool
	if [ ! -d "$keep/redis/tests" ]; then
		source_of redis 2>/dev/null
		mkdir -p "$keep/redis/src"
		for tool in server cli benchmark check-rdb check-aof sentinel; do
			ln -sf "$(command -v "redis-$tool")" "$keep/redis/src/redis-$tool"
		done
	fi
	redis-server --version | sed -n 's/.* v=\([0-9.]*\) .*/Redis \1/p'
}

redis_modules() { sed -n 's/:.*//p' "$1" | sort -u; }

redis_run() { # MODE RESULTS [UNIT...]
	local mode=$1 results=$2 unit
	shift 2
	# shellcheck disable=SC2086
	[ $# -gt 0 ] || set -- $redis_units
	: >"$results"
	: >"$results.log"
	for unit; do
		(cd "$keep/redis" && in_mode "$mode" timeout -k 5 200 tclsh tests/test_helper.tcl --clients 1 --single "$unit") \
			>"$results.one" 2>&1 </dev/null
		echo "exit $?" >>"$results.one"
		sed 's/\x1b\[[0-9;]*m//g' "$results.one" | awk -v unit="$unit" 'function say(n, how) { gsub(/[ \t]+/, "_", n); print unit ":" n, how }
			/^\[ok\]: / { sub(/^\[ok\]: /, ""); sub(/ \([0-9]+ ms\)$/, ""); say($0, "ok") }
			/^\[err\]: / { sub(/^\[err\]: /, ""); sub(/ in tests\/.*/, ""); say($0, "failed") }
			/^\[(skip|ignore)\]: / { sub(/^\[[a-z]*\]: /, ""); say($0, "skipped") }
			/^exit / { say("exit", $2 == 0 ? "ok" : "failed") }' >>"$results"
		{ echo "== $unit"; cat "$results.one"; } >>"$results.log"
	done
	rm -f "$results.one"
}

suite_redis() { pair redis redis "$(redis_version)" bare preloaded; }
