# The servers of shell tests: their ports, which other tests may want at the same time, and their ends.

# random_port: a port outside of the range from which the system chooses.
random_port() {
    echo $((20000 + RANDOM % 10000))
}

# await_port KIND PORT PID: waits until that process has a socket on the port. KIND: t for a listener of
# TCP, u for a socket of UDP. Fails if the process ends before, for instance because another program
# has the port.
await_port() {
    until ss -Hln"$1"p "sport = :$2" 2>/dev/null | grep -q "pid=$3,"; do
        kill -0 "$3" 2>/dev/null || return 1
    done
}

# end_server SIGNAL PID: sends the signal, and waits for the end of the process. Returns: its status.
# ThreadSanitizer keeps a signal until its next intercepted call. A signal that is kept while the
# server goes to sleep is seen with the next one only, so that one is sent after 10 s.
end_server() {
    local tries=0
    kill "-$1" "$2"
    if grep -q libtsan "/proc/$2/maps" 2>/dev/null; then
        while [ $((tries += 1)) -le 100 ] && kill -0 "$2" 2>/dev/null; do
            sleep 0.1
        done
        [ $tries -le 100 ] || kill "-$1" "$2"
    fi
    wait "$2"
}
