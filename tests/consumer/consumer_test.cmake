# cmake -DBUILD=DIR -DWORK=DIR -DCXX=COMPILER -DFLAGS=FLAGS -DLIBDIR=lib -P consumer_test.cmake
# Installs the build tree into a prefix of its own, then builds and runs the programs of docs/library.md against it, as a
# stranger's project that sees usher only as it is installed.
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
run("following the links of the installed documentation"
  ${CMAKE_CURRENT_LIST_DIR}/../docs/links_test.sh --installed ${prefix}/share/doc/usher)
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

# The block of docs/library.md that is the number-th of its kind.
function(take kind number file)
  execute_process(COMMAND awk -v kind=${kind} -v number=${number}
    "/^```/ { if (inside) { inside = 0; taken = 0 } else { inside = 1; taken = substr($0, 4) == kind && ++seen == number }; next } taken"
    ${CMAKE_CURRENT_LIST_DIR}/../../docs/library.md OUTPUT_FILE ${file} COMMAND_ERROR_IS_FATAL ANY)
  file(SIZE ${file} size)
  if(size EQUAL 0)
    message(FATAL_ERROR "docs/library.md has no block ${number} of ${kind}")
  endif()
endfunction()

file(MAKE_DIRECTORY ${WORK}/source)
take(cmake 1 ${WORK}/source/CMakeLists.txt)
set(arguments_2 ${CMAKE_CURRENT_LIST_DIR}/../vectors/throwaway_rsa2048.pem)
foreach(number IN ITEMS 1 2)
  take(cpp ${number} ${WORK}/source/main.cpp)
  run("configuring program ${number}" ${CMAKE_COMMAND} -G Ninja -S ${WORK}/source -B ${WORK}/build
    -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_CXX_FLAGS=${FLAGS} -DCMAKE_BUILD_TYPE=Debug)
  run("building program ${number}" ${CMAKE_COMMAND} --build ${WORK}/build)
  run("program ${number}" ${WORK}/build/consumer ${arguments_${number}})
endforeach()
file(REMOVE_RECURSE ${WORK})
