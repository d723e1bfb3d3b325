# SPDX-License-Identifier: MIT
# Sets and gets, one by one, over one connection.
{
	for i in $(seq 150); do
		printf 'set k%d 0 0 %d\r\n%d\r\nget k%d\r\n' "$i" "${#i}" "$i" "$i"
		sleep 0.02
	done
	printf 'quit\r\n'
} | nc 10.9.0.2 11212
