# Installs the programs with what the system needs to run them, and the token formats as a library:
# find_package(usher) gives usher::core and usher::crypto.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS usherd usherctl)

# The unit names the daemon by its full path, which is only known when it is installed.
install(CODE "
  file(READ \"${PROJECT_SOURCE_DIR}/systemd/usher.service\" unit)
  string(REPLACE /usr/bin/usherd \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/usherd\" unit \"\${unit}\")
  file(WRITE \"${PROJECT_BINARY_DIR}/generated/usher.service\" \"\${unit}\")")
install(FILES ${PROJECT_BINARY_DIR}/generated/usher.service DESTINATION lib/systemd/system)
install(FILES systemd/usher.sysusers DESTINATION lib/sysusers.d RENAME usher.conf)
install(FILES systemd/usher.tmpfiles DESTINATION lib/tmpfiles.d RENAME usher.conf)

install(FILES README.md LICENSE config/usher.example.yaml TYPE DOC OPTIONAL)
install(DIRECTORY docs/ TYPE DOC OPTIONAL FILES_MATCHING PATTERN *.md)
install(DIRECTORY examples TYPE DOC)

install(TARGETS usher_crypto usher_core EXPORT usher FILE_SET HEADERS)
install(EXPORT usher NAMESPACE usher:: FILE usher-targets.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/usher)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/usher-config.cmake.in ${PROJECT_BINARY_DIR}/usher-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/usher)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/usher-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/usher-config.cmake ${PROJECT_BINARY_DIR}/usher-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/usher)
