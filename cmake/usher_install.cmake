# Installs the programs with what the system needs to run them (component `usher`), and the token formats as a library
# (component `libusher-dev`): find_package(usher) gives usher::core and usher::crypto.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Debian 12 looks for units in /lib, and for the rest in /usr/lib.
set(USHER_UNIT_DIR lib/systemd/system CACHE STRING "Where systemd's units go; below the prefix, or a full path")

set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME usher)
install(TARGETS usherd usherctl)

# The unit names the programs by their full paths, which are only known when they are installed.
install(CODE "
  file(READ \"${PROJECT_SOURCE_DIR}/systemd/usher.service\" unit)
  string(REPLACE /usr/bin/usher \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/usher\" unit \"\${unit}\")
  file(WRITE \"${PROJECT_BINARY_DIR}/generated/usher.service\" \"\${unit}\")")
install(FILES ${PROJECT_BINARY_DIR}/generated/usher.service DESTINATION ${USHER_UNIT_DIR})
install(FILES systemd/usher.sysusers DESTINATION lib/sysusers.d RENAME usher.conf)
install(FILES systemd/usher.catalog DESTINATION lib/systemd/catalog)
install(FILES systemd/usher.tmpfiles DESTINATION lib/tmpfiles.d RENAME usher.conf)

# In the folders that they have here, for the sake of the links between them.
install(FILES README.md LICENSE CHANGELOG.md TYPE DOC)
install(FILES config/usher.example.yaml DESTINATION ${CMAKE_INSTALL_DOCDIR}/config)
install(DIRECTORY schema DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DOCDIR} PATTERN man EXCLUDE)

include(${CMAKE_CURRENT_LIST_DIR}/usher_pages.cmake)
install(FILES ${usher_pages}/usherctl.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${usher_pages}/usher.yaml.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES ${usher_pages}/usher-contract.7 DESTINATION ${CMAKE_INSTALL_MANDIR}/man7)
install(FILES ${usher_pages}/usherd.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES ${usher_pages}/bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME usherctl)
install(FILES ${usher_pages}/zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions RENAME _usherctl)
install(FILES ${usher_pages}/fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d RENAME usherctl.fish)

install(TARGETS usher_crypto usher_core EXPORT usher COMPONENT libusher-dev FILE_SET HEADERS COMPONENT libusher-dev)
install(EXPORT usher NAMESPACE usher:: FILE usher-targets.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/usher
  COMPONENT libusher-dev)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/usher-config.cmake.in ${PROJECT_BINARY_DIR}/usher-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/usher)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/usher-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/usher-config.cmake ${PROJECT_BINARY_DIR}/usher-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/usher COMPONENT libusher-dev)
