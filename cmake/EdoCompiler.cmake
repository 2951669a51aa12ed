# The language, the warnings and the sanitizers, for everything that this repository compiles.
# Nothing here reaches those who link with edo.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

add_library(edo_warnings INTERFACE)
target_compile_options(edo_warnings INTERFACE -Wall -Wextra -Wshadow -Wconversion
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
    $<$<BOOL:${EDO_WERROR}>:-Werror>)

if(EDO_SANITIZE)
    add_compile_options(-fsanitize=${EDO_SANITIZE} -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${EDO_SANITIZE})
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        # gcc's own instrumentation confuses this warning; the other builds have it.
        target_compile_options(edo_warnings INTERFACE -Wno-maybe-uninitialized)
    endif()
endif()
