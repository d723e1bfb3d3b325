# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034  # what scripts/transparency has set, and uses
# OpenSSH's own regression tests as Debian packages them, by the ssh, sshd and sftp that are installed, both ends in the same
# mode. They know the loopback only. Each is a script with one outcome.

openssh_needs='openssh-tests openssh-client openssh-server openssh-sftp-server openssl'

# Those of the package that connect, or wait, or pass descriptors; the others are about keys and files, or take minutes
# (rekey, integrity, try-ciphers, forward-control, agent-restrict).
openssh_tests='connect proxy-connect connect-privsep connect-uri proto-version proto-mismatch exit-status exit-status-signal
	envpass transfer banner stderr-data stderr-after-eof broken-pipe yes-head login-timeout agent agent-timeout
	agent-ptrace agent-subprocess keyscan key-options scp scp3 scp-uri sftp sftp-chroot
	sftp-cmds sftp-badcmds sftp-batch sftp-glob sftp-perm sftp-uri reconfigure dynamic-forward forwarding multiplex reexec
	brokenkeys cfgmatch cfgmatchlisten localcommand forcecommand portnum keytype host-expand keys-command
	limit-keytype hostkey-rotate principals-command allow-deny-users authinfo knownhosts-command
	channel-timeout connection-timeout'

openssh_version() { ssh -V 2>&1 | sed -n 's/^OpenSSH_\([0-9.p]*\).*/OpenSSH \1/p'; }

openssh_modules() { sed 's/ .*//' "$1" | sort -u; }

openssh_run() { # MODE RESULTS [TEST...]
	local mode=$1 results=$2 test how dir
	shift 2
	# shellcheck disable=SC2086  # words are meant to split
	[ $# -gt 0 ] || set -- $openssh_tests
	: >"$results"
	: >"$results.log"
	mkdir -p /run/sshd
	for test; do
		# One that is given up may leave somebody behind who goes on writing.
		dir=$(mktemp -d "$keep/openssh-XXXXXX")/regress
		cp -a /usr/lib/openssh/regress "$dir"
		# It is root already: what asks for that gets it.
		(cd "$dir" && in_mode "$mode" env SUDO=env USER=root LOGNAME=root TEST_SHELL=sh TEST_SSH_SSH=ssh \
			TEST_SSH_SFTPSERVER=/usr/lib/openssh/sftp-server TEST_SSH_IPV6=yes TEST_SSH_ECC=yes \
			TEST_SSH_UNSAFE_PERMISSIONS=1 timeout -k 5 300 sh test-exec.sh "$dir" "$dir/$test.sh") >"$results.one" 2>&1 </dev/null
		how=$?
		{ echo "== $test: $how"; cat "$results.one"; } >>"$results.log"
		[ "$how" = 0 ] || tail -n 100 "$dir"/failed-*.log "$dir"/{ssh,sshd,regress}.log >>"$results.log" 2>&1
		if [ "$how" != 0 ]; then how=failed; elif grep -q ^SKIPPED "$results.one"; then how=skipped; else how=ok; fi
		echo "$test $how" >>"$results"
		[ ! -s "$dir/pidfile" ] || kill "$(cat "$dir/pidfile")" 2>/dev/null
		rm -rf "${dir%/regress}"
	done
	rm -f "$results.one"
}

suite_openssh() { pair openssh openssh "$(openssh_version)" bare preloaded; }

suite_openssh-host() { elsewhere pair openssh-host openssh "$(openssh_version)" bare-host session; }
