# Ports for the servers of shell tests, which run at the same time as other tests.

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
