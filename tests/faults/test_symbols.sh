#!/bin/sh
# edo-test: once. What edo calls to get something that may run out can be made to fail: it stands in
# symbols.txt, so that a new call of this kind cannot escape the tests of this folder.
set -eu

givers='accept accept4 aligned_alloc asprintf calloc creat dup dup2 dup3 epoll_create epoll_create1
epoll_ctl eventfd fanotify_init fcntl fdopen fdopendir fopen fork getaddrinfo getline inotify_init
inotify_init1 malloc memalign memfd_create mkostemp mkstemp mmap mremap open openat opendir pidfd_open
pipe pipe2 popen posix_memalign posix_openpt posix_spawn posix_spawnp pthread_atfork
pthread_attr_init pthread_create pthread_key_create pthread_setspecific pvalloc realloc reallocarray
realpath scandir sem_open shm_open signalfd socket socketpair strdup strndup syscall thrd_create
timer_create timerfd_create tmpfile valloc vasprintf vfork'

known=$(sed '/^#/d; s/ .*//' "$EDO_SOURCE_DIR/tests/faults/symbols.txt")
called=$(nm --undefined-only "$EDO_BIN_DIR/libedo.a" | sed -nE 's/^ +U ([a-z0-9_]+)(64)?$/\1/p')
status=0
for name in $called; do
    case " $(echo $givers) " in
    *" $name "*) ;;
    *) continue ;;
    esac
    case " $(echo $known) " in
    *" $name "*) ;;
    *)
        echo "edo calls $name, which tests/faults/symbols.txt does not know"
        status=1
        ;;
    esac
done
exit $status
