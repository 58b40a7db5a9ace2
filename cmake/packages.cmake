# Third-party libraries, one imported target each. Distribution packages come from pkg-config, the
# locked ones from HEARTH_DEPS_DIR; the engines' own libraries are in engines.cmake.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(libseccomp REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(libcrypto REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(inih REQUIRED IMPORTED_TARGET inih)
if(HEARTH_PULL)
  pkg_check_modules(libcurl REQUIRED IMPORTED_TARGET libcurl)   # for hearth-pull, and nothing else
endif()

# JSON: a distribution package where there is one (Debian 13), else built from the locked source.
if(EXISTS ${HEARTH_DEPS_DIR}/yyjson/lib/libyyjson.a)
  add_library(yyjson::yyjson UNKNOWN IMPORTED)
  set_target_properties(yyjson::yyjson PROPERTIES
    IMPORTED_LOCATION ${HEARTH_DEPS_DIR}/yyjson/lib/libyyjson.a
    INTERFACE_INCLUDE_DIRECTORIES ${HEARTH_DEPS_DIR}/yyjson/include)
else()
  pkg_check_modules(yyjson IMPORTED_TARGET yyjson>=0.10)
  if(NOT yyjson_FOUND)
    message(FATAL_ERROR "yyjson: there is neither ${HEARTH_DEPS_DIR}/yyjson nor a package of the "
      "distribution.\n  remedy: run scripts/setup.sh, which fetches what deps/deps.lock lists")
  endif()
  add_library(yyjson::yyjson ALIAS PkgConfig::yyjson)
endif()

set(HEARTH_PYTHON ${HEARTH_DEPS_DIR}/venv/bin/python CACHE FILEPATH
  "Python with the reference packages (made by scripts/setup.sh)")
