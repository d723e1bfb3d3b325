# SPDX-License-Identifier: MIT
# Lines to an echo server and back by Tcl's event loop: echo.tcl HOST PORT
set f [socket -async [lindex $argv 0] [lindex $argv 1]]
fconfigure $f -blocking 0 -buffering line -translation lf
set n 0
proc next {} {
	global f n done
	if {[incr n] > 300} { set done ok; return }
	puts $f "line $n [string repeat x 1000]"
}
proc answer {} {
	global f n done
	if {[gets $f line] < 0} { if {[eof $f]} { set done end }; return }
	if {![string match "line $n x*x" $line] || [string length $line] < 1000} { set done "line $n is wrong" }
	after 10 next
}
fileevent $f readable answer
next
vwait done
puts "$n $done"
exit [expr {$done ne "ok"}]
