# usher_embed_text(FILE VARIABLE OUTPUT): a source file that defines `char const* const usher::VARIABLE` with the text of
# FILE. Call it in the folder whose target compiles OUTPUT. Run as a script (-P), this file writes OUTPUT.
function(usher_embed_text file variable output)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${file} -DVARIABLE=${variable} -DOUTPUT=${output}
      -P ${PROJECT_SOURCE_DIR}/cmake/embed_text.cmake
    DEPENDS ${file} ${PROJECT_SOURCE_DIR}/cmake/embed_text.cmake
    COMMENT "Embedding ${variable}"
    VERBATIM)
endfunction()

if(NOT CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  return()
endif()

cmake_minimum_required(VERSION 3.25)
file(READ ${INPUT} text)
string(FIND "${text}" ")usher_text\"" end)
if(NOT end EQUAL -1)
  message(FATAL_ERROR "${INPUT}: contains the text that ends the embedded literal")
endif()
cmake_path(GET INPUT FILENAME name)
file(WRITE ${OUTPUT}
  "// Written by cmake/embed_text.cmake from ${name}; edit that.\n"
  "namespace usher {\n\n"
  "extern char const* const ${VARIABLE};\n"
  "char const* const ${VARIABLE} = R\"usher_text(${text})usher_text\";\n\n"
  "} // namespace usher\n")
