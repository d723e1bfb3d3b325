#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Programs that change what they may do while they have a connection (tests/lab/privileges.c): every call has the
# result it has without the library, all threads have the same rights afterwards, and the connection goes on.

load helper

setup() {
	need_lab
	start_lab 2 100 0
	lab_spawn server "$lab_dir/echo.log" python3 "$lab_root/tests/lab/echo_server.py" 9000
	wait_port 9000
}

teardown() {
	stop_lab
}

# By way of a user namespace nobody else than root is to be had.
need_users() {
	[ "$(awk '{ n += $3 } END { printf "%.0f", n }' /proc/self/uid_map)" -gt 65534 ] || skip "no other users in this user namespace"
}

moved() { # NAME
	trial privileges "$1"
	[ "$(handovers)" -ge 4 ]
}

@test "a daemon drops root for good, and checks that" {
	need_users
	moved drop
}

@test "setresuid and setresgid" {
	need_users
	moved resuid
}

@test "a hundred times another user and back" {
	need_users
	moved back-and-forth
}

@test "root dropped with threads of the program's own" {
	need_users
	moved threads
}

@test "capabilities dropped: set*id fails, as it should" {
	need_users
	moved capset
}

@test "capabilities kept across setuid, and used" {
	need_users
	moved keepcaps
}

@test "bounding set, securebits, no_new_privs, not dumpable" {
	moved prctl
}

@test "who steps aside is gone for the kernel, too" {
	moved often
}

@test "root dropped by system call number" {
	need_users
	moved raw
}

@test "one thread is another user for a while" {
	need_users
	moved one-thread
}

@test "a seccomp filter under which the library can live" {
	moved filter
}

@test "the same for all threads" {
	moved filter-all
}

@test "a seccomp filter under which it cannot: out of the way, the connection as it is" {
	trial privileges sandbox
}

@test "strict seccomp: only read and write are left" {
	trial privileges strict
}

@test "new mount, UTS and IPC namespaces" {
	moved unshare
}

@test "a new user namespace, which a process with threads cannot have" {
	moved new-user
}

@test "into other namespaces" {
	moved setns
}

@test "into another network: the connection stays where it was made" {
	trial privileges new-network
}

@test "chroot into a directory without /proc, then root dropped" {
	need_users
	moved chroot
}

@test "signals at a parent's death come from the program's own threads only" {
	need_users
	moved death-signal
}
