#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# mifcont run, status and policy.

setup() {
	build=${MIFCONT_BUILD:-$BATS_TEST_DIRNAME/../../build}
	build=$(cd "$build" && pwd)
	mifcont=$build/mifcont
	cd "$BATS_TEST_TMPDIR"
}

@test "run preloads the library behind what is preloaded already" {
	run env LD_PRELOAD= "$mifcont" run -- env
	[ "$status" = 0 ]
	[[ $output == *"LD_PRELOAD=$build/libmifcont.so"* ]]
	run env LD_PRELOAD=libm.so.6 "$mifcont" run -- env
	[[ $output == *"LD_PRELOAD=libm.so.6:$build/libmifcont.so"* ]]
}

@test "run passes the exit status on" {
	run "$mifcont" run -- sh -c 'exit 9'
	[ "$status" = 9 ]
	run "$mifcont" run -- /nonexistent/program
	[ "$status" = 127 ]
	touch plain
	run "$mifcont" run -- ./plain
	[ "$status" = 126 ]
}

@test "run hands the policy over, and refuses a wrong one" {
	echo 'peer "*" { continuity = none }' >good
	echo 'peer "*" { continuity = maybe }' >bad
	run "$mifcont" run --policy good -- env
	[[ $output == *"MIFCONT_POLICY=$PWD/good"* ]]
	run "$mifcont" run --policy bad -- env
	[ "$status" = 2 ]
	[[ $output == *"bad:1: continuity = maybe not known; expected"* ]]
}

@test "run warns of a static program, and runs it" {
	echo 'int main(void) { return 5; }' >s.c
	gcc -static -o static s.c || skip "no static C library"
	run "$mifcont" run -- ./static
	[ "$status" = 5 ]
	[[ $output == *"statically linked"* ]]
}

@test "run warns of a set-user-ID program, and runs it" {
	[ "$(id -u)" = 0 ] && grep -q '^ *0 *0 *4294967295' /proc/self/uid_map || skip "only root can make one"
	cp /bin/true suid
	chown 65534 suid
	chmod 4755 suid
	run "$mifcont" run -- ./suid
	[ "$status" = 0 ]
	[[ $output == *"set-user-ID"* ]]
}

@test "run looks through a script at its interpreter" {
	echo 'int main(void) { return 6; }' >s.c
	gcc -static -o static s.c || skip "no static C library"
	printf '#!%s/static\n' "$PWD" >script
	chmod +x script
	run "$mifcont" run -- ./script
	[ "$status" = 6 ]
	[[ $output == *"statically linked"* ]]
}

@test "policy check tells what is wrong and where" {
	printf '# one\npeer "*:0" { continuity = none }\n' >p
	run "$mifcont" policy check p
	[ "$status" = 1 ]
	[[ $output == p:2:*expected* ]]
	echo 'peer "*" { continuity = none }' >p
	run "$mifcont" policy check p
	[ "$status" = 0 ]
}

@test "policy explain names the rule" {
	printf 'peer "*:22" { continuity = session }\npeer "*" { continuity = none }\n' >p
	run "$mifcont" policy explain --policy p 192.0.2.1:22
	[ "$status" = 0 ]
	[[ $output == *'p:1 peer "*:22"'* ]]
	run "$mifcont" policy explain --policy p '[2001:db8::1]:23'
	[[ $output == *'p:2 peer "*"'* ]]
	run "$mifcont" policy explain --policy p nonsense
	[ "$status" = 2 ]
}

@test "wrong usage is an error" {
	run "$mifcont"
	[ "$status" = 2 ]
	run "$mifcont" fly
	[ "$status" = 2 ]
	[[ $output == *expected* ]]
}
