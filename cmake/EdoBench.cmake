# The benchmark: bench/*.c, one program.

file(GLOB bench_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*.c)
if(bench_sources)
    add_executable(edo-bench ${bench_sources})
    target_compile_definitions(edo-bench PRIVATE _GNU_SOURCE)
    target_link_libraries(edo-bench PRIVATE edo_static edo_warnings)
    set_target_properties(edo-bench PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
endif()
