# Third-party libraries, one imported target each. Distribution packages come from pkg-config, the
# locked ones from HEARTH_DEPS_DIR.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(libseccomp REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(libcrypto REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(inih REQUIRED IMPORTED_TARGET inih)

function(hearth_locked_library name library header)
  set(root ${HEARTH_DEPS_DIR}/${name})
  if(NOT EXISTS ${root}/include/${header} OR NOT EXISTS ${root}/lib/${library})
    message(FATAL_ERROR "${name}: ${root}/lib/${library} or include/${header} is missing. "
      "Run scripts/setup.sh, which fetches what deps/deps.lock lists.")
  endif()
  add_library(${name}::${name} UNKNOWN IMPORTED)
  set_target_properties(${name}::${name} PROPERTIES
    IMPORTED_LOCATION ${root}/lib/${library}
    INTERFACE_INCLUDE_DIRECTORIES ${root}/include)
endfunction()

hearth_locked_library(yyjson libyyjson.a yyjson.h)

if(HEARTH_ONNX)
  # Header only: the library is opened at run time (dlopen), because its symbols are versioned by release.
  if(NOT EXISTS ${HEARTH_DEPS_DIR}/onnxruntime/include/onnxruntime_c_api.h)
    message(FATAL_ERROR "onnxruntime_c_api.h is missing in ${HEARTH_DEPS_DIR}/onnxruntime/include. "
      "Run scripts/setup.sh, or configure with -DHEARTH_ONNX=OFF.")
  endif()
  add_library(onnxruntime::headers INTERFACE IMPORTED)
  target_include_directories(onnxruntime::headers SYSTEM INTERFACE
    ${HEARTH_DEPS_DIR}/onnxruntime/include)
endif()

if(HEARTH_GGUF)
  if(NOT EXISTS ${HEARTH_DEPS_DIR}/llama/lib/libllama.a)
    message(FATAL_ERROR "libllama.a is missing in ${HEARTH_DEPS_DIR}/llama/lib. "
      "Run scripts/setup.sh, or configure with -DHEARTH_GGUF=OFF.")
  endif()
  add_library(llama::llama INTERFACE IMPORTED)
  target_include_directories(llama::llama SYSTEM INTERFACE ${HEARTH_DEPS_DIR}/llama/include)
  target_link_directories(llama::llama INTERFACE ${HEARTH_DEPS_DIR}/llama/lib)
  target_link_libraries(llama::llama INTERFACE
    -Wl,--start-group llama ggml ggml-cpu ggml-base -Wl,--end-group
    stdc++ m Threads::Threads ${CMAKE_DL_LIBS})
endif()

set(HEARTH_PYTHON ${HEARTH_DEPS_DIR}/venv/bin/python CACHE FILEPATH
  "Python with the reference packages (made by scripts/setup.sh)")
