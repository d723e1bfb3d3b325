#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# continuity = http: programs and servers as they are, and a server that lies.

source "$BATS_TEST_DIRNAME/helper.bash"
source "$BATS_TEST_DIRNAME/../lab/web.sh"

setup() {
	need_lab
}

teardown() {
	stop_lab
}

# Loses and returns wlan0 until none of the processes is there any more.
flap_while() { # PID...
	local i pid alive
	for ((i = 0; i < 60; i++)); do
		alive=
		for pid; do
			! kill -0 "$pid" 2>/dev/null || alive=yes
		done
		[ -n "$alive" ] || return 0
		pause 150 500
		lab_event wlan0 down
		pause 150 500
		lab_event wlan0 up
	done
	echo "still there after $i losses"
	return 1
}

@test "downloads of curl and wget go on, from nginx, Apache, lighttpd and through haproxy" {
	local pids=() pid port n=0
	lab_up 5 100
	web_policy
	web_file file 6
	for port in $(web_servers); do
		covered curl -sS -o "$lab_dir/curl.$port" "http://10.9.0.2:$port/file" 2>"$lab_dir/curl.$port.err" &
		pids+=($!)
		covered wget -q -t 1 -O "$lab_dir/wget.$port" "http://10.9.0.2:$port/file" &
		pids+=($!)
	done
	flap_while "${pids[@]}"
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	for port in $(web_ports); do
		same "$lab_dir/curl.$port" "$lab_dir/www/file"
		same "$lab_dir/wget.$port" "$lab_dir/www/file"
		n=$((n + 1))
	done
	echo "$n servers, $(handovers) handovers"
	[ "$n" -ge 2 ]
	[ "$(handovers)" -ge $((4 * n)) ]
	grep -q 'asking over .* for the rest' "$lab_dir/client.log"
}

@test "with a server that lies about the rest there are errors, and never a wrong byte" {
	local name may status ok=0 failed=0 pids=()
	lab_up
	web_policy
	lab_spawn server "$lab_dir/liar.log" python3 "$BATS_TEST_DIRNAME/../lab/liar.py" 8085 0.3
	lab_wait_port server 8085
	in_client curl -sS -o "$lab_dir/names" http://10.9.0.2:8085/names
	in_client curl -sS -o "$lab_dir/body" http://10.9.0.2:8085/body
	while read -r name may; do
		covered timeout 40 curl -sS -N -o "$lab_dir/lie.$name" "http://10.9.0.2:8085/$name" 2>"$lab_dir/err.$name" &
		pids+=("$! $name $may")
	done <"$lab_dir/names"
	for ((i = 0; i < 100; i++)); do
		[ "$(find "$lab_dir" -name 'lie.*' -size +100k | wc -l)" -lt "${#pids[@]}" ] || break
		sleep 0.1
	done
	lab_event wlan0 down
	for i in "${pids[@]}"; do
		read -r pid name may <<<"$i"
		status=0
		wait "$pid" || status=$?
		# Whatever became of it: no other byte than the right ones, in their places.
		cmp -n "$(stat -c %s "$lab_dir/lie.$name")" "$lab_dir/lie.$name" "$lab_dir/body"
		[ "$status" != 124 ] || { echo "$name: no end"; return 1; }
		if [ "$status" = 0 ]; then
			same "$lab_dir/lie.$name" "$lab_dir/body"
			ok=$((ok + 1))
		else
			failed=$((failed + 1))
		fi
		case $may in
		same) [ "$status" = 0 ] || { echo "$name: $status $(cat "$lab_dir/err.$name")"; return 1; } ;;
		error) [ "$status" != 0 ] || { echo "$name: went on"; return 1; } ;;
		esac
	done
	echo "$ok went on, $failed errors"
}
