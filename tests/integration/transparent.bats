#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# With nothing to do the library does nothing.

setup() {
	build=${MIFCONT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	build=$(cd "$build" && pwd)
	lib=$build/libmifcont.so
}

@test "a program without network behaves the same" {
	run env LD_PRELOAD="$lib" sh -c 'echo out; echo err >&2; exit 7'
	[ "$status" = 7 ]
	[ "$output" = $'out\nerr' ]
}

@test "no thread and no descriptor without a flow" {
	local program='
import os, socket
s = socket.socket(); l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
s.connect(l.getsockname())
print(len(os.listdir("/proc/self/task")), sorted(os.listdir("/proc/self/fd")))'
	[ "$(env LD_PRELOAD="$lib" python3 -c "$program")" = "$(python3 -c "$program")" ]
}

@test "a wrong policy changes nothing and is only logged" {
	echo 'peer "*" { continuity = sometimes }' >"$BATS_TEST_TMPDIR/p"
	run env LD_PRELOAD="$lib" MIFCONT_POLICY="$BATS_TEST_TMPDIR/p" MIFCONT_LOG="error:$BATS_TEST_TMPDIR/log" \
		python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try: s.connect(("192.0.2.1", 9))
except OSError: pass
print("fine")'
	[ "$output" = fine ]
	grep -q "$BATS_TEST_TMPDIR/p:1: continuity = \"sometimes\" not understood; expected" "$BATS_TEST_TMPDIR/log"
}

@test "exported names are those of the list" {
	run diff <(nm -D --defined-only "$lib" | awk '{print $3}' | sort) \
		<(awk '!/^#/ && NF {print $1}' "$BATS_TEST_DIRNAME/../../preload/symbols.list" | sort)
	[ "$status" = 0 ]
}

@test "set-user-ID calls, fork and exec go through" {
	run env LD_PRELOAD="$lib" python3 -c '
import os, subprocess
pid = os.fork()
if pid == 0: os._exit(3)
print(os.waitpid(pid, 0)[1] >> 8, subprocess.run(["echo", "child"], capture_output=True).stdout)
if os.getuid() == 0 and "4294967295" in open("/proc/self/uid_map").read(): os.setresuid(65534, 65534, 65534)
print("done")'
	[ "$output" = $'3 b\'child\\n\'\ndone' ]
}
