# Every switch of the build. A module that is off is left out of the library, and
# <edo/features.h> says so to those who include it.

include(CMakeDependentOption)
include(CheckIncludeFile)

option(EDO_TIME "Module time: sleeping, time limits, the test clock" ON)
option(EDO_SYNC "Module sync: channels and locks" ON)
option(EDO_IO "Module io: byte streams, descriptors, buffers" ON)
cmake_dependent_option(EDO_STREAM "Module stream: bytes, buffered streams, copying (needs EDO_IO)" ON
    "EDO_IO" OFF)
option(EDO_SEQUENCE "Module sequence: streams of items, combinators, retries" ON)
cmake_dependent_option(EDO_CODEC "Module codec: frames over byte streams (needs EDO_SEQUENCE, EDO_STREAM)"
    ON "EDO_SEQUENCE;EDO_STREAM" OFF)
cmake_dependent_option(EDO_NET "Module net: TCP (needs EDO_IO)" ON "EDO_IO" OFF)
cmake_dependent_option(EDO_FS "Module fs: files, directories, watching (needs EDO_STREAM)" ON
    "EDO_STREAM" OFF)
cmake_dependent_option(EDO_PROCESS "Module process: processes and signals (needs EDO_STREAM)" ON
    "EDO_STREAM" OFF)
option(EDO_FIBERS "Module fiber: operations from ordinary functions on stacks of their own" ON)
option(EDO_IO_URING "The io_uring driver" ON)

option(EDO_STATIC "Build libedo.a" ON)
option(EDO_SHARED "Build libedo.so" ON)

# What belongs to edo's own repository uses every module and the static library.
set(everything EDO_STATIC EDO_TIME EDO_SYNC EDO_STREAM EDO_CODEC EDO_NET EDO_FS EDO_PROCESS EDO_FIBERS)
cmake_dependent_option(EDO_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL}
    "${everything}" OFF)
cmake_dependent_option(EDO_EXAMPLES "Build the examples and the guide's listings"
    ${PROJECT_IS_TOP_LEVEL} "${everything}" OFF)
cmake_dependent_option(EDO_BENCH "Build the benchmarks" ${PROJECT_IS_TOP_LEVEL}
    "${everything}" OFF)
cmake_dependent_option(EDO_TOOLS "Build the tools" ${PROJECT_IS_TOP_LEVEL}
    "${everything}" OFF)

option(EDO_WERROR "Treat warnings as errors" OFF)
set(EDO_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")

if(NOT EDO_STATIC AND NOT EDO_SHARED)
    message(FATAL_ERROR "EDO_STATIC and EDO_SHARED are both off: nothing to build")
endif()

if(EDO_IO_URING)
    check_include_file(linux/io_uring.h EDO_HAVE_LINUX_IO_URING_H)
    if(NOT EDO_HAVE_LINUX_IO_URING_H)
        message(STATUS "No <linux/io_uring.h>: the io_uring driver is left out")
        set(EDO_IO_URING OFF)
    endif()
endif()

foreach(feature TIME SYNC IO STREAM SEQUENCE CODEC NET FS PROCESS FIBERS IO_URING)
    if(EDO_${feature})
        set(EDO_HAS_${feature} 1)
    else()
        set(EDO_HAS_${feature} 0)
    endif()
endforeach()
configure_file(${PROJECT_SOURCE_DIR}/include/edo/features.h.in
    ${PROJECT_BINARY_DIR}/include/edo/features.h @ONLY)
