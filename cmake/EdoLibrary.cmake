# The library itself: edo_static and edo_shared, from the same sources, compiled once each, so
# that the static library needs no position-independent code beyond the compiler's default.

set(edo_folders
    base sys sys/linux task driver driver/epoll driver/uring
    runtime runtime/schedule runtime/time runtime/pool runtime/inspect)
foreach(module time sync io stream sequence codec net fs)
    string(TOUPPER ${module} option)
    if(EDO_${option})
        list(APPEND edo_folders ${module})
    endif()
endforeach()
if(EDO_PROCESS)
    list(APPEND edo_folders signal process)
endif()
if(EDO_FIBERS)
    list(APPEND edo_folders fiber)
endif()

set(edo_sources)
foreach(folder ${edo_folders})
    file(GLOB found CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${folder}/*.[cS])
    list(APPEND edo_sources ${found})
endforeach()
if(NOT EDO_FIBERS)
    list(FILTER edo_sources EXCLUDE REGEX "/src/sys/[a-z]+/fiber_")
endif()
if(NOT EDO_IO_URING)
    list(FILTER edo_sources EXCLUDE REGEX "/src/driver/uring/")
endif()

function(edo_library target kind)
    add_library(${target} ${kind} ${edo_sources})
    add_library(edo::${target} ALIAS ${target})
    target_include_directories(${target}
        PUBLIC
            $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
            $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
        PRIVATE
            ${PROJECT_SOURCE_DIR}/src)
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    target_link_libraries(${target} PUBLIC Threads::Threads PRIVATE $<BUILD_INTERFACE:edo_warnings>)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME edo)
endfunction()

if(EDO_STATIC)
    edo_library(edo_static STATIC)
    set(edo_default edo_static)
endif()

if(EDO_SHARED)
    edo_library(edo_shared SHARED)
    set(edo_default edo_shared)
    set(edo_map ${PROJECT_SOURCE_DIR}/src/edo.map)
    set_target_properties(edo_shared PROPERTIES
        VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR}
        LINK_DEPENDS ${edo_map})
    # Calls inside the library go straight to their target, as they do in the static one.
    target_compile_options(edo_shared PRIVATE -fno-semantic-interposition)
    target_link_options(edo_shared PRIVATE
        -Wl,--version-script=${edo_map} -Wl,-Bsymbolic-functions)
    # It leaves code with the process for good: handlers of signals and of forks, the end of threads
    # that have used edo_wait. So dlclose() leaves it where it is.
    target_link_options(edo_shared PRIVATE -Wl,-z,nodelete)
    if(NOT EDO_SANITIZE)
        # A sanitizer's runtime is in the program, so only without one can nothing be missing.
        target_link_options(edo_shared PRIVATE -Wl,-z,defs)
    endif()
endif()

add_library(edo::edo ALIAS ${edo_default})
