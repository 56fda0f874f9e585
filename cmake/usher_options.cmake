# Warnings, in one interface target that is linked at build time only, so that none of it is exported.
add_library(usher_options INTERFACE)
target_compile_options(usher_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wnon-virtual-dtor -Wformat-security
  -Werror)

# What Debian's packages have with hardening=+all, and the checks of libstdc++, for every program and test.
# tests/hardening looks at the binaries. -fPIE and not -fPIC: nothing here goes into a shared library.
add_compile_options(-fPIE -fstack-protector-strong -fstack-clash-protection)
add_compile_definitions(_GLIBCXX_ASSERTIONS)
# Its macros put the path of the source into the program, which differs from one build to the next.
add_compile_definitions(OPENSSL_NO_FILENAMES)
add_link_options(-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|i.86)$")
  add_compile_options(-fcf-protection)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  add_compile_options(-mbranch-protection=standard)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # Asio's awaitable has its own operator new and delete; g++ 12 sometimes inlines only one of them.
  target_compile_options(usher_options INTERFACE -Wno-mismatched-new-delete)
endif()

set(USHER_SANITIZE "" CACHE STRING "Sanitizers to build with, such as address,undefined or thread")
if(USHER_SANITIZE)
  add_compile_options(-fsanitize=${USHER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${USHER_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL Clang AND USHER_SANITIZE MATCHES undefined)
    add_compile_options(-fno-sanitize=function) # false alarms on Asio's handlers with clang 14
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND USHER_SANITIZE MATCHES thread)
    add_compile_options(-Wno-tsan) # g++ warns about every atomic_thread_fence in Asio
  endif()
endif()

# It needs an optimising compiler, and would hide calls from the sanitizers, which check more.
if(NOT USHER_SANITIZE)
  add_compile_options("$<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=3>")
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Without these two a fresh clone in another folder never hits.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()
