# Builds for aarch64, and runs it under qemu-user. See EdoCross.cmake.
set(EDO_CROSS_PROCESSOR aarch64)
include(${CMAKE_CURRENT_LIST_DIR}/EdoCross.cmake)
