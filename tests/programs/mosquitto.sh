# SPDX-License-Identifier: MIT
# A subscriber hears everything that a publisher says, in order.
mosquitto_sub -h 10.9.0.2 -p 1884 -q 1 -t topic -C 200 &
sub=$!
sleep 0.5
for i in $(seq 200); do
	echo "message $i"
	sleep 0.02
done | mosquitto_pub -h 10.9.0.2 -p 1884 -q 1 -t topic -l
wait $sub
