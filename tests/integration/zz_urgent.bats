load helper
setup() {
	need_lab
	start_lab 5 100 0
	lab_spawn server "$lab_dir/echo.log" python3 "$lab_root/tests/lab/echo_server.py" 9000
	wait_port 9000
}
teardown() {
	stop_lab
}
@test "bare" {
	in_client timeout 20 "$lab_build/lab/surface" urgent 10.9.0.2 9000 1
}
@test "urgent data goes as it would, and is not carried" {
	covered timeout 20 "$lab_build/lab/surface" urgent 10.9.0.2 9000 1
	grep uncovered "$lab_dir/client.log"
}
