// SPDX-License-Identifier: MIT
// Twenty goroutines of gccgo, whose runtime is on libc, with an echo connection each: echo HOST:PORT
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

func one(to string, n int, done chan int) {
	c, err := net.Dial("tcp", to)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	r := bufio.NewReader(c)
	for i := 0; i < 150; i++ {
		line := fmt.Sprintf("%d %d %s\n", n, i, strings.Repeat("x", 2000))
		if _, err := c.Write([]byte(line)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if got, err := r.ReadString('\n'); err != nil || got != line {
			fmt.Println("wrong", n, i, err)
			os.Exit(1)
		}
		time.Sleep(15 * time.Millisecond)
	}
	c.Close()
	done <- n
}

func main() {
	done := make(chan int)
	for n := 0; n < 20; n++ {
		go one(os.Args[1], n, done)
	}
	sum := 0
	for n := 0; n < 20; n++ {
		sum += <-done
	}
	fmt.Println(sum)
}
