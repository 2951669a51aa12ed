# edo_lint(TARGET): edo-lint checks the target's C files whenever it is built, and a finding fails the
# build. Without clang the target is left alone, with a warning. Call it behind the target's sources,
# link libraries and definitions.
#
#     find_package(edo REQUIRED)
#     add_executable(server server.c session.c)
#     target_link_libraries(server PRIVATE edo::edo)
#     edo_lint(server)
function(edo_lint target)
    find_program(EDO_LINT_CLANG NAMES clang clang-21 clang-20 clang-19 clang-18 clang-17 clang-16
        clang-15 clang-14 DOC "The clang that edo-lint asks")
    if(NOT EDO_LINT_CLANG)
        message(WARNING "edo_lint(${target}): there is no clang; it is not checked")
        return()
    endif()
    get_target_property(sources ${target} SOURCES)
    get_target_property(folder ${target} SOURCE_DIR)
    set(files)
    foreach(source ${sources})
        cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${folder})
        if(source MATCHES "\\.c$")
            list(APPEND files ${source})
        endif()
    endforeach()
    if(NOT files)
        return()
    endif()
    set(includes "$<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>")
    set(definitions "$<TARGET_PROPERTY:${target},COMPILE_DEFINITIONS>")
    set(stamp ${CMAKE_CURRENT_BINARY_DIR}/${target}-lint.stamp)
    add_custom_command(OUTPUT ${stamp}
        COMMAND ${CMAKE_COMMAND} -E env EDO_LINT_CLANG=${EDO_LINT_CLANG} ${EDO_LINT_PROGRAM} ${files}
            -- "$<$<BOOL:${includes}>:-I$<JOIN:${includes},;-I>>"
            "$<$<BOOL:${definitions}>:-D$<JOIN:${definitions},;-D>>"
        COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
        DEPENDS ${files} ${EDO_LINT_PROGRAM}
        COMMENT "edo-lint ${target}" COMMAND_EXPAND_LISTS VERBATIM)
    add_custom_target(${target}-lint ALL DEPENDS ${stamp})
endfunction()
