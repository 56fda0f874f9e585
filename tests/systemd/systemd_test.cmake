# cmake -DUSHERD=PROGRAM -DUSHERCTL=PROGRAM -DWORK=DIR -P systemd_test.cmake: what systemd and AppArmor themselves say
# about the files in systemd/.
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
set(built "${unit}")
foreach(line IN ITEMS "ExecStart=/usr/bin/usherd;ExecStart=${USHERD}" "ExecReload=/usr/bin/usherctl;ExecReload=${USHERCTL}")
  list(GET line 0 installed)
  list(GET line 1 here)
  if(NOT built MATCHES "\n${installed}[\n ]")
    message(FATAL_ERROR "usher.service lacks ${installed}")
  endif()
  string(REPLACE "${installed}" "${here}" built "${built}")
endforeach()

verify("${built}" complaints)
if(complaints)
  message(SEND_ERROR "systemd-analyze verify: ${complaints}")
endif()

string(REPLACE "[Service]\n" "[Service]\nNoSuchDirective=yes\n" broken "${built}")
verify("${broken}" complaints)
if(NOT complaints MATCHES "NoSuchDirective")
  message(SEND_ERROR "a broken unit went unnoticed: '${complaints}'")
endif()

# 0 is a sealed box, 100 no protection at all; an ordinary unit has 96.
function(exposed text output)
  file(WRITE ${WORK}/usher.service "${text}")
  execute_process(COMMAND systemd-analyze security --offline=yes --threshold=11 --no-pager ${WORK}/usher.service
    RESULT_VARIABLE status OUTPUT_VARIABLE printed ERROR_VARIABLE printed)
  set(${output} "" PARENT_SCOPE)
  if(NOT status EQUAL 0)
    set(${output} "exit status ${status}: ${printed}" PARENT_SCOPE)
  endif()
endfunction()
exposed("${built}" complaints)
if(complaints)
  message(SEND_ERROR "usher.service is less hardened than it was: ${complaints}")
endif()
string(REPLACE "PrivateUsers=yes\n" "" softer "${built}")
exposed("${softer}" complaints)
if(NOT complaints)
  message(SEND_ERROR "a unit without PrivateUsers= went unnoticed")
endif()

# A kernel without AppArmor can still have the profile read.
find_program(parser apparmor_parser PATHS /sbin /usr/sbin)
if(parser AND EXISTS /etc/apparmor.d/abstractions/nameservice)
  execute_process(COMMAND ${parser} --skip-kernel-load --skip-cache --debug ${units}/usher.apparmor
    RESULT_VARIABLE status OUTPUT_VARIABLE printed ERROR_VARIABLE printed)
  if(NOT status EQUAL 0)
    message(SEND_ERROR "apparmor_parser: ${printed}")
  endif()
  file(READ ${units}/usher.apparmor profile)
  string(REPLACE "/var/lib/usher/ r," "/var/lib/usher/ rq," profile "${profile}")
  file(WRITE ${WORK}/broken.apparmor "${profile}")
  execute_process(COMMAND ${parser} --skip-kernel-load --skip-cache ${WORK}/broken.apparmor
    RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
  if(status EQUAL 0)
    message(SEND_ERROR "a broken profile went unnoticed")
  endif()
else()
  message(NOTICE "the package apparmor is not installed: the profile is not read")
endif()

execute_process(COMMAND systemd-sysusers --dry-run ${units}/usher.sysusers
  RESULT_VARIABLE status OUTPUT_VARIABLE printed ERROR_VARIABLE printed)
if(NOT status EQUAL 0)
  message(SEND_ERROR "systemd-sysusers: ${printed}")
endif()

# As journald takes it: each event has its entry.
file(MAKE_DIRECTORY ${WORK}/root/usr/lib/systemd/catalog ${WORK}/root/var/lib/systemd/catalog)
file(COPY ${units}/usher.catalog DESTINATION ${WORK}/root/usr/lib/systemd/catalog)
execute_process(COMMAND journalctl --root=${WORK}/root --update-catalog
  RESULT_VARIABLE status OUTPUT_VARIABLE printed ERROR_VARIABLE printed)
execute_process(COMMAND journalctl --root=${WORK}/root --list-catalog OUTPUT_VARIABLE listed)
file(STRINGS ${units}/usher.catalog entries REGEX "^-- ")
list(LENGTH entries count)
string(REGEX MATCHALL "[0-9a-f]+ usher: " found "${listed}")
list(LENGTH found found_count)
if(NOT status EQUAL 0 OR printed OR count EQUAL 0 OR NOT found_count EQUAL count)
  message(SEND_ERROR "journalctl takes ${found_count} of the ${count} entries of usher.catalog: ${printed}")
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
  string(REGEX REPLACE "^usher:[^:]*:[0-9]+:([0-9]+):.*" "\\1" usher_group "${usher_account}")
  foreach(folder IN ITEMS "var/lib/usher 2750 ${usher_id} ${platforms_id}" "etc/usher 755 0 0"
      "etc/usher/secrets 710 0 ${usher_group}")
    string(REGEX MATCH "^[^ ]+" path "${folder}")
    execute_process(COMMAND stat -c "${path} %a %u %g" ${WORK}/root/${path}
      OUTPUT_VARIABLE made OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(NOT made STREQUAL folder)
      message(SEND_ERROR "made '${made}', expected '${folder}'")
    endif()
  endforeach()
endif()
file(REMOVE_RECURSE ${WORK})
