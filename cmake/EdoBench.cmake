# The benchmarks: edo-bench of bench/*.c; programs without a runtime that are compared with it
# (raw-*), and a load for them.

file(GLOB bench_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*.c)
set(bench_programs raw-epoll raw-udp udp-load)
foreach(program ${bench_programs} raw-uring)
    list(REMOVE_ITEM bench_sources ${PROJECT_SOURCE_DIR}/bench/${program}.c)
endforeach()

function(edo_bench_program target)
    add_executable(${target} ${ARGN})
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    target_link_libraries(${target} PRIVATE edo_warnings)
    set_target_properties(${target} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
endfunction()

edo_bench_program(edo-bench ${bench_sources})
target_link_libraries(edo-bench PRIVATE edo_static m)
target_include_directories(edo-bench PRIVATE ${PROJECT_SOURCE_DIR}/src) # fiber_switch is below the interface
foreach(program ${bench_programs})
    edo_bench_program(${program} ${PROJECT_SOURCE_DIR}/bench/${program}.c)
endforeach()
if(EDO_IO_URING)
    edo_bench_program(raw-uring ${PROJECT_SOURCE_DIR}/bench/raw-uring.c
        ${PROJECT_SOURCE_DIR}/src/driver/uring/ring.c)
    target_include_directories(raw-uring PRIVATE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(raw-uring PRIVATE Threads::Threads)
endif()
