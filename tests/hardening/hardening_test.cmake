# cmake -DBUILD=DIR -DFORTIFIED=BOOL -DPROCESSOR=NAME -P hardening_test.cmake: every program in DIR/bin is built to resist.
# With -DSELF_TEST=DIR -DCXX=COMPILER: finds all that is wrong with a program that is not.
cmake_minimum_required(VERSION 3.25)

function(output_of result)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE printed ERROR_VARIABLE complaint)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGN}: ${complaint}")
  endif()
  set(${result} "${printed}" PARENT_SCOPE)
endfunction()

# What `program` lacks; the linker's part, and what the compiler leaves a mark of.
function(lacks program fortified result)
  output_of(headers readelf --wide --program-headers --dynamic ${program})
  output_of(symbols readelf --wide --dyn-syms ${program})
  set(missing "")
  foreach(want IN ITEMS
      "PIE;headers;FLAGS_1\\)[^\n]* PIE"
      "RELRO;headers;GNU_RELRO"
      "BIND_NOW;headers;FLAGS_1\\)[^\n]* NOW"
      "a stack without code;headers;GNU_STACK[^\n]* RW "
      "a stack protector;symbols;__stack_chk_fail"
      "the checks of libstdc++;symbols;__glibcxx_assert_fail"
      "_FORTIFY_SOURCE;symbols; __[a-z]*(cpy|cat|move|set|printf|read|recv|gets)[a-z]*_chk")
    list(GET want 0 name)
    list(GET want 1 where)
    list(GET want 2 pattern)
    if(name STREQUAL "_FORTIFY_SOURCE" AND NOT fortified)
      continue()
    endif()
    if(NOT "${${where}}" MATCHES "${pattern}")
      list(APPEND missing "${name}")
    endif()
  endforeach()
  set(${result} "${missing}" PARENT_SCOPE)
endfunction()

if(SELF_TEST)
  file(WRITE ${SELF_TEST}/soft.cpp "#include <vector>\nint main(int n, char**) { return std::vector<int>(9)[n]; }\n")
  output_of(ignored ${CXX} -no-pie -fno-stack-protector -Wl,-z,norelro -Wl,-z,lazy -Wl,-z,execstack
    ${SELF_TEST}/soft.cpp -o ${SELF_TEST}/soft)
  lacks(${SELF_TEST}/soft YES missing)
  list(LENGTH missing count)
  if(NOT count EQUAL 7)
    message(FATAL_ERROR "of a program that has none of seven, only these are missed: ${missing}")
  endif()
  file(REMOVE_RECURSE ${SELF_TEST})
  return()
endif()

file(GLOB programs ${BUILD}/bin/*)
if(NOT ${BUILD}/bin/usherd IN_LIST programs OR NOT ${BUILD}/bin/usherctl IN_LIST programs)
  message(FATAL_ERROR "usherd and usherctl are not in ${BUILD}/bin")
endif()
foreach(program IN LISTS programs)
  lacks(${program} ${FORTIFIED} missing)
  if(missing)
    list(JOIN missing ", " missing)
    message(SEND_ERROR "${program} lacks ${missing}")
  endif()
endforeach()

# What leaves no mark of its own in a program: each file is compiled with it.
file(STRINGS ${BUILD}/compile_commands.json commands REGEX "\"command\":")
set(flags -fPIE -fstack-protector-strong -fstack-clash-protection)
if(PROCESSOR MATCHES "x86_64|AMD64|i.86")
  list(APPEND flags -fcf-protection)
endif()
if(FORTIFIED)
  list(APPEND flags -D_FORTIFY_SOURCE=3)
endif()
foreach(command IN LISTS commands)
  foreach(flag IN LISTS flags)
    if(NOT command MATCHES " ${flag} ")
      message(SEND_ERROR "compiled without ${flag}: ${command}")
    endif()
  endforeach()
endforeach()
