// Fetches pages and prints their status and size, eight at once: ../../http.c in Go. Like that one
// it speaks HTTP itself, over net.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	atOnce = 8
	limit  = 10 * time.Second // per page
)

// parseURL splits "http://HOST[:PORT][/PATH]".
func parseURL(url string) (address, path string, err error) {
	rest := strings.TrimPrefix(url, "http://")
	if rest == url {
		return "", "", errors.New("Invalid argument")
	}
	address, path, _ = strings.Cut(rest, "/")
	if !strings.Contains(address, ":") {
		address += ":80"
	}
	return address, path, nil
}

// readHead reads status and headers.
func readHead(in *bufio.Reader) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return 0, errors.New("Protocol error")
	}
	status, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0, err
	}
	for strings.TrimRight(line, "\r\n") != "" {
		if line, err = in.ReadString('\n'); err != nil {
			return 0, err
		}
	}
	return status, nil
}

func fetch(url string) (status int, size int64, err error) {
	address, path, err := parseURL(url)
	if err != nil {
		return 0, 0, err
	}
	deadline := time.Now().Add(limit)
	conn, err := net.DialTimeout("tcp", address, limit)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	conn.SetDeadline(deadline)
	_, err = fmt.Fprintf(conn, "GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path,
		address)
	if err != nil {
		return 0, 0, err
	}
	in := bufio.NewReader(conn)
	if status, err = readHead(in); err != nil {
		return 0, 0, err
	}
	size, err = io.Copy(io.Discard, in)
	return status, size, err
}

func report(url string) {
	status, size, err := fetch(url)
	if err != nil {
		fmt.Printf("%s: %v\n", url, err)
	} else {
		fmt.Printf("%s: %d, %d bytes\n", url, status, size)
	}
}

func main() {
	var pages sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for _, url := range os.Args[1:] {
		url := url
		places <- struct{}{}
		pages.Add(1)
		go func() {
			defer pages.Done()
			report(url)
			<-places
		}()
	}
	pages.Wait()
}
