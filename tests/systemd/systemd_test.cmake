# cmake -DUSHERD=PROGRAM -DWORK=DIR -P systemd_test.cmake: what systemd itself says about the files in systemd/.
cmake_minimum_required(VERSION 3.25)
cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH tests)
cmake_path(GET tests PARENT_PATH root)
set(units ${root}/systemd)

# systemd-analyze exits with 0 on an unknown directive, so anything it prints counts.
function(verify text output)
  file(WRITE ${WORK}/usher.service "${text}")
  execute_process(COMMAND systemd-analyze verify --man=no ${WORK}/usher.service
    RESULT_VARIABLE status OUTPUT_VARIABLE printed ERROR_VARIABLE printed)
  # What it says about other units of this machine is not ours.
  string(REGEX MATCHALL "[^\n]*usher[^\n]*" ours "${printed}")
  if(NOT status EQUAL 0 AND NOT ours)
    set(ours "exit status ${status}: ${printed}")
  endif()
  set(${output} "${ours}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${WORK})
file(READ ${units}/usher.service unit)
string(REPLACE "ExecStart=/usr/bin/usherd" "ExecStart=${USHERD}" built "${unit}")
if(built STREQUAL unit)
  message(FATAL_ERROR "usher.service no longer starts /usr/bin/usherd")
endif()

verify("${built}" complaints)
if(complaints)
  message(SEND_ERROR "systemd-analyze verify: ${complaints}")
endif()

string(REPLACE "[Service]\n" "[Service]\nNoSuchDirective=yes\n" broken "${built}")
verify("${broken}" complaints)
if(NOT complaints MATCHES "NoSuchDirective")
  message(SEND_ERROR "a broken unit went unnoticed: '${complaints}'")
endif()

# 0 is a sealed box, 10 no protection at all; an ordinary unit has 9.6.
file(WRITE ${WORK}/usher.service "${built}")
execute_process(COMMAND systemd-analyze security --offline=yes --threshold=15 --no-pager ${WORK}/usher.service
  RESULT_VARIABLE status OUTPUT_VARIABLE printed ERROR_VARIABLE printed)
if(NOT status EQUAL 0)
  message(SEND_ERROR "usher.service is less hardened than it was:\n${printed}")
endif()

execute_process(COMMAND systemd-sysusers --dry-run ${units}/usher.sysusers
  RESULT_VARIABLE status OUTPUT_VARIABLE printed ERROR_VARIABLE printed)
if(NOT status EQUAL 0)
  message(SEND_ERROR "systemd-sysusers: ${printed}")
endif()

# tmpfiles has no dry run: in a root of its own, which only root can make.
execute_process(COMMAND id -u OUTPUT_VARIABLE uid OUTPUT_STRIP_TRAILING_WHITESPACE)
if(uid EQUAL 0)
  file(MAKE_DIRECTORY ${WORK}/root/etc)
  execute_process(COMMAND systemd-sysusers --root=${WORK}/root ${units}/usher.sysusers
    RESULT_VARIABLE status OUTPUT_VARIABLE printed ERROR_VARIABLE printed)
  execute_process(COMMAND systemd-tmpfiles --create --root=${WORK}/root ${units}/usher.tmpfiles
    RESULT_VARIABLE tmpfiles_status OUTPUT_VARIABLE printed_too ERROR_VARIABLE printed_too)
  if(NOT status EQUAL 0 OR NOT tmpfiles_status EQUAL 0)
    message(SEND_ERROR "systemd-sysusers: ${printed}\nsystemd-tmpfiles: ${printed_too}")
  endif()
  file(STRINGS ${WORK}/root/etc/passwd usher_account REGEX "^usher:")
  file(STRINGS ${WORK}/root/etc/group platforms_group REGEX "^usher-platforms:")
  string(REGEX REPLACE "^usher:[^:]*:([0-9]+):.*" "\\1" usher_id "${usher_account}")
  string(REGEX REPLACE "^usher-platforms:[^:]*:([0-9]+):.*" "\\1" platforms_id "${platforms_group}")
  execute_process(COMMAND stat -c "%a %u %g" ${WORK}/root/var/lib/usher
    OUTPUT_VARIABLE made OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT made STREQUAL "2750 ${usher_id} ${platforms_id}")
    message(SEND_ERROR "/var/lib/usher is '${made}', expected '2750 ${usher_id} ${platforms_id}'")
  endif()
endif()
file(REMOVE_RECURSE ${WORK})
