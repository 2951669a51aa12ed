// A TCP proxy: ../../proxy.c in Go.
// usage: proxy LISTEN-ADDRESS SERVER-ADDRESS
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

const connectLimit = 10 * time.Second // the patience of clients

// copyOne copies one direction, and passes the end on.
func copyOne(to, from *net.TCPConn) error {
	buf := make([]byte, 16384)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
		}
		if n == 0 && err != nil {
			if err != io.EOF {
				return err
			}
			return to.CloseWrite()
		}
	}
}

// copyBoth copies until both directions have ended; an error in one ends both.
func copyBoth(client, server *net.TCPConn) {
	ended := make(chan error, 2)
	go func() { ended <- copyOne(server, client) }()
	go func() { ended <- copyOne(client, server) }()
	for i := 0; i < 2; i++ {
		if err := <-ended; err != nil {
			client.Close()
			server.Close()
		}
	}
}

func relay(client *net.TCPConn, serverAddress string) {
	defer client.Close()
	client.SetKeepAlive(true) // finds clients that are gone
	client.SetKeepAlivePeriod(time.Minute)
	conn, err := net.DialTimeout("tcp", serverAddress, connectLimit)
	if err != nil {
		return
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	copyBoth(client, server)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: proxy LISTEN-ADDRESS SERVER-ADDRESS")
		os.Exit(2)
	}
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fail(err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			fail(err)
		}
		go relay(client.(*net.TCPConn), os.Args[2])
	}
}
