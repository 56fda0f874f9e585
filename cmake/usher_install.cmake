# Installs the programs, and the token formats as a library: find_package(usher) gives usher::core and usher::crypto.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS usher_crypto usher_core EXPORT usher FILE_SET HEADERS)
install(EXPORT usher NAMESPACE usher:: FILE usher-targets.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/usher)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/usher-config.cmake.in ${PROJECT_BINARY_DIR}/usher-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/usher)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/usher-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/usher-config.cmake ${PROJECT_BINARY_DIR}/usher-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/usher)
