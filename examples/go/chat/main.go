// A chat server, for telnet or nc: ../../chat.c in Go. Usage: chat [ADDRESS]
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"
)

const (
	nameSize      = 23
	lineSize      = 200
	maxRooms      = 32
	keptLines     = 64              // lines kept per guest
	patience      = 3 * time.Second // for the write of a line
	farewellLimit = time.Second     // for the last line
	sendBuffer    = 16384
)

// ---- rooms ----

type room struct {
	name   string
	guests map[*guest]bool
}

var (
	mutex sync.Mutex // of rooms, and of the guests' room and nick
	rooms = map[string]*room{}
)

// say sends a line to all other guests of the room. One that is too slow is cut off. Needs the mutex.
func (r *room) say(from *guest, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for g := range r.guests {
		if g == from {
			continue
		}
		select {
		case g.events <- text:
		default:
			g.end("you are too slow")
		}
	}
}

// ---- a guest ----

type guest struct {
	conn   net.Conn
	nick   string
	room   *room
	events chan string
	ended  chan struct{}
	once   sync.Once
	reason string
}

func (g *guest) end(reason string) {
	g.once.Do(func() {
		g.reason = reason
		close(g.ended)
	})
}

func (g *guest) reply(format string, args ...any) {
	select {
	case g.events <- fmt.Sprintf(format, args...):
	case <-g.ended:
	}
}

// enter moves the guest to a room, and makes it if there is none. Returns whether there is room.
func (g *guest) enter(name string) bool {
	mutex.Lock()
	defer mutex.Unlock()
	r := rooms[name]
	if r == nil {
		if name == "" || len(rooms) == maxRooms {
			return false
		}
		r = &room{name: name, guests: map[*guest]bool{}}
		rooms[name] = r
	}
	g.leave()
	g.room = r
	r.guests[g] = true
	r.say(g, "* %s has come\n", g.nick)
	return true
}

// leave needs the mutex.
func (g *guest) leave() {
	if g.room == nil {
		return
	}
	delete(g.room.guests, g)
	g.room.say(g, "* %s has left\n", g.nick)
	g.room = nil
}

func (g *guest) join(name string) {
	if len(name) > nameSize {
		name = name[:nameSize]
	}
	if g.enter(name) {
		g.reply("* you are in %s\n", name)
	} else {
		g.reply("* no such room: %s\n", name)
	}
}

func (g *guest) rename(name string) {
	if name == "" {
		name = "nobody"
	}
	if len(name) > nameSize {
		name = name[:nameSize]
	}
	mutex.Lock()
	before := g.nick
	g.nick = name
	if g.room != nil {
		g.room.say(g, "* %s is now %s\n", before, name)
		mutex.Unlock()
		return
	}
	mutex.Unlock()
	g.join("lobby")
}

func (g *guest) handle(line string) {
	command, argument, _ := strings.Cut(line, " ")
	switch {
	case g.room == nil:
		g.rename(line)
	case command == "/join":
		g.join(argument)
	case command == "/nick":
		g.rename(argument)
	case command == "/who":
		mutex.Lock()
		count := len(g.room.guests)
		mutex.Unlock()
		g.reply("* %d here\n", count)
	case command == "/quit":
		g.end("goodbye")
	case line != "":
		mutex.Lock()
		g.room.say(g, "%s: %s\n", g.nick, line)
		mutex.Unlock()
	}
}

func (g *guest) read() {
	in := bufio.NewReaderSize(g.conn, lineSize)
	for {
		line, _, err := in.ReadLine()
		if err != nil {
			g.end("goodbye")
			return
		}
		g.handle(string(line))
	}
}

func (g *guest) write() {
	for {
		select {
		case text := <-g.events:
			g.conn.SetWriteDeadline(time.Now().Add(patience))
			if _, err := g.conn.Write([]byte(text)); err != nil {
				g.end("goodbye")
				return
			}
		case <-g.ended:
			return
		}
	}
}

func (g *guest) run() {
	g.conn.(*net.TCPConn).SetWriteBuffer(sendBuffer)
	g.reply("* your nick name?\n")
	go g.read()
	g.write()
	mutex.Lock()
	g.leave()
	mutex.Unlock()
	g.conn.SetWriteDeadline(time.Now().Add(farewellLimit))
	fmt.Fprintf(g.conn, "* %s\n", g.reason)
	g.conn.Close()
}

// ---- the server ----

func main() {
	address := "127.0.0.1:8023"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listening on", listener.Addr())
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt)
	go func() {
		<-interrupt
		listener.Close()
	}()
	var guests sync.WaitGroup
	all := map[*guest]bool{}
	var allMutex sync.Mutex
	for {
		conn, err := listener.Accept()
		if err != nil {
			break
		}
		g := &guest{conn: conn, events: make(chan string, keptLines), ended: make(chan struct{})}
		allMutex.Lock()
		all[g] = true
		allMutex.Unlock()
		guests.Add(1)
		go func() {
			defer guests.Done()
			g.run()
			allMutex.Lock()
			delete(all, g)
			allMutex.Unlock()
		}()
	}
	allMutex.Lock()
	for g := range all {
		g.end("goodbye")
	}
	allMutex.Unlock()
	guests.Wait()
}
