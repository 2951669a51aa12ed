# examples/*.c and the guide's listings, examples/guide/*.c: one program each, in
# build/<preset>/examples. One with a NAME.expected beside it is run as a test: it must end with
# status 0 and print exactly that. A line `// pkg-config: MODULE` near its top names a library
# that it needs; without that library it is left out.

function(edo_pkg_config_of source ret_module)
    file(STRINGS ${source} needs LIMIT_COUNT 20 REGEX "^// pkg-config: ")
    string(REGEX REPLACE "^// pkg-config: +([^ ]+).*" "\\1" needs "${needs}")
    set(${ret_module} "${needs}" PARENT_SCOPE)
endfunction()

function(edo_example source prefix folder)
    get_filename_component(name ${source} NAME_WE)
    set(target example-${prefix}${name})
    edo_pkg_config_of(${source} module)
    if(module)
        find_package(PkgConfig REQUIRED)
        string(MAKE_C_IDENTIFIER edo_pc_${module} package)
        pkg_check_modules(${package} IMPORTED_TARGET ${module})
        if(NOT ${package}_FOUND)
            message(STATUS "${target} is left out: there is no ${module}")
            return()
        endif()
    endif()
    add_executable(${target} ${source})
    target_link_libraries(${target} PRIVATE edo_static edo_warnings)
    if(module)
        target_link_libraries(${target} PRIVATE PkgConfig::${package})
    endif()
    # The folder is in the output's name, because ninja takes the name for a target of its own, and
    # a listing may well be called "all".
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME ${folder}${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/examples)

    string(REGEX REPLACE "\\.c$" ".expected" expected ${source})
    if(EDO_TESTS AND EXISTS ${expected})
        string(REPLACE "-" "." test example.${prefix})
        add_test(NAME ${test}${name} COMMAND ${CMAKE_COMMAND}
            -DPROGRAM=$<TARGET_FILE:${target}> -DEXPECTED=${expected}
            -P ${PROJECT_SOURCE_DIR}/cmake/EdoCompareOutput.cmake)
        edo_test_properties(${test}${name})
    endif()
endfunction()

include(EdoTesting)
file(GLOB edo_examples CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.c)
foreach(source ${edo_examples})
    edo_example(${source} "" "")
endforeach()
file(GLOB edo_listings CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/guide/*.c)
foreach(source ${edo_listings})
    edo_example(${source} guide- guide/)
endforeach()
# So that a NAME.expected that comes later is seen.
file(GLOB_RECURSE edo_expected CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.expected)

# The server of examples/mini-redis, with its own folder of sources.
file(GLOB edo_mini_redis CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/mini-redis/*.c)
add_executable(mini-redis ${edo_mini_redis})
target_compile_definitions(mini-redis PRIVATE _GNU_SOURCE)
target_link_libraries(mini-redis PRIVATE edo_static edo_warnings m)
set_target_properties(mini-redis PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/examples/mini-redis)
