# The engines' libraries: which are used, and that their versions are among those we know.
#
# ONNX Runtime comes from HEARTH_ORT_DIR if that is set, else from HEARTH_DEPS_DIR (the locked one),
# else from the distribution; llama.cpp from HEARTH_LLAMA_DIR, else from HEARTH_DEPS_DIR. Both *_DIR are
# prefixes: include/ and lib/, as `cmake --install` and the projects' archives make them. The library
# itself is asked what it is, at every configure; nothing believes the name of a file.
set(HEARTH_ORT_DIR "" CACHE PATH "prefix of a given ONNX Runtime (include/, lib/)")
set(HEARTH_LLAMA_DIR "" CACHE PATH "prefix of a given llama.cpp (include/, lib/)")

# What the code was built and tested with. ONNX Runtime keeps old versions of its API for ever, so a
# newer one is only told; llama.cpp changes its API with every minor number.
set(HEARTH_ORT_API_MIN 21)
set(HEARTH_ORT_API_TESTED 32)
set(HEARTH_LLAMA_KNOWN 0.5)

# Stops with what is wrong in which prefix, and what to do.
function(hearth_engine_refuse option root why)
  message(FATAL_ERROR "${option}: ${root}: ${why}\n  remedy: ${ARGN}")
endfunction()

