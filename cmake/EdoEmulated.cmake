# What is left out of the tests when another processor's programs run under qemu-user, and why: all
# of it is here.

# No io_uring: io_uring_setup is ENOSYS. The driver is compiled, and edo falls back to epoll.
set(edo_not_emulated_drivers io_uring)

# Whole tests, as regular expressions for their names; what the second list has runs all the same.
set(edo_not_emulated
    # No io_uring: they would skip themselves.
    "^sys\\.u?ring"
    # The emulator makes forks of vforks: a spawn returns before the program is executed, so an error
    # of the exec comes too late.
    "^process\\."
    # What a model finds does not depend on the processor that computes it, and an emulated one
    # takes eight times as long. The ones that run show that the checker itself works there.
    "^model\\.")
set(edo_emulated_all_the_same "^model\\.(base|classics|litmus)$")

# Single functions of tests.
set(edo_not_emulated_functions
    # The emulator's own mappings count too, so another call fails first.
    fiber.stack=without_address_space_*
    # Of TCP_INFO, where the test finds how long a queue may be, a program gets one int.
    net.listen=options
    # The emulator fails an assertion of its own when the child of a fork starts a thread, if its
    # parent had several.
    runtime.blocking_end=a_pool_after_fork
    runtime.dump_signals=a_child_may_take_it_for_itself
    runtime.workers=fork
    # The emulator adds a line of its own to the stderr of a program that aborts.
    sys.chaos=announcement
    # No epoll_pwait2: waits are whole milliseconds.
    time.sleep=less_than_a_millisecond)

# edo_leave_out_emulated(NAME): disables the test, or has it skip one of its functions, as said
# above. (tests/support/filter.c reads the variable.)
function(edo_leave_out_emulated name)
    if(NOT CMAKE_CROSSCOMPILING_EMULATOR)
        return()
    endif()
    foreach(regex ${edo_not_emulated})
        if(name MATCHES "${regex}" AND NOT name MATCHES "${edo_emulated_all_the_same}")
            set_tests_properties(${name} PROPERTIES DISABLED TRUE)
        endif()
    endforeach()
    string(REGEX REPLACE "@.*" "" program ${name})
    foreach(entry ${edo_not_emulated_functions})
        if(entry MATCHES "^${program}=(.*)$")
            set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT EDO_TEST_SKIP=${CMAKE_MATCH_1})
        endif()
    endforeach()
endfunction()
