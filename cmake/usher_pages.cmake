# Manual pages and completions: from docs/man, from the comments of the example configuration, and from the command line
# that usherctl itself declares. Run as a script (-P), this file writes them into OUTPUT.
set(pages usherctl.1 usher.yaml.5 usher-contract.7 usherd.8)
set(shells bash zsh fish)

if(NOT CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  set(usher_pages ${PROJECT_BINARY_DIR}/generated/pages)
  list(TRANSFORM pages PREPEND ${PROJECT_SOURCE_DIR}/docs/man/ OUTPUT_VARIABLE sources)
  list(TRANSFORM sources APPEND .in)
  set(results ${pages} ${shells})
  list(TRANSFORM results PREPEND ${usher_pages}/)
  add_custom_command(
    OUTPUT ${results}
    COMMAND ${CMAKE_COMMAND} -DROOT=${PROJECT_SOURCE_DIR} -DOUTPUT=${usher_pages} -DVERSION=${PROJECT_VERSION}
      -DUSHERCTL=$<TARGET_FILE:usherctl> "-DEMULATOR=${CMAKE_CROSSCOMPILING_EMULATOR}" -P ${CMAKE_CURRENT_LIST_FILE}
    DEPENDS usherctl ${sources} ${CMAKE_CURRENT_LIST_FILE} ${PROJECT_SOURCE_DIR}/cmake/keys_page.awk
      ${PROJECT_SOURCE_DIR}/config/usher.example.yaml
    COMMENT "Writing manual pages and completions"
    VERBATIM)
  add_custom_target(usher_pages ALL DEPENDS ${results})
  return()
endif()

cmake_minimum_required(VERSION 3.25)
function(output_of result)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE printed COMMAND_ERROR_IS_FATAL ANY)
  string(STRIP "${printed}" printed)
  set(${result} "${printed}" PARENT_SCOPE)
endfunction()

set(usherctl ${EMULATOR} ${USHERCTL})
set(keys awk -f ${ROOT}/cmake/keys_page.awk)
output_of(OPTIONS ${usherctl} completion man-options)
output_of(COMMANDS ${usherctl} completion man-commands)
output_of(HEAD ${keys} -v part=head ${ROOT}/config/usher.example.yaml)
output_of(KEYS ${keys} -v part=keys ${ROOT}/config/usher.example.yaml)
foreach(page IN LISTS pages)
  file(READ ${ROOT}/docs/man/${page}.in text)
  foreach(part IN ITEMS VERSION OPTIONS COMMANDS HEAD KEYS)
    string(REPLACE "@${part}@" "${${part}}" text "${text}")
  endforeach()
  file(WRITE ${OUTPUT}/${page} "${text}")
endforeach()
foreach(shell IN LISTS shells)
  execute_process(COMMAND ${usherctl} completion ${shell} OUTPUT_FILE ${OUTPUT}/${shell} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
