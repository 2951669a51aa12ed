// Tells which ports of a host take connections: ../../scanner.c in Go.
// usage: scanner HOST FIRST LAST
package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

const atOnce = 100

func probe(host string, port int) {
	address := net.JoinHostPort(host, strconv.Itoa(port))
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return
	}
	fmt.Println(port)
	conn.Close()
}

func scan(host string, first, last int) {
	var probes sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for port := first; port <= last; port++ {
		port := port
		places <- struct{}{}
		probes.Add(1)
		go func() {
			defer probes.Done()
			probe(host, port)
			<-places
		}()
	}
	probes.Wait()
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: scanner HOST FIRST LAST")
		os.Exit(2)
	}
	first, err := strconv.Atoi(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	last, err := strconv.Atoi(os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	scan(os.Args[1], first, last)
}
