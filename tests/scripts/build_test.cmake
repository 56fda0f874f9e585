# cmake -DROOT=DIR -DWORK=DIR -P build_test.cmake: what script/build says where a library is missing.
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE ${WORK})
file(COPY ${ROOT}/CMakeLists.txt ${ROOT}/CMakePresets.json ${ROOT}/cmake ${ROOT}/script DESTINATION ${WORK})

# CMake looks for packages below a folder that has none.
execute_process(COMMAND ${WORK}/script/build dev -DCMAKE_FIND_ROOT_PATH=${WORK}/script
    -DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=ONLY
  RESULT_VARIABLE status OUTPUT_VARIABLE printed ERROR_VARIABLE printed)
if(NOT status EQUAL 1 OR NOT printed MATCHES "^script/build: missing: Boost; run script/bootstrap first[^\n]*\n$")
  message(SEND_ERROR "expected one line that names Boost and script/bootstrap, got ${status}: ${printed}")
endif()

# Any other error of CMake is shown as it is.
file(WRITE ${WORK}/CMakeLists.txt "message(FATAL_ERROR \"something else\")\n")
execute_process(COMMAND ${WORK}/script/build dev
  RESULT_VARIABLE status OUTPUT_VARIABLE printed ERROR_VARIABLE printed)
if(NOT status EQUAL 1 OR NOT printed MATCHES "something else.*configuring 'dev' failed")
  message(SEND_ERROR "expected CMake's own words, got ${status}: ${printed}")
endif()
file(REMOVE_RECURSE ${WORK})
