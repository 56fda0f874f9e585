# usher_layer(NAME SOURCES ... HEADERS ... USES ... [PRIVATE_USES ...])
# One static library per layer. USES names what a layer may include from; tests/layering_test checks the arrows.
function(usher_layer name)
  cmake_parse_arguments(arg "" "" "SOURCES;HEADERS;USES;PRIVATE_USES" ${ARGN})
  add_library(usher_${name} STATIC ${arg_SOURCES})
  add_library(usher::${name} ALIAS usher_${name})
  set_target_properties(usher_${name} PROPERTIES EXPORT_NAME ${name})
  target_sources(usher_${name} PUBLIC FILE_SET HEADERS BASE_DIRS include FILES ${arg_HEADERS})
  target_include_directories(usher_${name} PRIVATE src)
  target_compile_features(usher_${name} PUBLIC cxx_std_20) # PUBLIC: consumers include our headers
  target_link_libraries(usher_${name} PUBLIC ${arg_USES} PRIVATE ${arg_PRIVATE_USES} $<BUILD_INTERFACE:usher_options>)
endfunction()
