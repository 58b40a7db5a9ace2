# Makes hearthd.conf out of hearthd.conf.default where there is none. Run by `cmake --install`. It is not
# in the manifest: `uninstall` takes it away only if nobody has changed it.
if(IS_ABSOLUTE ${HEARTH_CONFIG})
  set(config "$ENV{DESTDIR}${HEARTH_CONFIG}")
else()
  set(config "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/${HEARTH_CONFIG}")
endif()
if(NOT EXISTS ${config})
  message(STATUS "Installing: ${config}")
  file(COPY_FILE ${config}.default ${config})
else()
  message(STATUS "Kept: ${config}")
endif()
