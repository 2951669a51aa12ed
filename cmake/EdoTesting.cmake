# What all tests have in common, wherever they are registered.

include(EdoEmulated)

set(edo_test_timeout 120) # seconds; a test that takes longer hangs, also on a busy machine
if(EDO_SANITIZE OR CMAKE_CROSSCOMPILING_EMULATOR)
    set(edo_test_timeout 300)
endif()

set(edo_test_drivers epoll chaos)
if(EDO_IO_URING)
    list(APPEND edo_test_drivers io_uring)
endif()
if(CMAKE_CROSSCOMPILING_EMULATOR)
    list(REMOVE_ITEM edo_test_drivers ${edo_not_emulated_drivers})
endif()

# A test that is a program runs under the emulator, if there is one, by itself; what a script starts
# is preceded by EDO_EMULATOR.
list(JOIN CMAKE_CROSSCOMPILING_EMULATOR " " edo_emulator)
set(edo_test_environment
    EDO_SOURCE_DIR=${PROJECT_SOURCE_DIR}
    EDO_BIN_DIR=${PROJECT_BINARY_DIR}
    EDO_EMULATOR=${edo_emulator}
    # Tests make allocations fail on purpose, also huge ones.
    # Locals in a fake stack: clang has them there by default from version 15 on.
    ASAN_OPTIONS=allocator_may_return_null=1:detect_stack_use_after_return=1
    UBSAN_OPTIONS=print_stacktrace=1
    # cmocka reports a crash from its signal handler.
    TSAN_OPTIONS=halt_on_error=1:allocator_may_return_null=1:report_signal_unsafe=0)

# edo_test_properties(NAME [NAME=VALUE...]): limit, skip code and environment of a test.
function(edo_test_properties name)
    set_tests_properties(${name} PROPERTIES
        TIMEOUT ${edo_test_timeout}
        SKIP_RETURN_CODE 77
        ENVIRONMENT "${edo_test_environment};${ARGN}")
    edo_leave_out_emulated(${name})
endfunction()

# edo_add_test(NAME SOURCE COMMAND...): registers NAME@DRIVER for each driver, or NAME alone
# where one of the first two lines of SOURCE has `edo-test: once`; and those of some modules with
# workers, unless it has `edo-test: ct`, for it is about a current-thread runtime.
function(edo_add_test name source)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
    file(STRINGS ${source} head LIMIT_COUNT 2)
    if(head MATCHES "edo-test: once")
        add_test(NAME ${name} COMMAND ${ARGN})
        edo_test_properties(${name})
        return()
    endif()
    foreach(driver ${edo_test_drivers})
        add_test(NAME ${name}@${driver} COMMAND ${ARGN})
        edo_test_properties(${name}@${driver} EDO_DRIVER=${driver})
    endforeach()
    if(source MATCHES "/tests/(task|time|io|net|runtime|sync|fiber|stream|sequence|codec|fs)/test_[^/]*\\.c$" AND
       NOT head MATCHES "edo-test: ct")
        edo_add_tests_on_workers(${name} ${ARGN})
    endif()
endfunction()

# The same as NAME@DRIVER-mtN, on runtimes with N workers; they have the label `workers`.
function(edo_add_tests_on_workers name)
    foreach(driver ${edo_test_drivers})
        if(driver STREQUAL "chaos") # its seed is to give one sequence of events
            continue()
        endif()
        foreach(workers 1 2 8)
            set(test ${name}@${driver}-mt${workers})
            add_test(NAME ${test} COMMAND ${ARGN})
            edo_test_properties(${test} EDO_DRIVER=${driver} EDO_TEST_WORKERS=${workers})
            set_property(TEST ${test} PROPERTY LABELS workers)
        endforeach()
    endforeach()
endfunction()
