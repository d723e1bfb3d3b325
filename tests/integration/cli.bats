#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# mifcont run, status and policy.

bats_require_minimum_version 1.5.0

setup() {
	lab=$(cd "$BATS_TEST_DIRNAME/../lab" && pwd)
	build=${MIFCONT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	build=$(cd "$build" && pwd)
	mifcont=$build/mifcont
	listeners=()
	unset MIFCONT_POLICY MIFCONT_LOG MIFCONT_LIBRARY MIFCONT_DISABLE LD_PRELOAD XDG_CONFIG_HOME
	export HOME=$BATS_TEST_TMPDIR
	cd "$BATS_TEST_TMPDIR"
}

teardown() {
	local pid
	for pid in "${listeners[@]}"; do
		kill -CONT "$pid" 2>/dev/null || :
		kill "$pid" 2>/dev/null || :
	done
}

# --- run ------------------------------------------------------------------------------------------

static_program() { # EXIT-STATUS
	echo "int main(void) { return $1; }" >s.c
	gcc -static -o static s.c || skip "no static C library"
}

@test "run preloads the library behind what is preloaded already, once" {
	run --separate-stderr "$mifcont" run -- env
	[ "$status" = 0 ]
	[ -z "$stderr" ]
	[[ $output == *"LD_PRELOAD=$build/libmifcont.so"* ]]
	LD_PRELOAD=libm.so.6 run "$mifcont" run -- env
	[[ $output == *"LD_PRELOAD=libm.so.6:$build/libmifcont.so"* ]]
	run "$mifcont" run -- "$mifcont" run -- env
	[ "$(grep ^LD_PRELOAD <<<"$output")" = "LD_PRELOAD=$build/libmifcont.so" ]
}

@test "run finds the library beside it, in ../lib or where it is told" {
	mkdir -p bin lib
	cp "$mifcont" bin/
	run bin/mifcont run -- true
	[ "$status" = 0 ]
	[[ $output == *"libmifcont.so not found; expected"* ]]
	cp "$build/libmifcont.so" lib/
	run bin/mifcont run -- env
	[[ $output == *"LD_PRELOAD=$PWD/lib/libmifcont.so"* ]]
	MIFCONT_LIBRARY=$build/libmifcont.so run bin/mifcont run -- env
	[[ $output == *"LD_PRELOAD=$build/libmifcont.so"* ]]
	mkdir 'a b'
	cp "$build/libmifcont.so" 'a b/'
	MIFCONT_LIBRARY="$PWD/a b/libmifcont.so" run bin/mifcont run -- sh -c 'echo "<$LD_PRELOAD>"'
	[[ $output == *"takes no path with a space"* ]]
	[[ $output == *"<>"* ]]
}

@test "run passes arguments and the exit status on" {
	run "$mifcont" run -- sh -c 'exit 9'
	[ "$status" = 9 ]
	run "$mifcont" run printf '<%s>' --policy -- 'a b'
	[ "$output" = '<--policy><--><a b>' ]
	run -127 "$mifcont" run -- /nonexistent/program
	PATH=/usr/bin:/bin run -127 "$mifcont" run -- no-such-program-anywhere
	# It may be in a folder that cannot be searched: 126, as of env(1), to all but root.
	mkdir -m 0 closed
	local other=0
	PATH=$PWD/closed:/usr/bin:/bin env no-such-program-anywhere || other=$?
	PATH=$PWD/closed:/usr/bin:/bin run "-$other" "$mifcont" run -- no-such-program-anywhere
	touch plain
	run -126 "$mifcont" run -- ./plain
	run -126 "$mifcont" run -- /
}

@test "run hands the policy over, and refuses a wrong one" {
	echo 'peer "*" { continuity = none }' >good
	echo 'peer "*" { continuity = maybe }' >bad
	run "$mifcont" run --policy good -- env
	[ "$status" = 0 ]
	[[ $output == *"MIFCONT_POLICY=$PWD/good"* ]]
	run "$mifcont" run --policy bad -- touch ran
	[ "$status" = 2 ]
	[[ $output == *'bad:1: continuity = "maybe" not understood; expected'* ]]
	[ ! -e ran ]
	run "$mifcont" run --policy missing -- touch ran
	[ "$status" = 2 ]
	[ ! -e ran ]
}

@test "run warns of a mistake in the policy that is in force anyway" {
	mkdir -p .config/mifcont
	echo 'peer "*" { }' >.config/mifcont/policy.conf
	run "$mifcont" run -- touch ran
	[ "$status" = 0 ]
	[[ $output == *"policy.conf:1: peer"*"expected"*"without a policy"* ]]
	[ -e ran ]
}

@test "run takes a log that can be written, under its full name" {
	mkdir other
	run "$mifcont" run --log debug:log -- sh -c 'cd other && env'
	[[ $output == *"MIFCONT_LOG=debug:$PWD/log"* ]]
	for wrong in loud:log debug: debug; do
		run "$mifcont" run --log "$wrong" -- true
		[ "$status" = 2 ]
		[[ $output == *"expected LEVEL:FILE"* ]]
	done
	run "$mifcont" run --log debug:/nonexistent/log -- true
	[ "$status" = 2 ]
}

@test "run warns of a static program, and runs it" {
	static_program 5
	run "$mifcont" run -- ./static
	[ "$status" = 5 ]
	[[ $output == *"./static is statically linked"* ]]
	PATH=$PWD:$PATH run "$mifcont" run -- static
	[ "$status" = 5 ]
	[[ $output == *"static ($PWD/static) is statically linked"* ]]
}

@test "run looks through scripts and env at the interpreter" {
	static_program 6
	printf '#!%s/static\n' "$PWD" >script
	printf '#!%s/script\n' "$PWD" >outer
	printf '#!/usr/bin/env -S X=1 static -a\n' >by-env
	printf '#!/bin/sh\nexit 7\n' >shell
	chmod +x script outer by-env shell
	for s in script outer; do
		run "$mifcont" run -- "./$s"
		[ "$status" = 6 ]
		[[ $output == *"./$s ($PWD/static) is statically linked"* ]]
	done
	PATH=$PWD:$PATH run "$mifcont" run -- ./by-env
	[ "$status" = 6 ]
	[[ $output == *"statically linked"* ]]
	run "$mifcont" run -- ./shell
	[ "$status" = 7 ]
	[ -z "$output" ]
	# One that is its own interpreter comes to an end.
	printf '#!%s/loop\n' "$PWD" >loop
	chmod +x loop
	run timeout 10 "$mifcont" run -- ./loop
	[ "$status" = 126 ]
}

@test "run warns of a set-user-ID program, and runs it" {
	[ "$(id -u)" = 0 ] && grep -q '^ *0 *0 *4294967295' /proc/self/uid_map || skip "only root can make one"
	cp /bin/true suid
	chown 65534 suid
	chmod 4755 suid
	run "$mifcont" run -- ./suid
	[ "$status" = 0 ]
	[[ $output == *"./suid is set-user-ID"* ]]
}

@test "run warns of a Go program, and runs it" {
	echo 'int main(void) { return 4; }' >g.c
	gcc -o g g.c
	: >info
	objcopy --add-section .go.buildinfo=info g go
	run "$mifcont" run -- ./go
	[ "$status" = 4 ]
	[[ $output == *"./go is a Go program"* ]]
}

@test "run does not preload into programs of another machine or C library" {
	# So says its header; the kernel does not look at the word size. The loader would only complain.
	cp "$(command -v env)" foreign
	printf '\001' | dd of=foreign bs=1 seek=4 conv=notrunc status=none
	run "$mifcont" run -- ./foreign
	[[ $output == *"./foreign is for another machine or word size"* ]]
	[[ $output != *LD_PRELOAD* ]]
	echo 'int main(void) { return 0; }' >m.c
	gcc -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1 -o musl m.c
	# Whether that loader is here or not.
	run sh -c '"$1" run -- ./musl || :' - "$mifcont"
	[[ $output == *"./musl uses another C library (musl)"* ]]
}

@test "run says so when the library is switched off" {
	MIFCONT_DISABLE=1 run "$mifcont" run -- true
	[ "$status" = 0 ]
	[[ $output == *"MIFCONT_DISABLE is set"* ]]
}

# --- status ---------------------------------------------------------------------------------------

# A listener in the library's place; its process is $pid.
listen() { # ARGUMENTS of listener.py
	local i
	: >listening
	python3 "$lab/listener.py" "$@" >listening 3>&- &
	listeners+=("$!")
	for ((i = 0; i < 100; i++)); do
		[ -s listening ] && break
		sleep 0.05
	done
	pid=$(cat listening)
	[ -n "$pid" ]
}

answer() { # NOTE
	cat <<-END
		{"pid":PID,"program":"prog","policy":"(none)","agent":"running","flows":[
		{"id":1,"fd":5,"proto":"tcp","peer":"192.0.2.7:80","continuity":"session","state":"stable",
		"covered":true,"path":{"interface":"wlan0","source":"10.1.0.2"},"relay":null,
		"handovers":3,"sent":123,"received":456,"unconfirmed":7,"note":"$1"}]}
	END
}

@test "status without flows says so" {
	run "$mifcont" status
	[ "$status" = 0 ]
	[ "$output" = "no covered flows" ]
	run "$mifcont" status --json
	[ "$status" = 0 ]
	[ "$output" = "[]" ]
	run -2 "$mifcont" status everything
	run -2 "$mifcont" status --everything
}

@test "status shows what a process answers" {
	answer "" >good
	listen self good
	run --separate-stderr "$mifcont" status
	[ "$status" = 0 ]
	[ -z "$stderr" ]
	[ "$(awk 'NR == 1 { print NF, $1, $13, $14 }' <<<"$output")" = "14 PID UNCONFIRMED NOTE" ]
	[ "$(awk 'NR == 2 { $1 = $1; print }' <<<"$output")" = \
		"$pid prog 5 192.0.2.7:80 session - stable wlan0 - 3 123 456 7" ]
	[ "$("$mifcont" status --json | jq -r '.[0] | .pid, .flows[0].peer')" = "$pid"$'\n'192.0.2.7:80 ]
}

@test "status says by what a flow goes on, and what it would lose" {
	answer "" | sed 's/"covered":true/"covered":false,"means":"opening","handover":"ECONNRESET: so"/' >good
	listen self good
	run "$mifcont" status
	[ "$status" = 0 ]
	[ "$(awk 'NR == 2 { $1 = $1; print }' <<<"$output")" = \
		"$pid prog 5 192.0.2.7:80 session opening stable wlan0 - 3 123 456 7 not covered: ECONNRESET: so" ]
}

@test "status lets no answer command the terminal" {
	answer '\u001b]0;x\u0007 \u009b2J \n end' >wild
	listen self wild
	run "$mifcont" status
	[ "$status" = 0 ]
	[[ $output == *" end" ]]
	[ "$(wc -l <<<"$output")" = 2 ]
	[ "$(LC_ALL=C grep -c '[^ -~]' <<<"$output")" = 0 ]
	[ "$("$mifcont" status --json | LC_ALL=C grep -c '[^ -~]')" = 0 ]
}

@test "status passes over answers that cannot be used, and shows the others" {
	answer "" >good
	echo '{"pid":PID,"flows":[{}]}' >short
	echo 'garbage' >garbage
	answer "" | sed 's/PID/1/' >other
	listen self good
	good_pid=$pid
	for how in short garbage other flood; do
		listen self "$how"
		run --separate-stderr "$mifcont" status
		[ "$status" = 0 ]
		[[ $stderr == *"process $pid: "* ]]
		[ "$(awk 'NR > 1 { print $1 }' <<<"$output")" = "$good_pid" ]
		kill "$pid"
		wait "$pid" 2>/dev/null || :
	done
}

@test "status does not wait for those who say nothing, one after the other" {
	answer "" >good
	listen self good
	good_pid=$pid
	for _ in 1 2 3 4 5; do
		listen self mute
	done
	run --separate-stderr timeout 4 "$mifcont" status
	[ "$status" = 0 ]
	[ "$(grep -c 'gave no answer' <<<"$stderr")" = 5 ]
	[ "$(awk 'NR > 1 { print $1 }' <<<"$output")" = "$good_pid" ]
}

@test "status asks nobody under another process's name" {
	answer "" >good
	sleep 30 3>&- &
	listeners+=("$!")
	listen "$!" good
	run --separate-stderr "$mifcont" status
	[ "$status" = 0 ]
	[ "$output" = "no covered flows" ]
	[[ $stderr == *"another process listens under its name"* ]]
	for name in 12x -5 0 99999999999999999999 ''; do
		listen "$name" good
	done
	run --separate-stderr "$mifcont" status
	[ "$output" = "no covered flows" ]
	[ "$(wc -l <<<"$stderr")" = 1 ]
}

# --- policy ---------------------------------------------------------------------------------------

@test "policy check tells what is wrong and where" {
	printf '# one\npeer "*:0" { continuity = none }\n' >p
	run "$mifcont" policy check p
	[ "$status" = 1 ]
	[[ $output == p:2:*expected* ]]
	printf 'interface "w*" { prefer = 1 }\npeer "*" { continuity = none }\n' >p
	run "$mifcont" policy check p
	[ "$status" = 0 ]
	[ "$output" = "p: OK, 1 interface and 1 peer sections" ]
	run -1 "$mifcont" policy check missing
	run -2 "$mifcont" policy check
	run -2 "$mifcont" policy
}

@test "policy check tells of rules that do not do what they seem to" {
	printf 'peer "*.example.com" { continuity = none }\npeer "*:80" { continuity = http }\n' >p
	run "$mifcont" policy check p
	[ "$status" = 0 ]
	[[ ${lines[1]} == "p:1: note: "*"host names"*"resolves the name with the C library" ]]
	[ ${#lines[@]} = 2 ]
}

@test "policy explain names the rule" {
	printf 'peer "*:22" { continuity = session }\npeer "*/udp"\n{ continuity = redial }\npeer "*"\n{ continuity = none }\n' >p
	run "$mifcont" policy explain --policy p 192.0.2.1:22
	[ "$status" = 0 ]
	[[ $output == *'p:1 peer "*:22"'* ]]
	[[ $output == *"relay       on the peer's own host, port 7343"* ]]
	run "$mifcont" policy explain --policy p '[2001:db8::1]:23'
	[[ $output == *'p:4 peer "*"'* ]]
	[[ $output == *"hands off"* ]]
	run "$mifcont" policy explain 192.0.2.1:53/udp --policy p
	[[ $output == *'p:2 peer "*/udp"'* ]]
	run "$mifcont" policy explain 192.0.2.1:22
	[[ $output == *"none matches: auto"* ]]
	run "$mifcont" policy explain --policy p 127.0.0.1:22
	[[ $output == *"on this machine: the library leaves it alone"* ]]
	for wrong in nonsense 192.0.2.1 :80 192.0.2.1:0 192.0.2.1:70000 192.0.2.1:80x 2001:db8::1:80 \
		192.0.2.1:80/sctp; do
		run -2 "$mifcont" policy explain --policy p "$wrong"
	done
	run -1 "$mifcont" policy explain --policy missing 192.0.2.1:22
}

@test "policy explain says what http does, and knows host names" {
	printf 'peer "local*" { continuity = session }\npeer "192.0.2.1" { continuity = http }\n' >p
	run "$mifcont" policy explain --policy p 192.0.2.1:80
	[[ $output == *"http: straight to the peer; over another path requests without an answer are made again"* ]]
	run "$mifcont" policy explain --policy p 192.0.2.1:80/udp
	[[ $output == *"HTTP is over TCP; as auto"* ]]
	unshare -Urnm true 2>/dev/null || skip "no namespace to put a host name into"
	echo "192.0.2.1 localserver" >hosts
	run unshare -Urnm sh -c 'mount --bind hosts /etc/hosts && exec "$@"' - \
		"$mifcont" policy explain --policy p localserver:80
	[ "$status" = 0 ]
	[[ $output == *'rule        p:1 peer "local*"'* ]]
	[[ $output == *'but         for a program that connects without resolving localserver itself: p:2 peer "192.0.2.1"'* ]]
}

@test "policy explain shows the paths, the choice and what a loss does" {
	unshare -Urn true 2>/dev/null || skip "no network namespace"
	cat >p <<-'END'
		interface "wlan*" { prefer = 200 }
		interface "wwan*" { prefer = 100  metered = true }
		peer "*:22" { continuity = session }
		peer "*:23" { continuity = session  relay = "198.51.100.1:9" }
		peer "*" { continuity = auto }
	END
	cat >net <<-'END'
		set -e
		ip link add wlan0 type veth peer name w1
		ip link add wwan0 type veth peer name w2
		for i in wlan0 w1 wwan0 w2; do ip link set $i up; done
		ip addr add 10.1.0.2/24 dev wlan0
		ip addr add 10.2.0.2/24 dev wwan0
		ip route add default via 10.2.0.1 dev wwan0 metric 10
		ip route add 192.0.2.0/24 via 10.1.0.1 dev wlan0 metric 20
		ip route add 192.0.2.0/24 via 10.2.0.1 dev wwan0 metric 10
		sleep 0.2
		for peer in 192.0.2.1:22 192.0.2.1:23 192.0.2.1:80; do
			echo "== $peer"
			"$1" policy explain --policy p $peer
		done
		# A VPN comes up that the policy does not know: it is not left.
		ip link add tun0 type wireguard 2>/dev/null ||
			ip link add tun0 type vxlan id 3 remote 10.1.0.9 dstport 4789
		ip link set tun0 up
		ip addr add 10.3.0.2/24 dev tun0
		ip route add 192.0.2.0/24 dev tun0 metric 1
		sleep 0.2
		echo "== vpn"
		"$1" policy explain --policy p 192.0.2.1:22
		echo "interface \"tun*\" { prefer = 50 }" >>p
		echo "== ranked"
		"$1" policy explain --policy p 192.0.2.1:22
	END
	run unshare -Urn sh net "$mifcont"
	echo "$output"
	[ "$status" = 0 ] || [[ $output == *"Unknown device type"* ]]
	part() { sed -n "/^== $1\$/,/^== /p" <<<"$output" | sed '1d; /^== /d'; }
	part 192.0.2.1:22 >22
	grep -q 'path        wlan0 (.*) from 10.1.0.2, prefer 200, metric 20' 22
	grep -q 'path        wwan0 (.*) from 10.2.0.2, prefer 100, metered, metric 10' 22
	grep -q 'connects    over wwan0 from 10.2.0.2' 22
	grep -q 'then        moves to wlan0: wlan0 is preferred to wwan0 (200 over 100)' 22
	grep -q 'on loss     of wlan0: to wwan0' 22
	# Its paths are those to the relay.
	part 192.0.2.1:23 >23
	grep -q 'relay       at 198.51.100.1, port 9' 23
	[ "$(grep -c 'path        wlan0' 23)" = 0 ]
	grep -q 'on loss     of wwan0: waits' 23
	part 192.0.2.1:80 >80
	grep -q 'then        stays as long as that works' 80
	grep -q 'on loss     of wwan0: to wlan0 only if nothing was exchanged yet' 80
	part vpn >vpn
	[ -s vpn ] || skip "no tunnel device here"
	grep -q 'path        tun0 (tunnel)' vpn
	grep -q 'connects    over tun0' vpn
	grep -q 'then        stays' vpn
	grep -q 'on loss     of tun0: waits' vpn
	part ranked >ranked
	grep -q 'then        moves to wlan0: wlan0 is preferred to tun0 (200 over 50)' ranked
}

@test "wrong usage is an error, and help is not" {
	run -2 "$mifcont"
	[[ $output == *usage:* ]]
	run -2 "$mifcont" fly
	[[ $output == *expected* ]]
	run -2 "$mifcont" run
	run -2 "$mifcont" run --nonsense -- true
	run -0 "$mifcont" help
	run -0 "$mifcont" --help
	run -0 "$mifcont" version
	for c in run status events policy; do
		run -0 "$mifcont" help
		[[ $output == *"mifcont $c "* ]]
	done
}
