# The C++ library as it is installed: one archive (or, with -DBUILD_SHARED_LIBS=ON, one shared library) of the layers
# that it is made of, which links to nothing but threads; headers, a CMake package, a pkg-config file, the examples.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

add_library(cleat_library $<TARGET_OBJECTS:cleat_base> $<TARGET_OBJECTS:cleat_client>)
target_include_directories(cleat_library INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>
                                                   $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(cleat_library PUBLIC Threads::Threads)
target_compile_features(cleat_library INTERFACE cxx_std_20)
set(exports ${CMAKE_SOURCE_DIR}/cmake/library.map)
# Before 1.0 any minor version may change the ABI (docs/install.md), so the soname has it.
set_target_properties(cleat_library PROPERTIES OUTPUT_NAME cleat EXPORT_NAME cleat LINKER_LANGUAGE CXX
                      VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
                      LINK_DEPENDS ${exports})
add_library(cleat::cleat ALIAS cleat_library)
if(BUILD_SHARED_LIBS)
  target_link_options(cleat_library PRIVATE -Wl,--version-script=${exports})
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cleat)
install(TARGETS cleat_library EXPORT cleatTargets COMPONENT library)
install(DIRECTORY include/cleat DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library)
install(DIRECTORY examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT library)
install(EXPORT cleatTargets NAMESPACE cleat:: DESTINATION ${package_dir} COMPONENT library)

configure_package_config_file(cmake/cleatConfig.cmake.in cleatConfig.cmake INSTALL_DESTINATION ${package_dir}
                              NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(cleatConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/cleatConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/cleatConfigVersion.cmake
        DESTINATION ${package_dir} COMPONENT library)

# Relative to the file, so that the whole tree may be moved.
file(RELATIVE_PATH pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
configure_file(cmake/cleat.pc.in cleat.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/cleat.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
