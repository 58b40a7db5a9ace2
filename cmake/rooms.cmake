# A room is one folder, one static library, one face header (hearth_<room>.h).
#
#   hearth_room(NAME SOURCES a.c b.c [USES room ...] [FACE_USES room ...] [PACKAGES target ...])
#
# Its include path reaches its own folder and the rooms that it names, nothing else: including the
# face of a room that was not named does not compile, and GLOBAL_DEPENDS_NO_CYCLES refuses a cycle.
# FACE_USES are rooms whose types appear in the face header, so they reach the users of this room too.
set_property(GLOBAL PROPERTY GLOBAL_DEPENDS_NO_CYCLES ON)

function(hearth_room name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;FACE_USES;PACKAGES" ${ARGN})
  add_library(hearth_${name} STATIC ${ARG_SOURCES})
  target_include_directories(hearth_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  foreach(used IN LISTS ARG_USES)
    target_link_libraries(hearth_${name} PRIVATE hearth_${used})
  endforeach()
  foreach(used IN LISTS ARG_FACE_USES)
    target_link_libraries(hearth_${name} PUBLIC hearth_${used})
  endforeach()
  target_link_libraries(hearth_${name} PRIVATE hearth_flags ${ARG_PACKAGES})
endfunction()

# A program: hearth_program(NAME SOURCES main.c USES room ... [PACKAGES target ...])
function(hearth_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;PACKAGES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  foreach(used IN LISTS ARG_USES)
    target_link_libraries(${name} PRIVATE hearth_${used})
  endforeach()
  target_link_libraries(${name} PRIVATE hearth_flags ${ARG_PACKAGES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# Gives a test, besides its own label, those of the predecessor's suites whose rows name it: see
# tests/suites/rows.txt. A name in a row may end with a star.
set(HEARTH_SUITE_ROWS ${PROJECT_SOURCE_DIR}/tests/suites/rows.txt)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${HEARTH_SUITE_ROWS})
file(STRINGS ${HEARTH_SUITE_ROWS} HEARTH_SUITE_LINES REGEX "^[a-z]+ [|]")
function(hearth_label_suites test)
  foreach(line IN LISTS HEARTH_SUITE_LINES)
    string(REGEX MATCH "^[a-z]+" suite "${line}")
    string(REGEX REPLACE "_[0-9]+$" "_*" any "${test}")
    foreach(name IN ITEMS "${test}" "${any}")
      string(FIND "${line} " "| ${name}:" with_case)
      string(FIND "${line} " "| ${name} " whole)
      if(with_case GREATER -1 OR whole GREATER -1)
        set_property(TEST ${test} APPEND PROPERTY LABELS ${suite})
        break()
      endif()
    endforeach()
  endforeach()
endfunction()

# A unit test: hearth_unit_test(ROOM test_thing [USES room ...]) builds test_thing.c of this folder
# with cmocka and the kit, and runs it under ctest with the label `unit`.
function(hearth_unit_test room name)
  cmake_parse_arguments(ARG "" "" "USES;PACKAGES" ${ARGN})
  add_executable(unit_${room}_${name} ${name}.c)
  foreach(used IN ITEMS ${room} LISTS ARG_USES)
    target_link_libraries(unit_${room}_${name} PRIVATE hearth_${used})
  endforeach()
  target_link_libraries(unit_${room}_${name} PRIVATE hearth_kit hearth_flags ${ARG_PACKAGES} cmocka)
  set_target_properties(unit_${room}_${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME unit/${room}/${name} COMMAND unit_${room}_${name})
  set_tests_properties(unit/${room}/${name} PROPERTIES LABELS unit TIMEOUT 60
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  hearth_label_suites(unit/${room}/${name})
endfunction()

# A fuzz target: hearth_fuzz_target(NAME USES room ...) builds fuzz_NAME.c, which defines
# hearth_fuzz_NAME(). With HEARTH_FUZZ it is a libFuzzer program; otherwise a replayer of
# fuzz/corpus/NAME that every test run executes with the label `fuzz-replay`.
function(hearth_fuzz_target name)
  cmake_parse_arguments(ARG "" "" "USES;PACKAGES" ${ARGN})
  if(HEARTH_FUZZ)
    add_executable(fuzz_${name} fuzz_${name}.c entry_libfuzzer.c)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(fuzz_${name} fuzz_${name}.c entry_replay.c)
    add_test(NAME fuzz-replay/${name}
      COMMAND fuzz_${name} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
    set_tests_properties(fuzz-replay/${name} PROPERTIES LABELS fuzz-replay TIMEOUT 120)
  endif()
  target_compile_definitions(fuzz_${name} PRIVATE HEARTH_FUZZ_ENTRY=hearth_fuzz_${name})
  foreach(used IN LISTS ARG_USES)
    target_link_libraries(fuzz_${name} PRIVATE hearth_${used})
  endforeach()
  target_link_libraries(fuzz_${name} PRIVATE hearth_base hearth_flags ${ARG_PACKAGES})
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
endfunction()

# A test of engines: hearth_engine_test(NAME LABEL TIMEOUT ENGINES ONNX GGUF COMMAND program ...). In a
# build without one of them it is there all the same, and skipped by its name.
function(hearth_engine_test name label timeout)
  cmake_parse_arguments(ARG "" "" "ENGINES;COMMAND" ${ARGN})
  set(absent "")
  foreach(engine IN LISTS ARG_ENGINES)
    if(NOT HEARTH_${engine})
      string(APPEND absent " ${engine}")
    endif()
  endforeach()
  if(absent)
    set(ARG_COMMAND sh -c "echo '# SKIP built without${absent}' && exit 77")
  endif()
  add_test(NAME ${name} COMMAND ${ARG_COMMAND})
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${timeout} SKIP_RETURN_CODE 77)
  hearth_label_suites(${name})
endfunction()
