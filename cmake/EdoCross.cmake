# What the toolchain files have in common: Debian's cross compiler for EDO_CROSS_PROCESSOR on another
# machine, the libraries that script/setup --cross unpacks, and qemu-user to run what is built.
#
# No C++ compiler: what the header tests see in C++ does not depend on the processor.

set(edo_cross_triplet ${EDO_CROSS_PROCESSOR}-linux-gnu)
get_filename_component(edo_cross_root
    ${CMAKE_CURRENT_LIST_DIR}/../build/sysroot/${EDO_CROSS_PROCESSOR} ABSOLUTE)

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${EDO_CROSS_PROCESSOR})
set(CMAKE_C_COMPILER ${edo_cross_triplet}-gcc)
set(CMAKE_CXX_COMPILER CMAKE_CXX_COMPILER-NOTFOUND)
set(CMAKE_CROSSCOMPILING_EMULATOR
    qemu-${EDO_CROSS_PROCESSOR};-L;/usr/${edo_cross_triplet})

# Only libraries of that processor are found; programs are this machine's.
set(CMAKE_FIND_ROOT_PATH /usr/${edo_cross_triplet} ${edo_cross_root})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_PATH} "")
set(ENV{PKG_CONFIG_LIBDIR} ${edo_cross_root}/usr/lib/${edo_cross_triplet}/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${edo_cross_root})
