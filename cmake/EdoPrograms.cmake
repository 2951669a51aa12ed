# The benchmark (bench/*.c, one program), its load generators (bench/load/*.c, one program each)
# and the tools that are written in C (tools/*.c, one program each).

function(edo_program target folder)
    add_executable(${target} ${ARGN})
    target_link_libraries(${target} PRIVATE edo_static edo_warnings)
    set_target_properties(${target} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${folder})
endfunction()

function(edo_programs pattern folder)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${pattern})
    foreach(source ${sources})
        get_filename_component(name ${source} NAME_WE)
        edo_program(${name} ${folder} ${source})
    endforeach()
endfunction()

if(EDO_BENCH)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*.c)
    if(sources)
        edo_program(edo-bench bench ${sources})
    endif()
    edo_programs(bench/load/*.c bench)
endif()
if(EDO_TOOLS)
    edo_programs(tools/*.c tools)
endif()
