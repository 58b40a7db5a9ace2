# What `cmake --install` puts where, and the target that takes it away again:
#
#   bin/             hearthd, hearth and hearth-pull
#   libexec/hearth/  the workers, which nobody starts by hand
#   lib/             libhearth.so.0, its pkg-config file and its CMake package
#   lib/hearth/      ONNX Runtime, if it is the locked one: only its worker looks there
#   include/         the installed headers
#   share/hearth/    the catalogue of models, for hearth-pull
#   etc/hearth/, lib/systemd/   what is in deploy/
#
# Everything is found from the place of the program or file that needs it, so a prefix may be moved.
include(CMakePackageConfigHelpers)

set(HEARTH_INSTALL_WORKERS ${CMAKE_INSTALL_LIBEXECDIR}/hearth)
set(HEARTH_INSTALL_PRIVATE ${CMAKE_INSTALL_LIBDIR}/hearth)
set(HEARTH_INSTALL_PKGCONFIG ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
set(HEARTH_INSTALL_CMAKE ${CMAKE_INSTALL_LIBDIR}/cmake/hearth)

# First of all the folders that are about to be made are noted, for `uninstall`.
set(folders ${CMAKE_INSTALL_BINDIR} ${CMAKE_INSTALL_INCLUDEDIR}/hearth ${CMAKE_INSTALL_SYSCONFDIR}/hearth
  ${CMAKE_INSTALL_DOCDIR}/onnxruntime share/hearth ${HEARTH_INSTALL_WORKERS} ${HEARTH_INSTALL_PRIVATE}
  ${HEARTH_INSTALL_PKGCONFIG} ${HEARTH_INSTALL_CMAKE} lib/systemd/system lib/systemd/user)
install(CODE "set(HEARTH_FOLDERS \"${folders}\")
set(HEARTH_NOTES \"${CMAKE_BINARY_DIR}/install_folders.txt\")")
install(SCRIPT ${CMAKE_CURRENT_LIST_DIR}/note_folders.cmake)

install(TARGETS hearthd hearth RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(HEARTH_PULL)   # it looks for ../share/hearth, from where it is
  install(TARGETS hearth-pull RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES ${PROJECT_SOURCE_DIR}/models/catalogue.json DESTINATION share/hearth)
endif()
foreach(kind IN ITEMS echo onnx gguf)
  set(worker hearth-worker-${kind})
  if(kind STREQUAL onnx AND HEARTH_ORT_IS_LOCKED)
    set(worker hearth-worker-onnx-installed)
  endif()
  if(TARGET ${worker})
    install(TARGETS ${worker} RUNTIME DESTINATION ${HEARTH_INSTALL_WORKERS})
  endif()
endforeach()
if(HEARTH_ORT_IS_LOCKED)
  install(FILES ${HEARTH_ORT_LIBRARY} DESTINATION ${HEARTH_INSTALL_PRIVATE} RENAME ${HEARTH_ORT_SONAME})
  install(DIRECTORY ${HEARTH_ORT_ROOT}/share/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/onnxruntime)
endif()

# The library for others.
install(TARGETS libhearth EXPORT hearth LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/hearth DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h")
set_target_properties(libhearth PROPERTIES EXPORT_NAME hearth)
install(EXPORT hearth NAMESPACE Hearth:: FILE HearthTargets.cmake DESTINATION ${HEARTH_INSTALL_CMAKE})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/HearthConfig.cmake.in
  ${CMAKE_BINARY_DIR}/install/HearthConfig.cmake INSTALL_DESTINATION ${HEARTH_INSTALL_CMAKE})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/install/HearthConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)   # before 1.0 the minor number is the one that may break
install(FILES ${CMAKE_BINARY_DIR}/install/HearthConfig.cmake
  ${CMAKE_BINARY_DIR}/install/HearthConfigVersion.cmake DESTINATION ${HEARTH_INSTALL_CMAKE})
file(RELATIVE_PATH HEARTH_PC_PREFIX /${HEARTH_INSTALL_PKGCONFIG} /)
string(REGEX REPLACE "/$" "" HEARTH_PC_PREFIX "${HEARTH_PC_PREFIX}")
configure_file(${CMAKE_CURRENT_LIST_DIR}/hearth.pc.in ${CMAKE_BINARY_DIR}/install/hearth.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/install/hearth.pc DESTINATION ${HEARTH_INSTALL_PKGCONFIG})

# For the operator. A configuration that is there already is his: the new one is put beside it.
install(FILES ${PROJECT_SOURCE_DIR}/deploy/hearthd.conf DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/hearth
  RENAME hearthd.conf.default)
install(CODE "set(HEARTH_CONFIG \"${CMAKE_INSTALL_SYSCONFDIR}/hearth/hearthd.conf\")")
install(SCRIPT ${CMAKE_CURRENT_LIST_DIR}/install_config.cmake)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(CODE "set(HEARTH_DEPLOY \"${PROJECT_SOURCE_DIR}/deploy\")
set(HEARTH_MADE \"${CMAKE_BINARY_DIR}/install\")
set(HEARTH_BINDIR \"${CMAKE_INSTALL_BINDIR}\")")
install(SCRIPT ${CMAKE_CURRENT_LIST_DIR}/install_units.cmake)

add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -DBUILD=${CMAKE_BINARY_DIR}
  -P ${CMAKE_CURRENT_LIST_DIR}/uninstall.cmake VERBATIM)
