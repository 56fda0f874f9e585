# cmake -DBUILD=DIR -DWORK=DIR -DCXX=COMPILER -DFLAGS=FLAGS -DLIBDIR=lib -P consumer_test.cmake
# Installs the build tree into a prefix of its own, then builds and runs tests/consumer against it.
cmake_minimum_required(VERSION 3.25)
set(prefix ${WORK}/prefix)

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE printed ERROR_VARIABLE printed)
  if(NOT status EQUAL 0)
    message(NOTICE "${printed}")
    message(FATAL_ERROR "${what} failed: ${status}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
run("installing" ${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})

foreach(path IN ITEMS bin/usherd bin/usherctl lib/systemd/system/usher.service lib/sysusers.d/usher.conf lib/systemd/catalog/usher.catalog
    lib/tmpfiles.d/usher.conf ${LIBDIR}/cmake/usher/usher-config.cmake include/usher/core/token.hpp)
  if(NOT EXISTS ${prefix}/${path})
    message(FATAL_ERROR "not installed: ${path}")
  endif()
endforeach()
file(STRINGS ${prefix}/lib/systemd/system/usher.service start REGEX "^ExecStart=")
if(NOT start STREQUAL "ExecStart=${prefix}/bin/usherd")
  message(FATAL_ERROR "the installed unit does not start the installed daemon: ${start}")
endif()
# What is installed must not point back at where it was built.
file(GLOB exported ${prefix}/${LIBDIR}/cmake/usher/*.cmake)
foreach(file IN LISTS exported)
  file(READ ${file} text)
  foreach(leak IN ITEMS ${BUILD} usher_options)
    string(FIND "${text}" "${leak}" found)
    if(NOT found EQUAL -1)
      message(FATAL_ERROR "${file} names ${leak}")
    endif()
  endforeach()
endforeach()

run("configuring the consumer" ${CMAKE_COMMAND} -G Ninja -S ${CMAKE_CURRENT_LIST_DIR} -B ${WORK}/build
  -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_CXX_FLAGS=${FLAGS} -DCMAKE_BUILD_TYPE=Debug)
run("building the consumer" ${CMAKE_COMMAND} --build ${WORK}/build)
run("the consumer" ${WORK}/build/consumer)
file(REMOVE_RECURSE ${WORK})
