# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Common to the tests that use the lab.

# shellcheck source=tests/lab/lab.sh
source "$BATS_TEST_DIRNAME/../lab/lab.sh"

need_lab() {
	local why
	why=$(lab_missing)
	[ -z "$why" ] || skip "$why"
}

# A lab with relay and policy; the arguments are lab_up's.
start_lab() {
	local i
	lab_up "$@"
	# Without spread and damping, so that what a test waits for comes at the same time each time.
	cat >"$lab_dir/policy.conf" <<-'END'
		stability { spread = 0  damp = 0 }
		interface "wlan*" { prefer = 200 }
		interface "wwan*" { prefer = 100 }
		peer "*/udp" { continuity = redial }
		peer "*:9100" { continuity = redial replay = line }
		peer "*" { continuity = session }
	END
	lab_spawn server "$lab_dir/relay.log" "$lab_build/mifcont-relay" --state-dir "$lab_dir/state" \
		--log debug --allow 22 --allow 8080 --allow 9000 --allow 9001 --allow 5201
	# shellcheck disable=SC2034  # for the tests
	relay_pid=$lab_pid
	wait_port 7343
	# Neighbours have to be found first; over IPv6 that takes a second at times.
	for ((i = 0; i < 50; i++)); do
		in_client timeout 1 bash -c 'exec 3<>/dev/tcp/fd00:9::2/7343' 2>/dev/null && return 0
		sleep 0.1
	done
	echo "the server is not reached over IPv6"
	return 1
}

wait_port() { lab_wait_port server "$1"; }

# The same of a datagram socket.
wait_udp() {
	local i
	for ((i = 0; i < 100; i++)); do
		in_server ss -Hlun "sport = :$1" | grep -q . && return 0
		sleep 0.05
	done
	echo "no datagrams are heard on port $1 of the server"
	return 1
}

# Must fail. (`! CMD` fails no test.)
never() {
	! "$@"
}

# The process ends within some seconds.
is_over() { # PID
	local i
	for ((i = 0; i < 80; i++)); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	echo "process $1 is still there"
	return 1
}

# A command in the client, under the library.
covered() {
	in_client env LD_PRELOAD="$lab_build/libmifcont.so" MIFCONT_POLICY="$lab_dir/policy.conf" \
		MIFCONT_LOG="debug:$lab_dir/client.log" "$@"
}

# A file of random bytes (MB) served over HTTP on port 8080.
serve_file() {
	mkdir -p "$lab_dir/www"
	head -c "$(($1 * 1000000))" /dev/urandom >"$lab_dir/www/file"
	lab_spawn server "$lab_dir/http.log" python3 -m http.server 8080 --bind :: --directory "$lab_dir/www"
	wait_port 8080
}

same() {
	[ "$(sha256sum <"$1")" = "$(sha256sum <"$2")" ]
}

handovers() {
	grep -c ': on w' "$lab_dir/client.log" || :
}

# So many sessions are open (30 s at most): until then there is nothing to hand over.
opened() { # COUNT
	local i count
	for ((i = 0; i < 300; i++)); do
		# No log yet is no session yet: grep says nothing then, not 0.
		count=$(grep -c ': session open' "$lab_dir/client.log" 2>/dev/null) || :
		[ "${count:-0}" -lt "$1" ] || return 0
		sleep 0.1
	done
	echo "fewer than $1 sessions are open"
	return 1
}

# Loses and returns wlan0, count times, while process $1 lives; at least and at most milliseconds between.
flap() {
	local pid=$1 count=$2 least=$3 most=$4 i
	for ((i = 0; i < count; i++)); do
		kill -0 "$pid" 2>/dev/null || return 0
		pause "$least" "$most"
		lab_event wlan0 down
		pause "$least" "$most"
		lab_event wlan0 up
	done
}

pause() {
	local ms=$(($1 + RANDOM % ($2 - $1 + 1)))
	sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
}

# On failure show what the library and the relay had to say.
stop_lab() {
	if [ -z "${BATS_TEST_COMPLETED:-}" ] && [ -n "${lab_dir:-}" ]; then
		tail -n "${MIFCONT_TAIL:-40}" "$lab_dir/client.log" "$lab_dir/relay.log" 2>/dev/null || :
	fi
	lab_down
}

# A program that asks for events of the network on its output (tests/lab/trial.h), carrying them out for it. With
# `bare` set: without the library, and nothing happens.
trial() { # PROGRAM NAME
	local from to pid interface what status=0 ended='' run=covered
	[ -z "${bare:-}" ] || run=in_client
	coproc TRIAL {
		exec 3>&-
		# shellcheck disable=SC2086  # words are meant to split
		"$run" ${watched:-} timeout -k 5 "${patience:-60}" "$lab_build/lab/$1" "$2" 10.9.0.2 9000 2>"$lab_dir/trial.err"
	}
	pid=$TRIAL_PID
	exec {from}<&"${TRIAL[0]}" {to}>&"${TRIAL[1]}"
	while read -r -u "$from" interface what; do
		if [ "$interface" = end ]; then
			ended=yes
			continue
		fi
		[ -n "${bare:-}" ] || lab_event "$interface" "$what"
		echo >&"$to"
	done
	exec {from}<&- {to}>&-
	wait "$pid" || status=$?
	if [ "$status" != 0 ] || [ -z "$ended" ]; then
		echo "${bare:+bare }$1 $2: status $status"
		head -n 40 "$lab_dir/trial.err"
		return 1
	fi
}
