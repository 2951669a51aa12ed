// A job runner: ../../jobs.c in Go.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	workers = 4
	tries   = 3
	queue   = 16
	limit   = 10 * time.Second // per try
	pause   = 100 * time.Millisecond
)

type job struct {
	path  string
	sum   uint32
	tries int
	err   error
}

// checksum is the job itself: FNV-1a of the file.
func checksum(path string) (uint32, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	hash := fnv.New32a()
	_, err = io.Copy(hash, bufio.NewReader(file))
	return hash.Sum32(), err
}

var errLimit = errors.New("Connection timed out")

// try runs the job once; a job that exceeds the limit is left to end by itself.
func try(path string) (uint32, error) {
	type answer struct {
		sum uint32
		err error
	}
	ended := make(chan answer, 1)
	go func() {
		sum, err := checksum(path)
		ended <- answer{sum, err}
	}()
	select {
	case a := <-ended:
		return a.sum, a.err
	case <-time.After(limit):
		return 0, errLimit
	}
}

// isBrief tells whether a failure may pass.
func isBrief(err error) bool {
	return errors.Is(err, errLimit) || errors.Is(err, syscall.EAGAIN) ||
		errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

func run(j *job) {
	for {
		j.tries++
		j.sum, j.err = try(j.path)
		if !isBrief(j.err) || j.tries == tries {
			return
		}
		time.Sleep(time.Duration(j.tries) * pause)
	}
}

func work(jobs <-chan job, results chan<- job) {
	for j := range jobs {
		run(&j)
		results <- j
	}
}

func feed(jobs chan<- job, paths []string) {
	for _, path := range paths {
		jobs <- job{path: path}
	}
	close(jobs)
}

func main() {
	jobs, results := make(chan job, queue), make(chan job, queue)
	var team sync.WaitGroup
	team.Add(workers)
	for i := 0; i < workers; i++ {
		go func() {
			defer team.Done()
			work(jobs, results)
		}()
	}
	go feed(jobs, os.Args[1:])
	go func() {
		team.Wait()
		close(results)
	}()
	failures := 0
	for j := range results {
		if j.err != nil {
			fmt.Printf("%s: %v, %d tries\n", j.path, j.err, j.tries)
			failures++
		} else {
			fmt.Printf("%s: %08x\n", j.path, j.sum)
		}
	}
	if failures > 0 {
		os.Exit(1)
	}
}