# A header or library of a prefix, or the end: hearth_engine_file(VAR OPTION ROOT HEADER|LIBRARY name).
function(hearth_engine_file variable option root kind name)
  unset(found CACHE)
  if(kind STREQUAL HEADER)
    set(what include/${name})
    find_path(found ${name} PATHS ${root}/include PATH_SUFFIXES onnxruntime onnxruntime/core/session
      NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
  else()
    set(what "lib/lib${name}.so or .a")
    find_library(found ${name} PATHS ${root} PATH_SUFFIXES lib lib64 lib/${CMAKE_LIBRARY_ARCHITECTURE}
      NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
  endif()
  if(NOT found)
    hearth_engine_refuse(${option} ${root} "there is no ${what}" ${ARGN})
  endif()
  set(${variable} ${found} PARENT_SCOPE)
  unset(found CACHE)
endfunction()

# Asks a library what it is, by a program that prints one line. @ret_said is empty if it did not answer.
function(hearth_engine_ask ret_said ret_log program)
  set(said "")
  set(log "")
  if(CMAKE_CROSSCOMPILING)
    message(STATUS "${program}: the library is for another processor, its version is not checked")
  else()
    try_run(code compiled SOURCES ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/probes/${program} NO_CACHE
      CMAKE_FLAGS ${ARGN} RUN_OUTPUT_VARIABLE said COMPILE_OUTPUT_VARIABLE log)
    if(NOT compiled OR NOT code STREQUAL 0)
      string(APPEND log "${said}")
      set(said "")
    endif()
  endif()
  string(STRIP "${said}" said)
  set(${ret_said} "${said}" PARENT_SCOPE)
  set(${ret_log} "${log}" PARENT_SCOPE)
endfunction()

# --- ONNX Runtime -------------------------------------------------------------------------------------
# Header only: the library is opened at run time (dlopen), because its symbols are versioned by release.

function(hearth_find_onnxruntime)
  set(option HEARTH_ORT_DIR)
  string(CONCAT remedy "name the prefix of an ONNX Runtime 1.${HEARTH_ORT_API_MIN} or later, or leave "
    "HEARTH_ORT_DIR empty: scripts/setup.sh gets the right one")
  set(locked NO)
  if(HEARTH_ORT_DIR)
    get_filename_component(root ${HEARTH_ORT_DIR} ABSOLUTE)
  elseif(EXISTS ${HEARTH_DEPS_DIR}/onnxruntime)
    set(root ${HEARTH_DEPS_DIR}/onnxruntime)
    set(locked YES)
  else()
    pkg_check_modules(distribution_ort libonnxruntime)
    if(NOT distribution_ort_FOUND)
      hearth_engine_refuse(HEARTH_ONNX ${HEARTH_DEPS_DIR}/onnxruntime
        "there is no ONNX Runtime, and none of the distribution either"
        "run scripts/setup.sh, or configure with -DHEARTH_ONNX=OFF")
    endif()
    pkg_get_variable(root libonnxruntime prefix)
  endif()
  hearth_engine_file(include ${option} ${root} HEADER onnxruntime_c_api.h ${remedy})
  hearth_engine_file(library ${option} ${root} LIBRARY onnxruntime ${remedy})
  get_filename_component(library ${library} REALPATH)

  file(STRINGS ${include}/onnxruntime_c_api.h line REGEX "^#define ORT_API_VERSION [0-9]+" LIMIT_COUNT 1)
  string(REGEX MATCH "[0-9]+" api "${line}")
  if(NOT api OR api LESS HEARTH_ORT_API_MIN)
    hearth_engine_refuse(${option} ${root} "its header is of API version ${api}, found in ${include}; \
wanted is ${HEARTH_ORT_API_MIN} or later, tested are those up to ${HEARTH_ORT_API_TESTED}" ${remedy})
  endif()
  hearth_engine_ask(version log onnxruntime_version.c -DINCLUDE_DIRECTORIES=${include} ARGS ${library})
  if(NOT version AND NOT CMAKE_CROSSCOMPILING)
    hearth_engine_refuse(${option} ${root} "${library} does not say what it is: ${log}" ${remedy})
  endif()
  if(version AND NOT version MATCHES "^1\\.([0-9]+)\\." OR version AND CMAKE_MATCH_1 LESS api)
    hearth_engine_refuse(${option} ${root} "found is the library ${version}; wanted is 1.${api} or a \
later 1.x, because the header beside it is of API version ${api} (1.${HEARTH_ORT_API_MIN} to \
1.${HEARTH_ORT_API_TESTED} are tested)" ${remedy})
  endif()
  if(version AND CMAKE_MATCH_1 GREATER HEARTH_ORT_API_TESTED)
    message(STATUS "ONNX Runtime ${version} is newer than 1.${HEARTH_ORT_API_TESTED}, the last one tested")
  endif()

  execute_process(COMMAND ${CMAKE_OBJDUMP} -p ${library} OUTPUT_VARIABLE dynamic ERROR_QUIET)
  string(REGEX MATCH "SONAME +([^ \n]+)" line "${dynamic}")
  if(NOT line)
    hearth_engine_refuse(${option} ${root} "${library} is not a shared library with a name" ${remedy})
  endif()
  set(HEARTH_ORT_SONAME ${CMAKE_MATCH_1} PARENT_SCOPE)
  get_filename_component(folder ${library} DIRECTORY)
  set(HEARTH_ORT_RPATH ${folder} PARENT_SCOPE)
  set(HEARTH_ORT_LIBRARY ${library} PARENT_SCOPE)
  set(HEARTH_ORT_ROOT ${root} PARENT_SCOPE)
  set(HEARTH_ORT_IS_LOCKED ${locked} PARENT_SCOPE)
  message(STATUS "ONNX Runtime ${version}, API ${api}: ${library}")
  add_library(onnxruntime::headers INTERFACE IMPORTED GLOBAL)
  target_include_directories(onnxruntime::headers SYSTEM INTERFACE ${include})
  target_compile_definitions(onnxruntime::headers INTERFACE HEARTH_ORT_SONAME="${CMAKE_MATCH_1}")
endfunction()

# --- llama.cpp ----------------------------------------------------------------------------------------

# What the prefix says of itself: good enough for a message about a library that does not answer.
function(hearth_llama_hearsay variable root)
  set(pattern cmake/llama/llama*version.cmake)
  file(GLOB places ${root}/lib*/${pattern} ${root}/lib*/*/${pattern})
  set(${variable} "of an unknown version" PARENT_SCOPE)
  foreach(place IN LISTS places)
    file(STRINGS ${place} line REGEX "PACKAGE_VERSION \"" LIMIT_COUNT 1)
    if(line MATCHES "PACKAGE_VERSION \"([^\"]+)\"")
      set(${variable} ${CMAKE_MATCH_1} PARENT_SCOPE)
    endif()
  endforeach()
endfunction()

function(hearth_find_llama)
  set(option HEARTH_LLAMA_DIR)
  string(CONCAT remedy "name the prefix of a llama.cpp ${HEARTH_LLAMA_KNOWN}.x built with "
    "-DGGML_OPENMP=OFF, or leave HEARTH_LLAMA_DIR empty: scripts/build_gguf.sh builds the right one")
  if(HEARTH_LLAMA_DIR)
    get_filename_component(root ${HEARTH_LLAMA_DIR} ABSOLUTE)
  else()
    set(root ${HEARTH_DEPS_DIR}/llama)
    if(NOT EXISTS ${root})
      hearth_engine_refuse(HEARTH_GGUF ${root} "there is no llama.cpp"
        "run scripts/setup.sh, or configure with -DHEARTH_GGUF=OFF")
    endif()
  endif()
  hearth_engine_file(include ${option} ${root} HEADER llama.h ${remedy})
  hearth_engine_file(ggml_include ${option} ${root} HEADER ggml.h ${remedy})
  set(libraries "")
  foreach(name IN ITEMS llama ggml ggml-cpu ggml-base)
    hearth_engine_file(library ${option} ${root} LIBRARY ${name} ${remedy})
    list(APPEND libraries ${library})
  endforeach()

  # Its pool of threads cannot be attached, niced or told not to spin.
  list(GET libraries 2 cpu)
  file(STRINGS ${cpu} openmp REGEX "GOMP_parallel|__kmpc_fork_call" LIMIT_COUNT 1)
  if(openmp)
    hearth_engine_refuse(${option} ${root} "${cpu} was built with OpenMP" ${remedy})
  endif()
  set(all -Wl,--start-group ${libraries} -Wl,--end-group stdc++ m pthread ${CMAKE_DL_LIBS})
  hearth_engine_ask(version log llama_version.c -DINCLUDE_DIRECTORIES=${include} LINK_LIBRARIES ${all})
  if(NOT version AND NOT CMAKE_CROSSCOMPILING)
    hearth_llama_hearsay(version ${root})
    if(NOT log MATCHES "(undefined reference to|implicit declaration of function) .llama_version")
      hearth_engine_refuse(${option} ${root} "the library does not answer: ${log}" ${remedy})
    endif()
    string(PREPEND version "a llama.cpp without llama_version(), ")
  endif()
  if(version AND NOT version MATCHES "^${HEARTH_LLAMA_KNOWN}(\\.|-|$)")
    hearth_engine_refuse(${option} ${root} "found is ${version}; wanted is ${HEARTH_LLAMA_KNOWN}.x, whose \
API this code is written for" ${remedy})
  endif()
  message(STATUS "llama.cpp ${version}: ${root}")
  add_library(llama::llama INTERFACE IMPORTED GLOBAL)
  target_include_directories(llama::llama SYSTEM INTERFACE ${include} ${ggml_include})
  target_link_libraries(llama::llama INTERFACE -Wl,--start-group ${libraries} -Wl,--end-group
    stdc++ m Threads::Threads ${CMAKE_DL_LIBS})
  if(libraries MATCHES "\\.so")
    get_filename_component(folder ${cpu} DIRECTORY)
    target_link_options(llama::llama INTERFACE -Wl,-rpath,${folder})
  endif()
endfunction()

if(HEARTH_ONNX)
  hearth_find_onnxruntime()
endif()
if(HEARTH_GGUF)
  hearth_find_llama()
endif()
