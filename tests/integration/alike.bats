#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Programs made up by chance, each run without the library and with it, while the network comes and goes: whatever they
# ask, they are told the same. ALIKE_SEEDS names others than those that have found something once.

load helper

setup() {
	need_lab
	start_lab 2 200 0
	lab_spawn server "$lab_dir/echo.log" python3 "$lab_root/tests/lab/echo_server.py" 9000
	wait_port 9000
}

teardown() {
	stop_lab
}

alike() { # SEED
	bare=yes ALIKE_OUT=$lab_dir/bare trial alike "$1"
	ALIKE_EVENTS=yes ALIKE_OUT=$lab_dir/with trial alike "$1" && diff "$lab_dir/bare" "$lab_dir/with"
}

@test "programs made up by chance fare alike with the library and without" {
	local seed
	for seed in ${ALIKE_SEEDS:-7 10 23 31 33 37 38}; do
		alike "$seed" || { echo "seed $seed"; return 1; }
	done
	[ -n "${ALIKE_SEEDS:-}" ] || [ "$(handovers)" -ge 10 ]
}
