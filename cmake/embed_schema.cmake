# usher_embed_schema(OUTPUT): turns schema/NNNN_what.sql into a source file that defines usher::migrations().
# Call it in the folder whose target compiles OUTPUT. Run as a script (-P), this file writes OUTPUT.
function(usher_embed_schema output)
  # The folder is the list of migrations; their numbers, which must have no gap, are the order. The list is part of the
  # command, so that a renamed file, too, has it run again.
  file(GLOB migrations CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/schema/*.sql)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} "-DMIGRATIONS=${migrations}"
      -P ${PROJECT_SOURCE_DIR}/cmake/embed_schema.cmake
    DEPENDS ${migrations} ${PROJECT_SOURCE_DIR}/cmake/embed_schema.cmake
    COMMENT "Embedding the schema"
    VERBATIM)
endfunction()

if(NOT CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  return()
endif()

cmake_minimum_required(VERSION 3.25)
set(migrations ${MIGRATIONS})
list(SORT migrations) # four digits first, so the order of the names is the order of the numbers
if(NOT migrations)
  message(FATAL_ERROR "schema/ has no migration")
endif()

set(entries "")
set(expected 0)
foreach(file IN LISTS migrations)
  math(EXPR expected "${expected} + 1")
  cmake_path(GET file FILENAME filename)
  if(NOT filename MATCHES "^([0-9][0-9][0-9][0-9])_([a-z0-9_]+)\\.sql$")
    message(FATAL_ERROR "schema/${filename}: a migration is named NNNN_what.sql, in lower case")
  endif()
  set(number ${CMAKE_MATCH_1})
  set(name ${CMAKE_MATCH_2})
  string(REGEX REPLACE "^0+" "" version "${number}")
  if(NOT version STREQUAL expected)
    message(FATAL_ERROR "schema/${filename}: expected number ${expected}; numbers go up by one from 0001")
  endif()
  file(READ ${file} sql)
  string(FIND "${sql}" ")usher_sql\"" end)
  if(NOT end EQUAL -1)
    message(FATAL_ERROR "schema/${filename}: contains the text that ends the embedded literal")
  endif()
  string(APPEND entries "    {${version}, \"${name}\", R\"usher_sql(${sql})usher_sql\"},\n")
endforeach()

file(WRITE ${OUTPUT}
  "// Written by cmake/embed_schema.cmake from schema/*.sql; edit those.\n"
  "#include \"store/sqlite/migrations.hpp\"\n\n"
  "namespace usher {\nnamespace {\n\n"
  "constexpr Migration all[] = {\n${entries}};\n\n"
  "} // namespace\n\n"
  "std::span<Migration const> migrations()\n{\n    return all;\n}\n\n"
  "} // namespace usher\n")
