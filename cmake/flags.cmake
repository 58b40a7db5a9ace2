# Flags of every room, program and test of ours (hearth_flags), and the build id that a worker and
# the broker must share.
add_library(hearth_flags INTERFACE)
target_compile_options(hearth_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wswitch-enum -Wundef -Wvla -Wformat=2
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes>
  -fstack-protector-strong -fno-strict-aliasing -fvisibility=hidden)
target_compile_definitions(hearth_flags INTERFACE _GNU_SOURCE
  HEARTH_VERSION="${PROJECT_VERSION}" $<$<CONFIG:Release,RelWithDebInfo>:_FORTIFY_SOURCE=2>)
target_include_directories(hearth_flags INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_link_options(hearth_flags INTERFACE -Wl,-z,relro,-z,now)
if(HEARTH_WERROR)
  target_compile_options(hearth_flags INTERFACE -Werror)
endif()
if(HEARTH_SANITIZE)
  add_compile_options(-fsanitize=${HEARTH_SANITIZE} -fno-omit-frame-pointer)
  add_compile_options(-fno-sanitize-recover=all)
  add_link_options(-fsanitize=${HEARTH_SANITIZE})
  target_compile_definitions(hearth_flags INTERFACE HEARTH_SANITIZED=1)
endif()
if(HEARTH_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
  target_compile_definitions(hearth_flags INTERFACE HEARTH_SANITIZED=1)
endif()

# Broker and workers of different builds do not talk to each other: the id is a digest of what must
# agree between them, the version and the message list with its limits.
set(HEARTH_WIRE_SOURCES ${PROJECT_SOURCE_DIR}/src/shared/wire/messages.def
  ${PROJECT_SOURCE_DIR}/src/shared/wire/limits.h)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${HEARTH_WIRE_SOURCES})
set(HEARTH_BUILD_ID ${PROJECT_VERSION})
foreach(source IN LISTS HEARTH_WIRE_SOURCES)
  file(SHA256 ${source} digest)
  string(APPEND HEARTH_BUILD_ID " ${digest}")
endforeach()
string(SHA256 HEARTH_BUILD_ID "${HEARTH_BUILD_ID}")
string(SUBSTRING ${HEARTH_BUILD_ID} 0 16 HEARTH_BUILD_ID)
target_compile_definitions(hearth_flags INTERFACE HEARTH_BUILD_ID="${PROJECT_VERSION}-${HEARTH_BUILD_ID}")
