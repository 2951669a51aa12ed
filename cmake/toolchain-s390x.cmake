# Builds for s390x, and runs it under qemu-user. See EdoCross.cmake.
set(EDO_CROSS_PROCESSOR s390x)
include(${CMAKE_CURRENT_LIST_DIR}/EdoCross.cmake)
