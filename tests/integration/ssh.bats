#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# An unmodified interactive ssh shell.

load helper

setup() {
	need_lab
	command -v /usr/sbin/sshd >/dev/null || skip "no sshd"
	grep -q '^ *0 *0 *4294967295' /proc/self/uid_map || skip "sshd separates privileges: it needs real root"
	start_lab 5 50 0
	mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f "$lab_dir/host"
	ssh-keygen -q -t ed25519 -N '' -f "$lab_dir/user"
	cat >"$lab_dir/sshd.conf" <<-END
		HostKey $lab_dir/host
		AuthorizedKeysFile $lab_dir/user.pub
		StrictModes no
		PermitRootLogin yes
		UsePAM no
		PidFile none
	END
	lab_spawn server "$lab_dir/sshd.log" /usr/sbin/sshd -D -e -f "$lab_dir/sshd.conf"
	wait_port 22
}

teardown() {
	stop_lab
}

@test "a shell answers through losses and returns" {
	local i line
	coproc SHELL_IN_LAB {
		covered ssh -tt -i "$lab_dir/user" -o StrictHostKeyChecking=no -o LogLevel=ERROR \
			-o UserKnownHostsFile=/dev/null root@10.9.0.2 'stty -echo; echo ready; cat' 3>&-
	}
	read -r -t 10 line <&"${SHELL_IN_LAB[0]}"
	[[ $line == ready* ]]
	for ((i = 1; i <= 12; i++)); do
		case $((i % 4)) in
		1) lab_event wlan0 down ;;
		3) lab_event wlan0 up ;;
		esac
		echo "line $i" >&"${SHELL_IN_LAB[1]}"
		read -r -t 10 line <&"${SHELL_IN_LAB[0]}"
		[ "${line%$'\r'}" = "line $i" ]
		sleep 0.4
	done
	[ "$(handovers)" -ge 3 ]
}
