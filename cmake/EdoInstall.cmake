# What `cmake --install` lays down: headers, libraries, the pkg-config file, the CMake package.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(edo_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/edo)

set(edo_targets)
foreach(target edo_static edo_shared)
    if(TARGET ${target})
        list(APPEND edo_targets ${target})
    endif()
endforeach()
# In headers of the system gcc does not report a spawn whose result is not used: those who find this
# package have them with -I.
set_target_properties(${edo_targets} PROPERTIES EXPORT_NO_SYSTEM ON)
install(TARGETS ${edo_targets} EXPORT edoTargets
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# A module that was left out has no header either; time.h also declares what the core needs.
set(edo_absent_headers)
foreach(module io net)
    string(TOUPPER ${module} option)
    if(NOT EDO_${option})
        list(APPEND edo_absent_headers PATTERN ${module}.h EXCLUDE)
    endif()
endforeach()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/edo ${PROJECT_BINARY_DIR}/include/edo
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h" ${edo_absent_headers})

install(EXPORT edoTargets NAMESPACE edo:: DESTINATION ${edo_package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/edoConfig.cmake.in
    ${PROJECT_BINARY_DIR}/edoConfig.cmake INSTALL_DESTINATION ${edo_package_dir})
# Before 1.0 a minor release may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/edoConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/edoConfig.cmake ${PROJECT_BINARY_DIR}/edoConfigVersion.cmake
    ${PROJECT_SOURCE_DIR}/cmake/edoLint.cmake
    DESTINATION ${edo_package_dir})

# The paths in edo.pc are relative to the file, so an installed tree may be moved.
set(edo_pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH edo_pc_prefix /prefix/${edo_pc_dir} /prefix)
string(REGEX REPLACE "/$" "" edo_pc_prefix "${edo_pc_prefix}")
if(EDO_SHARED)
    set(edo_pc_libs "")
    set(edo_pc_libs_private "-pthread")
else()
    set(edo_pc_libs " -pthread")
    set(edo_pc_libs_private "")
endif()
configure_file(${PROJECT_SOURCE_DIR}/cmake/edo.pc.in ${PROJECT_BINARY_DIR}/edo.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/edo.pc DESTINATION ${edo_pc_dir})

if(EXISTS ${PROJECT_SOURCE_DIR}/tools/edo-lint)
    install(PROGRAMS ${PROJECT_SOURCE_DIR}/tools/edo-lint DESTINATION ${CMAKE_INSTALL_BINDIR})
    install(DIRECTORY ${PROJECT_SOURCE_DIR}/tools/edo_lint DESTINATION share/edo
        FILES_MATCHING PATTERN "*.py") # where edo-lint looks, beside its own directory
endif()
install(FILES ${PROJECT_SOURCE_DIR}/tools/gdb/edo.py DESTINATION share/edo/gdb)
